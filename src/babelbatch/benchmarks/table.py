"""Your own queries, candidates and judgements: in the layouts of BEIR, TREC or mteb, of one language or of many."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.judged_files import Part, Readers, add
from babelbatch.benchmarks.pairs import pairs_benchmark
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.records import Benchmark, LanguageCodes, find_language
from babelbatch.sources import beir, trec
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.hub import Published, fetch_files
from babelbatch.sources.languages import chosen_languages
from babelbatch.sources.lines import suffix
from babelbatch.sources.mteb import Files, of_split
from babelbatch.sources.records import is_table
from babelbatch.storage import file_signatures

Layout = Literal["beir", "trec", "mteb", "pairs"]

PATTERNS: dict[Layout, dict[str, tuple[str, ...]]] = {
    "beir": {
        "queries": ("queries.*", "{language}/queries.*"),
        "candidates": ("corpus.*", "{language}/corpus.*"),
        "qrels": ("qrels/{split}.*", "{language}/qrels/{split}.*"),
    },
    "trec": {
        "queries": ("queries*", "topics*", "{language}/queries*", "{language}/topics*"),
        "candidates": ("collection*", "{language}/collection*"),
        "qrels": ("qrels*", "{language}/qrels*"),
    },
    "mteb": {
        "queries": ("queries/*.parquet", "{language}-queries/*.parquet"),
        "candidates": ("corpus/*.parquet", "{language}-corpus/*.parquet"),
        "qrels": ("qrels/*.parquet", "default/*.parquet", "{language}-qrels/*.parquet"),
    },
}
"""Patterns of the files of each role; the first with a match is used."""


def load_benchmark(
    path: str | None = None,
    hub: str | None = None,
    revision: str = "main",
    layout: Layout = "beir",
    split: str = "test",
    queries: str | None = None,
    candidates: str | None = None,
    qrels: str | None = None,
    columns: dict[str, str] | None = None,
    language: str | None = None,
    languages: list[str] | None = None,
    ids_join_languages: bool = True,
    pooled: bool = True,
    on_bad_row: OnBadRow = "error",
    exclude_same_id: bool = False,
    metric: Literal["map", "map@20", "mrr@100", "ndcg@10", "ndcg@20"] = "ndcg@10",
) -> Benchmark:
    """Candidates judged above 0 are relevant; the judgement is their gain for nDCG. Queries without a relevant
    candidate are skipped. Candidates are read one at a time into the cache folder, once, so there may be more than fit
    in memory.

    path: a folder; with `pairs` a file or a folder of tables. hub: instead, a data set of the hub with such files.
    revision: of the data set of the hub.
    layout: `beir`: files with named columns (JSONL, CSV, TSV with a head line, Parquet; gzipped if need be): `queries`
            (`_id`, `text`), `corpus` (`_id`, `text`, perhaps `title`) and `qrels/<split>` (`query-id`, `corpus-id`,
            `score`); queries and corpus may have a column `language`, queries a column `cluster`: queries with
            one value are about one document or subject, and statistics resample them together.
        `trec`: `queries` or `topics` of lines `id<tab>text`, `collection` of `id<tab>text` or
            `id<tab>title<tab>text`, `qrels` of `query 0 candidate score`. The first two may be JSONL, as above.
        `mteb`: Parquet files with the columns of `beir` in folders `queries`, `corpus` and `qrels`.
        `pairs`: a table of questions and the passages that answer them, as `corpus=table` reads: a row has `question`,
            `passage`, `language` and `id`, the same for translations. The passages are the candidates, and so are those
            of a second table, `candidates`. A question's own passage is relevant, in every language.
        The first three also in a folder for each language, `<language>/queries.jsonl`; of mteb `<language>-queries`.
    split: of the judgements, for `beir` and `mteb`, and for `trec` if a pattern below contains `{split}`.
    queries, candidates, qrels: other places of the files, below path: patterns with `*`, `{language}` and `{split}`.
    columns: other names of columns: `{query: question}`; for query_id, query, candidate_id, title, candidate, language,
        cluster, judged_query, judged_candidate and score. The report calls a cluster by the name of its column:
        `{cluster: article}`.
    language: of rows whose language neither a folder nor a column gives. A folder takes precedence over a column, and a
        column over this.
    languages: only these, in this order; default all. They also form the pool of the multilingual setting. Codes are
        read in any spelling, see `records.canonical_language`.
    ids_join_languages: whether a query id in two languages is one query, with the relevant candidates of both. False
        where each language has its own ids and its own judgements.
    pooled: whether to rank over the candidates of all languages too. False where candidates of other languages than the
        query's are unjudged.
    on_bad_row: `error` refuses the data with a list of the rows that cannot be used: a missing value, an empty text, a
        repeated id, a judgement of an unknown query or candidate, a line that is no JSON. `skip` leaves them out, and
        lists them in the log and in metrics.json. A relevant candidate that is missing stays in the divisors of recall,
        AP and nDCG, as in trec_eval: in the pool, and within the query's language unless it was judged in the folder of
        another one. A query with none but such is skipped.
    exclude_same_id: whether a candidate with the id of a query is left out of the ranking of that query, as in ArguAna,
        whose queries are candidates. Where ids and texts agree, a warning suggests it. Not for `pairs`.
    metric: the primary one, which tables and the report show first.

    Raises ValueError, with file and line, for a file that cannot be read, and for the rows of `on_bad_row`.
    """
    if (path is None) == (hub is None):
        raise ValueError("benchmarks=table: set either path, to a folder, or hub, to a data set of the hub")
    codes = LanguageCodes("benchmark table")
    chosen = chosen_languages(languages)
    if layout == "pairs":
        if path is None:
            raise ValueError("layout=pairs: set path to a table of pairs; hub has none of them")
        return pairs_benchmark(path, candidates, columns, language, chosen, pooled, metric, BadRows(on_bad_row))
    bad = BadRows(on_bad_row)
    read = _readers(layout, beir.check_columns(columns), bad)
    given = {"queries": queries, "candidates": candidates, "qrels": qrels}
    patterns = {role: (pattern,) if (pattern := given[role]) else PATTERNS[layout][role] for role in given}
    patterns = {role: tuple(each.replace("{split}", split) for each in these) for role, these in patterns.items()}

    def found(languages: list[str] | None) -> tuple[Path, dict[str, dict[str | None, tuple[Path, ...]]]]:
        if hub is None:
            root = Path(str(path))
        else:
            globs = [glob for these in patterns.values() for each in these for glob in _globs(each, languages)]
            root = fetch_files(Published(hub, revision, "see its page"), globs)
        return root, {role: _found(root, role, these, layout, split) for role, these in patterns.items()}

    root, files = found(languages)
    if hub is not None and languages is not None and None in files["qrels"]:
        root, files = found(None)  # judgements of all languages name candidates of the others too
    parts = _parts(files, language, languages, ids_join_languages)

    def build(folder: Path) -> list[str]:
        with PoolAssembly(folder, bad, exclude_same_id) as assembly:
            for part in parts:
                add(assembly, part, read, codes, bad)
            bad.refuse()
            codes.report()
            return assembly.finish(chosen)

    inputs = {
        "layout": layout, "columns": columns, "languages": languages, "clusters": "column", "missing": "by language",
        "on_bad_row": on_bad_row, "exclude_same_id": exclude_same_id,
        "parts": [
            [
                each.language,
                each.default_language,
                each.query_prefix,
                each.candidate_prefix,
                file_signatures(each.files.all()),
            ]
            for each in parts
        ],
    }  # fmt: skip
    of = f"{hub} @ {revision}" if hub else root.resolve().name
    of_split_ = "" if layout == "trec" and "{split}" not in (qrels or "") else f", {split}"
    protocol = f"{layout} files of {of}{of_split_}: relevant = judged above 0, gain = judgement"
    if exclude_same_id:
        protocol += ", a candidate with the query's id is not ranked"
    return stored_benchmark("table", inputs, build, protocol, metric, pooled, (columns or {}).get("cluster", "cluster"))


def _readers(layout: Layout, columns: beir.Columns, bad: BadRows) -> Readers:
    named = Readers(
        partial(beir.queries, columns=columns, bad=bad),
        partial(beir.candidates, columns=columns, bad=bad),
        partial(beir.judgements, columns=columns, bad=bad),
    )
    if layout != "trec":
        return named

    Reader = Callable[[Path], Iterator[beir.Text]]

    def either(of_trec: Reader, of_names: Reader) -> Reader:
        return lambda path: (of_names if suffix(path) == ".jsonl" else of_trec)(path)

    return Readers(
        either(partial(trec.queries, bad=bad), named.queries),
        either(partial(trec.candidates, bad=bad), named.candidates),
        partial(trec.judgements, bad=bad),
    )


def _globs(pattern: str, languages: list[str] | None) -> list[str]:
    return [pattern.replace("{language}", language) for language in languages or ["*"]]


def _found(
    root: Path, role: str, patterns: Sequence[str], layout: Layout, split: str
) -> dict[str | None, tuple[Path, ...]]:
    """Language in the path, or None -> the files of a role."""
    if not root.is_dir():
        raise ValueError(f"path: there is no folder {root}")
    for pattern in patterns:
        by_language: dict[str | None, list[Path]] = {}
        named = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\{language\}", "(?P<language>[^/]+)")
        for path in sorted(root.glob(pattern.replace("{language}", "*"))):
            match = re.fullmatch(named, path.relative_to(root).as_posix())
            if match and path.is_file() and (layout == "trec" or is_table(path)):
                by_language.setdefault(match.groupdict().get("language"), []).append(path)
        if by_language:
            if layout == "trec" and role == "qrels":
                _refuse_several(root, by_language)
            choose = partial(of_split, split=split) if layout == "mteb" else list
            return {language: tuple(choose(paths)) for language, paths in by_language.items()}
    raise ValueError(
        f"{root}: no {role}; looked for {', '.join(patterns)}; put the files there, or name them in {role}="
    )


def _refuse_several(root: Path, by_language: Mapping[str | None, Sequence[Path]]) -> None:
    """Raises ValueError for two files of judgements in one place, such as those of two splits."""
    for paths in by_language.values():
        if len(paths) > 1:
            names = [path.relative_to(root).as_posix() for path in paths]
            raise ValueError(f"{root}: several files of judgements: {', '.join(names)}; name one in qrels={names[0]}")


def _parts(
    files: Mapping[str, Mapping[str | None, tuple[Path, ...]]],
    language: str | None,
    languages: list[str] | None,
    ids_join_languages: bool,
) -> list[Part]:
    """Files that belong together: those of each language, and those of all."""
    with_language = {role for role, found in files.items() if None not in found}
    if not (ids_join_languages or {"queries", "qrels"} <= with_language):
        raise ValueError(
            "ids_join_languages=false: queries and qrels must have files of their own for each language, as each "
            "language has its own ids"
        )
    parts = []
    for code in dict.fromkeys(code for found in files.values() for code in found):
        if (
            code is not None
            and languages is not None
            and find_language(code, languages) is None
            and "qrels" in with_language
        ):
            continue  # otherwise judgements name candidates of the other languages too
        of_code = Files(*(files[role].get(code, ()) for role in ("queries", "candidates", "qrels")))
        prefix = f"{code}:" if code is not None else ""
        in_both = {
            "candidates",
            "qrels",
        } <= with_language  # otherwise the language of a candidate is unknown
        prefixes = "" if ids_join_languages else prefix, prefix if in_both else ""
        parts.append(Part(of_code, code, *prefixes, default_language=language))
    return parts
