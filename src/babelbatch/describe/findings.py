"""Problems and notes: what the facts about data mean for a run, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from babelbatch.benchmarks.leakage import NEAR, REFUSED_SHARE, Overlap
from babelbatch.describe.facts import TOKENS, BenchmarkFacts, CorpusFacts, Kind, LanguageFacts
from babelbatch.describe.lengths import sample_size
from babelbatch.progress import bounded_percent, percent
from babelbatch.records import find_language

_TRUNCATED_SHARE = 0.05  # from which truncated texts are worth a note


def problems(
    corpus: CorpusFacts | None,
    overlaps: Sequence[Overlap],
    *,
    languages: Sequence[str] | None = None,
    train_on_test: bool = False,
) -> Iterator[str]:
    """What a run refuses, or would compute wrongly.

    languages: to train on; None for all. train_on_test: the run accepts evaluation queries in the corpus.
    """
    if corpus is not None:
        for language, of_language in corpus["languages"].items():
            if languages is not None and find_language(language, languages) is None:
                continue
            if not (of_language["pairs"] or _crosses(language, corpus)):
                yield (
                    f"corpus: no item pairs a text in '{language}' with one in any language, so there is no batch in "
                    "it; leave it out of the languages, or add its texts under the same ids"
                )
    for overlap in overlaps:
        if overlap.refused and not train_on_test:
            yield (
                f"{_in_corpus(overlap)}; more than {percent(REFUSED_SHARE)} is refused: remove them from the corpus, "
                "or set train_on_test=true"
            )


def notes(
    corpus: CorpusFacts | None,
    benchmarks: Sequence[BenchmarkFacts],
    overlaps: Sequence[Overlap],
    *,
    train_on_test: bool = False,
) -> Iterator[str]:
    """What a run accepts, and may be intended. train_on_test: as for `problems`."""
    if corpus is not None:
        yield from _notes_on_corpus(corpus)
    for benchmark in benchmarks:
        yield from _skipped(benchmark["name"], benchmark["skipped_rows"])
        repeated = {code: facts["repeated_queries"] for code, facts in benchmark["languages"].items()}
        if any(repeated.values()):
            yield f"{benchmark['name']}: {_counts(repeated)} queries have the text of another id"
        yield from _truncated(benchmark["name"], benchmark["languages"], ("query", "candidate"))
    for overlap in overlaps:
        if overlap.identical and (train_on_test or not overlap.refused):
            yield _in_corpus(overlap) + ("; train_on_test=true accepts that" if overlap.refused else "")
        if overlap.near:
            yield (
                f"{overlap.benchmark}: {overlap.near:,} of its queries have a near duplicate in the corpus (Jaccard "
                f"similarity of character trigrams at least {NEAR})"
            )


def _in_corpus(overlap: Overlap) -> str:
    return (
        f"{overlap.benchmark}: {overlap.identical:,} of its {overlap.queries:,} queries are in the corpus, apart from "
        "case, punctuation and spaces"
    )


def _skipped(name: str, count: int) -> Iterator[str]:
    if count:
        rows = "row is" if count == 1 else "rows are"
        yield f"{name}: {count:,} {rows} left out, because of on_bad_row=skip"


def _notes_on_corpus(corpus: CorpusFacts) -> Iterator[str]:
    yield from _skipped("corpus", corpus["skipped_rows"])
    if not corpus["crosslingual_items"]:
        yield "corpus: no item is in two languages; set sampling=x_x, or another that has no X-Y batches"
    languages = corpus["languages"]
    crossed = [code for code, facts in languages.items() if not facts["pairs"] and _crosses(code, corpus)]
    if crossed:
        yield (
            f"corpus: no item has both query and passage in {', '.join(crossed)}: X-Y batches only; set "
            "sampling=x_y, make it a part of a mixture, or for X-X batches leave them out of the languages"
        )
    repeated = {code: facts["repeated_pairs"] for code, facts in languages.items()}
    if any(repeated.values()):
        yield f"corpus: {_counts(repeated)} items repeat query and passage of another"
    ambiguous = {code: facts["ambiguous_queries"] for code, facts in languages.items()}
    if any(ambiguous.values()):
        yield (
            f"corpus: {_counts(ambiguous)} items have the query of another item and a passage with another key: in one "
            "batch each is a false negative of the other; give these passages one passage_id"
        )
    yield from _truncated("corpus", languages, ("query", "passage"))


def _crosses(language: str, corpus: CorpusFacts) -> bool:
    """Whether an item has its query in the language and a passage in another, or the reverse."""
    cells, others = corpus["cells"], [other for other in corpus["languages"] if other != language]
    return any(cells[f"{language}-{other}"] or cells[f"{other}-{language}"] for other in others)


def _truncated(name: str, languages: Mapping[str, LanguageFacts], kinds: tuple[Kind, ...]) -> Iterator[str]:
    for kind in kinds:
        counted = {language: facts.get(TOKENS[kind]) for language, facts in languages.items()}
        shares = {
            language: lengths["cut"]
            for language, lengths in counted.items()
            if lengths is not None and lengths["cut"] > _TRUNCATED_SHARE
        }
        if shares:
            where = ", ".join(f"{bounded_percent(share)} in {language}" for language, share in shares.items())
            size = sample_size(counted.values())
            sample = "" if size is None else f"in a sample of {size:,} texts a language "
            key = "query_length" if kind == "query" else "passage_length"
            plural = {"query": "queries", "passage": "passages", "candidate": "candidates"}[kind]
            yield f"{name}: {sample}the encoder truncates {plural}: {where}; raise encoder.{key}"


def _counts(by_language: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} ({language})" for language, count in by_language.items() if count)
