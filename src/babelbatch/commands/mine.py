"""The composition root of babelbatch-mine: from an encoder and a corpus to a table of hard negatives."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from babelbatch.batches import Mined, concatenated, write_negatives
from babelbatch.commands.build import build
from babelbatch.commands.checkpoint import load_checkpoint
from babelbatch.commands.data import build_corpus
from babelbatch.commands.ranks import OTHER_WORK, joined_ranks
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.inputs import input_versions
from babelbatch.configuration.saved import saved_part
from babelbatch.distributed.collectives import (
    errors_on_every_rank,
    max_over_ranks,
    rank,
    require_equal,
    wait_for_all_ranks,
)
from babelbatch.encoder import Encoder, Role, device_of, fingerprint
from babelbatch.evaluation.encoding import encode
from babelbatch.evaluation.text_sets import corpus_passages, corpus_queries, folders_in, stored_vectors
from babelbatch.progress import bar, waiting
from babelbatch.records import ABSENT, Corpus
from babelbatch.runs.files import CONFIG_FILE, METRICS_FILE, NEGATIVES_FILE
from babelbatch.runs.provenance import provenance
from babelbatch.runs.results import skipped_facts
from babelbatch.search.index import HNSW, IVF, NO_ROW, Exact, Search, measure_recall
from babelbatch.search.mining import (
    WITHOUT,
    Mining,
    SearchPool,
    Tally,
    answer_groups,
    choose_negatives,
    search_depth,
    search_pools,
    tally,
    used_queries,
)
from babelbatch.search.sharded_vectors import Reordered, ShardedVectors
from babelbatch.search.vectors import MANIFEST_FILE, Vectors, VectorWriter
from babelbatch.storage import write_atomically

log = logging.getLogger(__name__)

_THREADS = torch.get_num_threads()  # one job of a sweep must not inherit another's
_SHARD_TEXTS = 65_536  # encoded, and written to disk, at once
_QUERIES = 8_192  # searched at once
_VECTORS_FOLDER = "vectors"

Index = Exact | IVF | HNSW


def mine(cfg: DictConfig, folder: Path) -> None:
    """Writes `negatives.parquet` and then metrics.json, which says how it was made, to `folder`.

    Vectors that an earlier attempt left in the folder are reused. Several ranks divide the work; rank 0 writes.
    """
    with joined_ranks():
        _mine(cfg, folder)


def _mine(cfg: DictConfig, folder: Path) -> None:
    sources = provenance() | input_versions(cfg)
    torch.set_num_threads(cfg.threads or _THREADS)
    with waiting("loading the encoder"):
        encoder: Encoder = load_checkpoint(Path(cfg.checkpoint)) if cfg.checkpoint else build(cfg.encoder)
    encoder = encoder.to(device_of(cfg.device)).eval()
    corpus = build_corpus(cfg.corpus or corpus_of_run(Path(cfg.checkpoint)))
    settings: Mining = build(cfg.mining)
    weights = fingerprint(encoder)
    require_equal(f"{config_hash(cfg)} {weights} {corpus.fingerprint}", OTHER_WORK)
    pools = search_pools(corpus, answer_groups(corpus), settings.languages)
    log.info(
        "mining %s for %s items in %d languages: %s passages in %d pools, index %s",
        corpus.name, f"{len(corpus):,}", len(corpus.languages), f"{sum(len(pool.rows) for pool in pools):,}",
        len(pools), cfg.index._target_.rpartition(".")[2],
    )  # fmt: skip
    started = time.perf_counter()
    stored: dict[Role, ShardedVectors | None] = {}
    if cfg.vectors:
        sets = [corpus_queries(corpus), corpus_passages(corpus)]
        with errors_on_every_rank():
            found = stored_vectors(folders_in(cfg.vectors), sets, encoder)
            stored = dict(zip(("query", "passage"), found, strict=True))
        stored = {role: None if max_over_ranks(each is None) else each for role, each in stored.items()}
    vectors = VectorsOf(encoder, weights, folder / _VECTORS_FOLDER, cfg.token_budget, stored)
    mined, searched, recalls = mine_pools(cfg, corpus, pools, vectors, settings)
    taken = time.perf_counter() - started
    facts: dict[str, object] = {
        "encoder": cfg.checkpoint or cfg.encoder.get("name_or_path", cfg.encoder._target_),
        "fingerprint/encoder": weights,
        "mining": asdict(settings),
        "index": OmegaConf.to_container(cfg.index),
        **{f"recall/{name}": recall for name, recall in recalls.items()},
    }
    wait_for_all_ranks()  # they may still read vectors, which rank 0 removes
    if rank() > 0:
        return
    with waiting("writing the hard negatives"):
        write_negatives(folder / NEGATIVES_FILE, corpus, mined, facts)
    facts |= {
        "name": cfg.name,
        "config_hash": config_hash(cfg),
        "benchmarks": [],
        "corpus": corpus.name,
        "fingerprint/corpus": corpus.fingerprint,
        **skipped_facts("corpus", corpus.skipped_rows),
        **summary(mined, searched),
        "seconds/mine": taken,
        **sources,
    }
    if not cfg.keep_vectors and vectors.folder.exists():
        shutil.rmtree(vectors.folder)
    write_atomically(folder / METRICS_FILE, json.dumps(facts, indent=1, allow_nan=False) + "\n")


def mine_pools(
    cfg: DictConfig, corpus: Corpus, pools: list[SearchPool], vectors: VectorsOf, settings: Mining
) -> tuple[Mined, Tally, dict[str, float]]:
    """The negatives of all pools, what was searched for, and the recall of the index in each pool, measured where it is
    approximate."""
    index: Index = build(cfg.index)
    used = used_queries(pools)
    tasks = corpus.query_tasks() if vectors.encoder.settings.query_prompts else None
    queries = vectors.encoded(corpus.query_texts, used, "query", "queries", tasks)
    parts, searched, recalls = [], Tally(), {}
    for number, pool in enumerate(pools):
        if len(pool.items) == 0:  # a language without passages
            continue
        passages = vectors.encoded(corpus.passage_texts, pool.rows, "passage", f"passages-{pool.name}")
        search = index.build(passages, cfg.threads)
        rows_of = np.searchsorted(used, pool.queries)
        if not isinstance(index, Exact):
            depth = search_depth(pool, settings)
            recalls[pool.name] = _recall(search, queries, passages, rows_of, depth, cfg.threads)
        mined, of_pool = mined_from(pool, search, queries, passages, rows_of, settings, number)
        parts.append(mined)
        searched += of_pool
    return (concatenated(parts) if parts else _none()), searched, recalls


def corpus_of_run(checkpoint: Path) -> DictConfig:
    """The configuration of the corpus that a run was trained on.

    checkpoint: the run's folder, its `encoder` folder or a .ckpt file. Raises ValueError if there is no configuration.
    """
    for folder in (checkpoint, *checkpoint.absolute().parents[:2]):
        if (folder / CONFIG_FILE).is_file():
            corpus = saved_part(folder / CONFIG_FILE, "corpus")
            if corpus is not None:
                return corpus
    raise ValueError(f"checkpoint: {checkpoint} does not say which corpus it was trained on; choose one: corpus=...")


@dataclass(frozen=True)
class VectorsOf:
    """The vectors of one encoder, in folders on disk.

    weights: the fingerprint of the encoder. folder: where the folders of vectors are. stored: those that
    babelbatch-encode wrote, by role.
    """

    encoder: Encoder
    weights: str
    folder: Path
    token_budget: int | None
    stored: Mapping[Role, ShardedVectors | None]

    def encoded(
        self,
        texts: Sequence[str],
        rows: NDArray[np.integer[Any]],
        role: Role,
        name: str,
        tasks: NDArray[np.object_] | None = None,
    ) -> Vectors | Reordered:
        """The vectors of texts[rows]: stored ones, or in the folder `name`, encoded shard by shard. Existing shards are
        reused. Rank 0 writes them, into a folder that every rank can read.

        tasks: of each text, for its prompt. Raises ValueError on every rank if one cannot read them.
        """
        if (stored := self.stored.get(role)) is not None:
            return Reordered(stored, rows)
        identity = hashlib.sha256(f"{self.weights} {role}".encode())
        for row in rows:
            prompt = "" if tasks is None else self.encoder.settings.prefix(role, tasks[row])
            identity.update((prompt + texts[row]).encode() + b"\0")
        folder = self.folder / name
        writer = None
        if rank() == 0:
            writer = VectorWriter(folder, self.encoder.dimensions, identity.hexdigest(), _SHARD_TEXTS)
        begin = max_over_ranks(0 if writer is None else writer.rows)
        with errors_on_every_rank():
            if not (folder / MANIFEST_FILE).is_file():
                raise ValueError(f"output_dir: {folder} is not on a disk that every process reaches; choose another")
        for start in range(begin, len(rows), _SHARD_TEXTS):
            some = rows[start : start + _SHARD_TEXTS]
            of_some = None if tasks is None else tasks[some]
            vectors = encode(self.encoder, [texts[row] for row in some], role, self.token_budget, task=of_some)
            if writer is not None:
                writer.append(vectors)
        if writer is not None:
            writer.close()
        wait_for_all_ranks()
        with errors_on_every_rank():
            return Vectors(folder)


def mined_from(
    pool: SearchPool,
    search: Search,
    all_queries: Vectors | Reordered,
    passages: Vectors | Reordered,
    rows_of: NDArray[np.int64],
    settings: Mining,
    number: int,
) -> tuple[Mined, Tally]:
    """The negatives of the slots of a pool, for each slot that has some, and the count of all slots.

    rows_of: (S,) the row of each slot's query in `all_queries`. number: of the pool, for the random choices.
    """
    depth = search_depth(pool, settings)
    parts, searched = [], Tally()
    with bar(f"searching {pool.name}", len(rows_of), unit="queries") as progress:
        for start in range(0, len(rows_of), _QUERIES):
            block = slice(start, start + _QUERIES)
            queries, positives = all_queries.take(rows_of[block]), pool.positives[block]
            neighbours = search(queries, depth)
            positive_scores = np.einsum("qd,qd->q", queries, passages.take(positives))
            answers = pool.groups[neighbours.rows] == pool.groups[positives][:, None]
            random = np.random.default_rng([settings.seed, number, start])
            found = neighbours.rows != NO_ROW
            chosen, ranks = choose_negatives(found, neighbours.scores, answers, positive_scores, settings, random)
            searched += tally(found, answers, positive_scores, chosen, ranks, settings)
            query, place = np.nonzero(chosen != ABSENT)
            column = chosen[query, place]
            parts.append(
                Mined(
                    items=pool.items[block][query],
                    languages=pool.languages[block][query],
                    passages=pool.rows[neighbours.rows[query, column]],
                    ranks=ranks[query, column].astype(np.int32),
                    scores=neighbours.scores[query, column],
                    positive_scores=positive_scores[query],
                )
            )
            progress.advance(len(queries))
    return (concatenated(parts) if parts else _none()), searched


def summary(mined: Mined, searched: Tally) -> dict[str, object]:
    """Counts and means of the mined negatives, and why slots (an item in a language) have none.

    mean_score, mean_positive_score: over the negatives, of each its own score and that of its positive.
    mean_slot_score: of the positives of all slots, with or without negatives.
    """
    filled = len(np.unique(np.stack([mined.items, mined.languages]), axis=1).T)
    found: dict[str, object] = {"negatives": len(mined), "slots": searched.slots, "slots_filled": filled}
    found |= {f"slots_{reason}": getattr(searched, reason) for reason in WITHOUT}
    if searched.slots:
        found["mean_slot_score"] = searched.positive_scores / searched.slots
    if len(mined):
        found["median_rank"] = float(np.median(mined.ranks))
        found["mean_score"] = float(mined.scores.mean(dtype=np.float64))
        found["mean_positive_score"] = float(mined.positive_scores.mean(dtype=np.float64))
    return found


def _recall(
    search: Search,
    queries: Vectors | Reordered,
    passages: Vectors | Reordered,
    rows_of: NDArray[np.int64],
    k: int,
    threads: int | None,
) -> float:
    sample = queries.take(np.random.default_rng(0).permutation(rows_of)[:1000])
    return measure_recall(search, sample, k, pool=passages, threads=threads)


def _none() -> Mined:
    whole, real = np.empty(0, np.int64), np.empty(0, np.float32)
    return Mined(whole, whole, whole.astype(np.int32), whole.astype(np.int32), real, real)
