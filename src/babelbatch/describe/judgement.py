"""What is wrong with data, and what one should know of it: from the facts, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from babelbatch.benchmarks.leakage import NEAR, REFUSED_SHARE, Overlap
from babelbatch.describe.facts import Facts

_WORTH_TELLING = 0.05  # the share of texts that are cut


def problems(corpus: Facts | None, benchmarks: Sequence[Facts], overlaps: Sequence[Overlap]) -> Iterator[str]:
    """What a run would refuse, or should have."""
    for whole in filter(None, (corpus, *benchmarks)):
        yield from _twins(whole)
    if corpus is not None:
        for language, found in corpus["languages"].items():
            if not (found["pairs"] or _crosses(language, corpus)):
                yield (
                    f"corpus: no item has a question or passage in '{language}' and the other of the two in any "
                    "language: there is no batch in it; leave it out of the languages, or add its texts under the same "
                    "ids"
                )
    for found in overlaps:
        if found.refused:
            yield (
                f"{found.benchmark}: {found.identical:,} of its {found.queries:,} questions are in the corpus; more "
                f"than {REFUSED_SHARE:.0%} is refused: remove them from the corpus, or set train_on_test=true"
            )


def notes(corpus: Facts | None, benchmarks: Sequence[Facts], overlaps: Sequence[Overlap]) -> Iterator[str]:
    """What a run accepts, and may be meant."""
    if corpus is not None:
        if not corpus["crosslingual_items"]:
            yield "corpus: no item is in two languages: only sampling=x_x, or another that crosses none"
        languages = corpus["languages"]
        crossed = [name for name, found in languages.items() if not found["pairs"] and _crosses(name, corpus)]
        if crossed:
            yield (
                f"corpus: no item has both question and passage in {', '.join(crossed)}: X-Y batches only; set "
                "sampling=x_y, make it a part of a mixture, or for X-X batches leave them out of the languages"
            )
        for name, told in (
            ("repeated_pairs", "items repeat question and passage of another"),
            ("ambiguous_queries", "items ask what another item asks and answer it with a passage of another key: in "
             "one batch each counts as a wrong answer to the other; give these passages one passage_id"),
        ):  # fmt: skip
            where = {language: found[name] for language, found in languages.items() if found[name]}
            if where:
                yield f"corpus: {_counted(where)} {told}"
        yield from _cut("corpus", languages, ("query", "passage"))
    for benchmark in benchmarks:
        where = {
            language: found["repeated_queries"]
            for language, found in benchmark["languages"].items()
            if found["repeated_queries"]
        }
        if where:
            yield f"{benchmark['name']}: {_counted(where)} queries have the text of another id"
        yield from _cut(str(benchmark["name"]), benchmark["languages"], ("query", "candidate"))
    for found in overlaps:
        if found.identical and not found.refused:
            yield f"{found.benchmark}: {found.identical:,} of its {found.queries:,} questions are in the corpus"
        if found.near:
            yield (
                f"{found.benchmark}: {found.near:,} of its questions are nearly in the corpus (Jaccard similarity of "
                f"three characters in a row at least {NEAR})"
            )


def _crosses(language: str, corpus: Facts) -> bool:
    """Whether an item has its question in the language and a passage in another, or the reverse."""
    cells, others = corpus["cells"], [other for other in corpus["languages"] if other != language]
    return any(cells[f"{language}-{other}"] or cells[f"{other}-{language}"] for other in others)


def _twins(whole: Facts) -> Iterator[str]:
    """Languages that are probably one."""
    plain: dict[str, str] = {}
    for language in whole["languages"]:
        one = plain.setdefault(language.lower().replace("_", "-"), language)
        if one != language:
            yield f"{whole['name']}: the languages '{one}' and '{language}' differ in spelling only; give them one name"


def _cut(name: str, languages: dict, roles: tuple[str, str]) -> Iterator[str]:
    for role in roles:
        where = {
            language: found[f"{role}_tokens"]["cut"]
            for language, found in languages.items()
            if (found.get(f"{role}_tokens") or {}).get("cut", 0) > _WORTH_TELLING
        }
        if where:
            told = ", ".join(f"{share:.0%} in {language}" for language, share in where.items())
            roles_length = "query_length" if role in {"query"} else "passage_length"
            yield f"{name}: the encoder cuts off the end of many a {role}: {told}; raise encoder.{roles_length}"


def _counted(where: dict[str, int]) -> str:
    return ", ".join(f"{count:,} ({language})" for language, count in where.items())
