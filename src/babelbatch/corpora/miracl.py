"""MIRACL's training queries as a corpus: 16 languages without parallel data, with judged passages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.progress import bar
from babelbatch.records import Corpus
from babelbatch.sources import miracl
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.sources.lines import text_of
from babelbatch.sources.listing import is_listing
from babelbatch.sources.miracl import Judgement, Query
from babelbatch.sources.wikipedia import passages
from babelbatch.storage import file_signatures

log = logging.getLogger(__name__)


def load_corpus(languages: list[str] | None = None, negatives: int = 0, data_dir: str | None = None) -> Corpus:
    """One item per query and relevant passage. Queries of different languages are unrelated: there are X-X pairs only.

    All relevant passages of a query share a passage key, and so do those with equal texts. Only judged passages are
    stored.

    languages: some of the 16 with training queries; default all.
    negatives: hard negatives per query: the first so many of the passages judged irrelevant.
    data_dir: a folder with the files of the hub's two data sets, at the same paths; None fetches them, 13.5 GB in all.
    Raises ValueError for an unknown language, a missing or damaged file, a fetched file with another number of lines
    than published, and a judgement of an unknown query or passage.
    """
    selected = select_languages("miracl", tuple(miracl.COUNTS["train"]), languages)
    if negatives < 0:
        raise ValueError(f"negatives must be 0 or more, not {negatives}")
    source: object = [miracl.QUERIES.revision, miracl.PASSAGES.revision]
    if data_dir is not None or is_listing():
        files = [file for pair in miracl.query_files(selected, "train", data_dir) for file in pair]
        files += [file for language in selected for file in miracl.passage_files(language, data_dir)]
        source = file_signatures(files)

    def build(folder: Path) -> Sequence[str]:
        with Assembly(folder, selected) as assembly:
            for language, files in zip(selected, miracl.query_files(selected, "train", data_dir), strict=True):
                _add(assembly, language, *files, negatives, data_dir)
            assembly.finish(negatives)
        return selected

    return stored_corpus("miracl", {"languages": selected, "negatives": negatives, "source": source}, build)


def _add(assembly: Assembly, language: str, topics: Path, qrels: Path, negatives: int, data_dir: str | None) -> None:
    queries = {query.id: query for query in miracl.queries(topics)}
    judged = list(miracl.judgements(qrels))
    published = miracl.COUNTS["train"][language]
    check_count(f"{topics}: queries", len(queries), published[0], data_dir)
    check_count(f"{qrels}: judgements", len(judged), published[1], data_dir)
    pairs = _by_query(queries, judged, topics, negatives)
    texts = _texts(language, [judgement for pair in pairs.values() for part in pair for judgement in part], data_dir)
    for id_, (positives, wrong) in pairs.items():
        query, key = queries[id_], f"{language}/{id_}"
        for positive in positives:
            item = f"{key}/{positive.passage}"
            assembly.query(item, language, query.text, topics, query.place.line)
            assembly.passage(item, language, texts[positive.passage], qrels, positive.place.line, key)
            for negative in wrong:
                assembly.negative(item, language, texts[negative.passage], qrels, negative.place.line)
    unanswered = sum(not positives for positives, _ in pairs.values())
    if unanswered:
        log.info("miracl, %s: %s queries have no relevant passage", language, f"{unanswered:,}")


def _by_query(
    queries: Mapping[str, Query], judged: Sequence[Judgement], topics: Path, negatives: int
) -> dict[str, tuple[list[Judgement], list[Judgement]]]:
    """Query id -> its relevant judgements, and the first `negatives` of the others."""
    pairs: dict[str, tuple[list[Judgement], list[Judgement]]] = {id_: ([], []) for id_ in queries}
    for judgement in judged:
        if judgement.query not in pairs:
            raise ValueError(f"{judgement.place}: there is no query '{judgement.query}' in {topics}")
        positives, wrong = pairs[judgement.query]
        if judgement.relevant:
            positives.append(judgement)
        elif len(wrong) < negatives:
            wrong.append(judgement)
    return pairs


def _texts(language: str, judged: Sequence[Judgement], data_dir: str | None) -> dict[str, str]:
    """Id -> text of each judged passage, in one pass over all passages of the language."""
    places = {judgement.passage: judgement.place for judgement in judged}
    texts: dict[str, str] = {}
    files, count = miracl.passage_files(language, data_dir), 0
    with bar(f"MIRACL, passages in {language}", len(files), unit="files") as progress:
        for file in files:
            for passage in passages(file):
                count += 1
                if passage.id not in places:
                    continue
                if passage.id in texts:
                    raise ValueError(f"{passage.place}: passage id '{passage.id}' again; ids must be unique")
                texts[passage.id] = text_of(passage.text, "title and text", passage.place)
            progress.advance(1)
    check_count(f"{files[0].parent}: passages", count, miracl.PASSAGE_COUNTS[language], data_dir)
    for id_, place in places.items():
        if id_ not in texts:
            raise ValueError(f"{place}: there is no passage '{id_}' in {files[0].parent}")
    return texts
