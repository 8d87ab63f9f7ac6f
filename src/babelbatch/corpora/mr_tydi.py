"""Mr. TyDi's training queries as a corpus: eleven languages without parallel data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources import mr_tydi
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.sources.lines import text_of
from babelbatch.sources.listing import is_listing
from babelbatch.sources.wikipedia import Passage
from babelbatch.storage import file_signatures


def load_corpus(languages: list[str] | None = None, negatives: int = 0, data_dir: str | None = None) -> Corpus:
    """One item per query and relevant passage. Queries of different languages are unrelated: there are X-X pairs only.

    All relevant passages of a query share a passage key, and so do those with equal texts.

    languages: some of the eleven; default all.
    negatives: hard negatives per query: the first so many of those published, which are from the 30 passages that BM25
        ranks first.
    data_dir: a folder with the files of the hub's data set, at the same paths; None fetches them, 1.1 GB in all.
    Raises ValueError for an unknown language, a missing or damaged file, and a fetched file with another number of
    queries than published.
    """
    selected = select_languages("mr_tydi", tuple(mr_tydi.NAMES), languages)
    if negatives < 0:
        raise ValueError(f"negatives must be 0 or more, not {negatives}")
    source: object = mr_tydi.QUERIES.revision
    if data_dir is not None or is_listing():
        source = file_signatures(mr_tydi.query_files(selected, "train", data_dir))

    def build(folder: Path) -> Sequence[str]:
        with Assembly(folder, selected) as assembly:
            for language, path in zip(selected, mr_tydi.query_files(selected, "train", data_dir), strict=True):
                count = _add(assembly, language, path, negatives)
                check_count(f"{path}: queries", count, mr_tydi.COUNTS[language][0], data_dir)
            assembly.finish(negatives)
        return selected

    return stored_corpus("mr_tydi", {"languages": selected, "negatives": negatives, "source": source}, build)


def _add(assembly: Assembly, language: str, path: Path, negatives: int) -> int:
    """Adds the queries of a language and returns their number."""
    count = 0
    for query in mr_tydi.queries(path):
        count += 1
        key = f"{language}/{query.id}"
        for positive in query.positives:
            item, line = f"{key}/{positive.id}", query.place.line
            assembly.query(item, language, query.text, path, line)
            assembly.passage(item, language, _text(positive), path, line, key)
            for negative in query.negatives[:negatives]:
                assembly.negative(item, language, _text(negative), path, line)
    return count


def _text(passage: Passage) -> str:
    return text_of(passage.text, f"the text of passage '{passage.id}'", passage.place)
