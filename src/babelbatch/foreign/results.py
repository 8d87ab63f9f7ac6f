"""From a declaration to systems: per-query scores in the columns of a run's, or aggregate numbers alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from babelbatch.evaluation.metrics import NAMES, SETTINGS
from babelbatch.foreign.declaration import Declaration, match_whole, shown
from babelbatch.foreign.lines import pairs
from babelbatch.foreign.mteb import PREDICTIONS, read_aggregates, read_predictions
from babelbatch.foreign.names import Names, Query, names_of
from babelbatch.foreign.ranked_lists import Coverage, Judgement, RankedFile, score_files
from babelbatch.foreign.score_tables import RELEVANT, our_measure, read_scores
from babelbatch.foreign.trec import Lists, read_qrels, read_run
from babelbatch.records import problem_of_name

log = logging.getLogger(__name__)

_LANGUAGES = ("language", "candidate_language")
_COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("setting", "query_id", "query_language", "candidate_language")),
        ("relevant", pa.int32()),
        *((name, pa.float64()) for name in NAMES),
    ]
)


@dataclass(frozen=True, slots=True)
class System:
    """Per-query scores of one system on one benchmark, from one training.

    source: the folder of its files. seed: None for a system without one. per_query: columns of a run's
    per_query.parquet, without benchmark and clusters; `relevant` is null where nothing says it. shares: the keys
    `top10_share` of metrics.json. judged: whether the rows are all judged queries, as of ranked lists; a table of
    scores may lack some. coverage: setting -> what ranked lists lack. unused: measures of a table that we do not have.
    clusters: query id -> cluster, if the user gives them; cluster_unit: what they are.
    """

    name: str
    seed: int | None
    benchmark: str
    source: Path
    per_query: pa.Table
    judged: bool
    shares: Mapping[str, float] = field(default_factory=dict)
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    clusters: Mapping[str, str] | None = None
    cluster_unit: str = "cluster"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Numbers of a system without scores by query, which nothing can be tested with.

    values: metric -> cell ("de", or "de-en" in the crosslingual setting) -> score.
    """

    name: str
    benchmark: str
    source: Path
    setting: str
    values: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose results a file has."""

    name: str
    seed: int | None
    benchmark: str


def read_systems(declaration: Declaration) -> list[System | Aggregate]:
    """The systems that a declaration describes, one for each name, seed and benchmark.

    Raises ValueError, with file and line, for what is malformed, contradicts itself, or is not said.
    """
    files = declaration.files.files()
    if not files:
        raise ValueError(
            f"{declaration.place}: files: no file in {declaration.files.folder} is called "
            f"'{declaration.files.pattern.pattern}'; mend the pattern"
        )
    names = names_of(declaration)
    if declaration.kind == "table":
        return list(_tables(declaration, names, files))
    if declaration.kind == "mteb":
        predictions = [(path, groups) for path, groups in files if path.name.endswith(PREDICTIONS)]
        if not predictions or declaration.qrels is None:
            results = [each for each in files if not each[0].name.endswith((PREDICTIONS, "model_meta.json"))]
            return list(_aggregates(declaration, names, results))
        files = predictions
    return list(_ranked(declaration, names, files))


def _ranked(
    declaration: Declaration, names: Names, files: Sequence[tuple[Path, dict[str, str]]]
) -> Iterator[System | Aggregate]:
    """The systems of TREC runs, or of the predictions of mteb."""
    found: dict[_Owner, list[RankedFile]] = {}
    for path, groups in files:
        if declaration.kind == "trec":
            lists = read_run(path)
            model, subsets = lists.tag, {"": lists}
        else:
            predictions = read_predictions(path)
            model, subsets = predictions.model, dict(predictions.lists)
        owner, setting = _owner(declaration, path, groups, model), _setting(declaration, path, groups)
        for subset, of_subset in subsets.items():
            queries = _queries(names, of_subset, _context(declaration, groups, subset, path), path)
            found.setdefault(owner, []).append(RankedFile(str(path), setting, of_subset, queries))
    judgements = _judgements(declaration, names)
    clusters = None if declaration.clusters is None else pairs(declaration.clusters, "cluster")
    for owner, of_owner in found.items():
        chosen = [each for benchmark, each in judgements if benchmark in {None, owner.benchmark}]
        if not chosen:
            raise ValueError(f"{declaration.place}: qrels: no file is for the benchmark {owner.benchmark}; add one")
        result, coverage = score_files(owner.benchmark, of_owner, chosen, names)
        share = f"{owner.benchmark}/multilingual/top10_share/"
        yield System(
            owner.name,
            owner.seed,
            owner.benchmark,
            declaration.files.folder,
            result.per_query.drop_columns(["benchmark", "cluster"]),
            judged=True,
            shares={key: value for key, value in result.metrics.items() if key.startswith(share)},
            coverage=coverage,
            clusters=clusters,
            cluster_unit=declaration.cluster_unit,
        )


def _judgements(declaration: Declaration, names: Names) -> list[tuple[str | None, Judgement]]:
    """The judgements of all qrels, each with the benchmark that it is for; None if its file does not say."""
    assert declaration.qrels is not None, "ranked lists have judgements"
    files = declaration.qrels.files()
    if not files:
        raise ValueError(
            f"{declaration.place}: qrels: no file in {declaration.qrels.folder} is called "
            f"'{declaration.qrels.pattern.pattern}'; mend the pattern"
        )
    found: list[tuple[str | None, Judgement]] = []
    for path, groups in files:
        context = _context(declaration, groups, groups.get("subset", ""), path)
        setting = groups.get("setting", declaration.setting)
        for raw, gains in read_qrels(path).items():
            query = names.query(raw, context, str(path))
            found += [
                (groups.get("benchmark"), Judgement(query, candidate, gain, setting, str(path)))
                for candidate, gain in gains.items()
            ]
    return found


def _tables(
    declaration: Declaration, names: Names, files: Sequence[tuple[Path, dict[str, str]]]
) -> Iterator[System | Aggregate]:
    """The systems of tables of scores."""
    rows: dict[_Owner, dict[tuple[str, Query], dict[str, object]]] = {}
    unused: dict[_Owner, set[str]] = {}
    for path, groups in files:
        owner, setting = _owner(declaration, path, groups, None), _setting(declaration, path, groups)
        context = _context(declaration, groups, groups.get("subset", ""), path)
        of_owner = rows.setdefault(owner, {})
        for raw, scores in read_scores(path).items():
            query = names.query(raw, context, str(path))
            if setting == "crosslingual" and query.candidate_language is None:
                raise ValueError(
                    f"{path}: nothing says the language of the candidates that query {shown(raw)} is ranked with; "
                    "write a group (?P<candidate_language>...) into query: or files:"
                )
            candidate = {"monolingual": query.language, "multilingual": None}.get(setting, query.candidate_language)
            row = of_owner.setdefault(
                (setting, query._replace(candidate_language=candidate)),
                {
                    "setting": setting, "query_id": query.id, "query_language": query.language,
                    "candidate_language": candidate,
                },
            )  # fmt: skip
            for name, value in scores.items():
                ours = "relevant" if name in RELEVANT else our_measure(name)
                if ours is None:
                    unused.setdefault(owner, set()).add(name)
                elif row.setdefault(ours, round(value) if ours == "relevant" else value) != value:
                    raise ValueError(f"{path}: query {shown(raw)} has another {name} in another file; keep one")
    clusters = None if declaration.clusters is None else pairs(declaration.clusters, "cluster")
    for owner, of_owner in rows.items():
        yield System(
            owner.name,
            owner.seed,
            owner.benchmark,
            declaration.files.folder,
            pa.Table.from_pylist(_complete(list(of_owner.values()), declaration.place), schema=_COLUMNS),
            judged=False,
            unused=tuple(sorted(unused.get(owner, ()))),
            clusters=clusters,
            cluster_unit=declaration.cluster_unit,
        )


def _complete(rows: list[dict[str, object]], place: str) -> list[dict[str, object]]:
    """Checks that all queries of a setting have the same measures. Raises ValueError otherwise."""
    for setting in SETTINGS:
        of_setting = [row for row in rows if row["setting"] == setting]
        names = {name for row in of_setting for name in row if name in NAMES}
        for row in of_setting:
            for name in sorted(names - row.keys()):
                raise ValueError(
                    f"{place}: query '{row['query_id']}' in '{row['query_language']}' has no {name}, which others have "
                    f"in the {setting} setting; give each query every measure"
                )
    if not any(name in NAMES for row in rows for name in row):
        raise ValueError(f"{place}: the tables have none of our measures; write AP, nDCG@10, R@100 or RR@100")
    return rows


def _aggregates(
    declaration: Declaration, names: Names, files: Sequence[tuple[Path, dict[str, str]]]
) -> Iterator[System | Aggregate]:
    """Aggregate scores of mteb, a cell a subset. Subsets of another setting are left out.

    Raises ValueError if no subset is of the setting, and for two subsets of one cell.
    """
    for path, groups in files:
        setting = groups.get("setting", declaration.setting or "monolingual")
        owner = _owner(declaration, path, groups, None)
        values: dict[str, dict[str, float]] = {}
        subset_of: dict[str, str] = {}  # cell -> subset
        others: list[str] = []
        for subset, scores in read_aggregates(path).items():
            context = _context(declaration, groups, subset, path)
            languages = [context[name] for name in _LANGUAGES if name in context] or [subset]
            languages = [declaration.languages.get(language, language) for language in languages]
            crosses = len(set(languages)) > 1
            if len(languages) > 1 and setting != "multilingual" and crosses != (setting == "crosslingual"):
                others.append(subset)
                continue
            cell = "-".join(languages if setting == "crosslingual" else languages[:1])
            if (first := subset_of.setdefault(cell, subset)) != subset:
                raise ValueError(
                    f"{path}: the subsets {shown(first)} and {shown(subset)} are both '{cell}' in the {setting} "
                    "setting; write a group (?P<candidate_language>...) into subset:, or keep one of them"
                )
            for metric, value in scores.items():
                values.setdefault(metric, {})[cell] = value
        if others:
            said = f"{path}: {len(others):,} subsets are not of the {setting} setting, such as {shown(others[0])}"
            if not values:
                raise ValueError(f"{said}, and no other is; mend setting:, or subset:")
            log.info("%s; they are left out", said)
        yield Aggregate(owner.name, owner.benchmark, declaration.files.folder, setting, values)


def _owner(declaration: Declaration, path: Path, groups: Mapping[str, str], model: str | None) -> _Owner:
    """Whose results a file has: as its name says, else the declaration, else the file itself, else its folder."""
    folder = declaration.files.folder.resolve().name
    name = groups.get("system") or declaration.system or model or folder
    benchmark = groups.get("benchmark") or declaration.benchmark
    if benchmark is None:
        raise ValueError(
            f"{declaration.place}: nothing says the benchmark of {path.name}; write benchmark:, or a group "
            "(?P<benchmark>...) into files:"
        )
    if (problem := problem_of_name(benchmark)) is not None:
        raise ValueError(f"{declaration.place}: the benchmark {shown(benchmark)} {problem}; name it as in our runs")
    seed = groups.get("seed")
    if seed is None:
        return _Owner(name, declaration.seed, benchmark)
    if not (seed.isascii() and seed.isdecimal() and len(seed) < 10):
        raise ValueError(f"{declaration.place}: the seed {shown(seed)} of {path.name} is no number; mend files:")
    return _Owner(name, int(seed), benchmark)


def _setting(declaration: Declaration, path: Path, groups: Mapping[str, str]) -> str:
    setting = groups.get("setting") or declaration.setting
    if setting is None and declaration.kind == "mteb":
        return "monolingual"
    if setting not in SETTINGS:
        raise ValueError(
            f"{declaration.place}: nothing says the setting of {path.name}; write setting: with one of "
            f"{', '.join(SETTINGS)} (the pool of all languages), or a group (?P<setting>...) into files:"
        )
    return setting


def _context(declaration: Declaration, groups: Mapping[str, str], subset: str, path: Path) -> dict[str, str]:
    """The languages that the name of a file, and of a subset in it, say."""
    found = {name: groups[name] for name in _LANGUAGES if name in groups}
    if declaration.subset is None or not subset:
        return found
    of_subset = match_whole(declaration.subset, subset)
    if of_subset is None:
        raise ValueError(
            f"{path}: the subset {shown(subset)} does not match subset: '{declaration.subset.pattern}'; mend "
            "the pattern"
        )
    return found | {name: of_subset[name] for name in _LANGUAGES if name in of_subset}


def _queries(names: Names, lists: Lists, context: Mapping[str, str], path: Path) -> dict[Query, str]:
    queries: dict[Query, str] = {}
    for raw in lists.rows:
        query = names.query(raw, context, str(path))
        if queries.setdefault(query, raw) != raw:
            raise ValueError(
                f"{path}: {shown(raw)} and {shown(queries[query])} are the same query by the patterns; mend query:"
            )
    return queries
