"""The composition root of babelbatch-search: passages of any languages, and the answers to questions in any."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig

from babelbatch.commands.answers import Answer, answer_lines, pool_line, prompt_line
from babelbatch.commands.checkpoint import load_checkpoint
from babelbatch.commands.queries import given_queries, known_language, refuse_unreadable
from babelbatch.commands.ranks import joined_ranks
from babelbatch.distributed.collectives import errors_on_every_rank, items_of_rank_0
from babelbatch.distributed.ranks import global_rank
from babelbatch.encoder import Encoder, device_of
from babelbatch.evaluation.debias import Method, Shared, fit
from babelbatch.evaluation.encoding import encode
from babelbatch.evaluation.text_sets import folders_in, passages_to_search, stored_vectors
from babelbatch.progress import silent, waiting
from babelbatch.search.index import NO_ROW, Pool, Search
from babelbatch.sources.passages import Passages, read_passages
from babelbatch.storage import cache_folder

TOP = 10
"""Places whose languages are counted."""


def search(cfg: DictConfig) -> None:
    """Prints the first passages for the query, or for each query that is typed or piped in.

    Several ranks divide the work; rank 0 reads the queries and prints.
    """
    with joined_ranks(), silent() if global_rank() else nullcontext():
        _search(cfg)


def _search(cfg: DictConfig) -> None:
    if cfg.query is not None:
        refuse_unreadable(cfg.query)
    passages = read_passages(cfg.passages, cfg.text_column, cfg.language_column, cfg.language, cfg.on_bad_row)
    query_language = known_language(cfg.query_language, passages.languages)
    if cfg.debias != "none" and passages.by_script:
        raise ValueError(
            f"debias: the languages of the passages are not known; give them in a column '{cfg.language_column}', in "
            "the names of the files (passages=wiki.{language}.txt), or set debias=none"
        )
    _say(pool_line(passages))
    with waiting("loading the encoder"):
        encoder: Encoder = (
            load_checkpoint(Path(cfg.checkpoint)) if cfg.checkpoint else instantiate(cfg.encoder, _convert_="all")
        )
    _refuse_unknown_task(cfg.task, encoder)
    _say(prompt_line(encoder, cfg.task))
    searcher = build_searcher(cfg, encoder.to(device_of(cfg.device)).eval(), passages)
    typed = cfg.query is None and sys.stdin.isatty()
    given = given_queries(cfg.query, query_language, passages.languages, debias=cfg.debias)
    for query, language in items_of_rank_0(given):
        answer = searcher.answer(query, language)
        if (tokens := searcher.tokens(query)) > (longest := encoder.settings.query_length):
            _say(f"the encoder reads {longest:,} of the {tokens:,} tokens of this query")
        if global_rank() == 0:
            print("\n".join(answer_lines(answer, passages, cfg.top, typed)), flush=True)


def _say(message: str) -> None:
    if global_rank() == 0:
        print(f"babelbatch: {message}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Searcher:
    """An index over passages. shared: what is removed from the vectors of a language; None without `debias`. depth:
    passages that a query finds. task: selects the prompt of queries."""

    encoder: Encoder
    passages: Passages
    search: Search
    shared: Shared | None
    token_budget: int | None
    depth: int
    task: str | None = None

    def answer(self, query: str, language: str | None) -> Answer:
        """The first passages for a query. language: of the query, for `debias`."""
        with silent():
            vector = encode(self.encoder, [query], "query", self.token_budget, task=self.task)
        if self.shared is not None:
            number = np.array([self.passages.languages.index(str(language))], np.int16)
            vector = self.shared.removed(vector, number)
        found = self.search(vector, self.depth)
        there = found.rows[0] != NO_ROW
        rows: NDArray[np.int64] = found.rows[0][there]
        first = self.passages.language_of[rows[:TOP]]
        counts = np.bincount(first, minlength=len(self.passages.languages))
        return Answer(query, rows, found.scores[0][there], counts)

    def tokens(self, query: str) -> int:
        """The number of tokens of a query with its prompt, before it is cut."""
        text = self.encoder.settings.prefix("query", self.task) + query
        return len(self.encoder.tokenizer(text, verbose=False)["input_ids"])


def build_searcher(cfg: DictConfig, encoder: Encoder, passages: Passages) -> Searcher:
    """Encodes the passages, or reads their vectors from `vectors` or the cache, and builds the index over them."""
    pool: Pool
    if cfg.vectors:
        with errors_on_every_rank():
            (stored,) = stored_vectors(folders_in(cfg.vectors), [passages_to_search(passages.texts)], encoder)
        assert stored is not None
        pool = stored if cfg.debias == "none" else stored.whole()
    else:
        pool = encode(encoder, passages.texts, "passage", cfg.token_budget, cache_folder("vectors"))
    shared, method = None, cfg.debias
    if method != "none":
        assert isinstance(pool, np.ndarray)
        shared = _fitted(method, pool, passages, cfg.components)
        pool = shared.removed(pool, passages.language_of)
    index = instantiate(cfg.index, _convert_="all").build(pool)
    depth = min(len(passages.texts), max(cfg.top, TOP))
    return Searcher(encoder, passages, index, shared, cfg.token_budget, depth, cfg.task)


def _fitted(method: Method, vectors: NDArray[np.float32], passages: Passages, components: int) -> Shared:
    counts = np.bincount(passages.language_of, minlength=len(passages.languages))
    if (counts < 2).any():
        alone = passages.languages[int(counts.argmin())]
        raise ValueError(
            f"debias: '{alone}' has one passage, and {method} needs two or more in each language; add some"
        )
    if method == "lir" and components >= (most := min(int(counts.min()), vectors.shape[1])):
        raise ValueError(f"components: {components} would leave nothing of a language; set it to {most - 1} or less")
    languages = np.arange(len(passages.languages), dtype=np.int16)
    return fit(method, vectors, passages.language_of, languages, components)


def _refuse_unknown_task(task: str | None, encoder: Encoder) -> None:
    prompts = encoder.settings.query_prompts
    if task is not None and task not in prompts:
        known = f"there are: {', '.join(prompts)}" if prompts else "it has none; leave it out"
        raise ValueError(f"task: the encoder has no prompt for '{task}'; {known}")
