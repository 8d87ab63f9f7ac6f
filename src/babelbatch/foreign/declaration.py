"""What the user says about files from elsewhere: `system.yaml` in their folder, or the same on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import regex

from babelbatch.evaluation.metrics import SETTINGS
from babelbatch.storage.documents import UnreadableDocument, parse_yaml_object

SYSTEM_FILE = "system.yaml"
KINDS = ("trec", "table", "mteb")
_FILES = {"trec": r".+\.run", "table": r".+\.(tsv|jsonl|json)", "mteb": r".+\.json"}
_PATTERNS = ("files", "qrels", "query", "candidate", "subset")
_TABLES = ("query_languages", "candidate_languages", "clusters")
_TEXTS = ("kind", "system", "benchmark", "setting", "query_id", "cluster_unit", *_PATTERNS, *_TABLES)
_KEYS = (*_TEXTS, "seed", "languages")
_LARGEST = 65_536  # bytes of a declaration
_LONGEST = 4_096  # characters of a value
_TIMEOUT = 1.0  # seconds for one match


@dataclass(frozen=True, slots=True)
class Source:
    """Files of one folder whose names match a pattern as a whole."""

    folder: Path
    pattern: regex.Pattern[str]

    def files(self) -> list[tuple[Path, dict[str, str]]]:
        """The files, by name, with what the pattern's named groups match."""
        if not self.folder.is_dir():
            return []
        found = [(path, match_whole(self.pattern, path.name)) for path in sorted(self.folder.iterdir())]
        return [(path, groups) for path, groups in found if groups is not None and path.is_file()]


@dataclass(frozen=True, slots=True)
class Declaration:
    """Which files are results of which system, and how their ids are read.

    place: for messages. kind: of `KINDS`. system, seed, benchmark, setting: where file names do not say them. files,
    qrels: the named groups of their patterns may be system, seed, benchmark, setting, language, candidate_language and
    subset. query, candidate: patterns of ids, with the groups id, language and candidate_language. query_id: what a
    query is called in our benchmark, `{id}` and `{language}` filled in. subset: pattern of a subset of mteb.
    query_languages, candidate_languages, clusters: files with an id, a tab and its language or cluster on each line.
    languages: their language codes -> ours.
    """

    place: str
    kind: str
    files: Source
    qrels: Source | None = None
    system: str | None = None
    seed: int | None = None
    benchmark: str | None = None
    setting: str | None = None
    query: regex.Pattern[str] | None = None
    candidate: regex.Pattern[str] | None = None
    subset: regex.Pattern[str] | None = None
    query_id: str = "{id}"
    query_languages: Path | None = None
    candidate_languages: Path | None = None
    clusters: Path | None = None
    cluster_unit: str = "cluster"
    languages: Mapping[str, str] = field(default_factory=dict)


def from_folder(folder: Path) -> Declaration:
    """The declaration in a folder's `system.yaml`. All files that it names lie in that folder.

    Raises ValueError, with every mistake, if it is no valid declaration.
    """
    path = folder / SYSTEM_FILE
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: it is larger than {_LARGEST:,} bytes; a declaration is a few lines")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: it is not UTF-8; save it as UTF-8") from None
    return _declaration(_mapping(text, str(path)), str(path), folder, inside=True)


def from_argument(text: str) -> Declaration:
    """The declaration on the command line, such as `{kind: trec, files: bm25.run, qrels: x.qrels}`, or the path of a
    folder that has one. Paths may lead anywhere."""
    if not text.lstrip().startswith("{"):
        folder = Path(text).expanduser()
        if not (folder / SYSTEM_FILE).is_file():
            raise ValueError(
                f"foreign: there is no {SYSTEM_FILE} in '{text}'; name a folder that has one, or write "
                "foreign='{kind: trec, files: bm25.run, qrels: bm25.qrels, ...}'"
            )
        return from_folder(folder)
    return _declaration(_mapping(text, "foreign"), "foreign", Path(), inside=False)


def match_whole(pattern: regex.Pattern[str], text: str) -> dict[str, str] | None:
    """What the named groups of a pattern match in a text; None if the text as a whole does not match.

    Raises ValueError for a pattern that takes longer than a second.
    """
    try:
        found = pattern.fullmatch(text, timeout=_TIMEOUT)
    except TimeoutError:
        raise ValueError(
            f"the pattern '{pattern.pattern}' takes longer than a second on {shown(text)}; write a simpler one"
        ) from None
    return None if found is None else {name: value for name, value in found.groupdict().items() if value is not None}


def shown(text: str) -> str:
    """A text from a file, short enough for a message and with control characters escaped."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _mapping(text: str, place: str) -> dict[str, object]:
    try:
        return parse_yaml_object(text)
    except UnreadableDocument as error:
        line = f", line {error.line}" if error.line else ""
        raise ValueError(
            f"{place}{line}: {error}; write a key and its value on each line, such as kind: trec"
        ) from None


def _declaration(found: Mapping[str, object], place: str, folder: Path, *, inside: bool) -> Declaration:
    """The declaration that a mapping states. inside: whether its files must lie in `folder`."""
    problems = [f"'{key}' is no key of a system; the keys are {', '.join(_KEYS)}" for key in found if key not in _KEYS]
    texts = _texts(found, problems)
    seed, languages = _seed(found, problems), _languages(found, problems)
    folders, patterns = _patterns(texts, folder, problems)
    tables = _tables(texts, folder, problems)
    if inside:
        _require_inside(folder, folders | tables, problems)
    if problems:
        raise ValueError("\n".join(f"{place}: {problem}" for problem in problems))
    return Declaration(
        place,
        texts["kind"],
        Source(folders["files"], patterns["files"]),
        Source(folders["qrels"], patterns["qrels"]) if "qrels" in patterns else None,
        texts.get("system"),
        seed,
        texts.get("benchmark"),
        texts.get("setting"),
        patterns.get("query"),
        patterns.get("candidate"),
        patterns.get("subset"),
        texts.get("query_id", "{id}"),
        tables.get("query_languages"),
        tables.get("candidate_languages"),
        tables.get("clusters"),
        texts.get("cluster_unit", "cluster"),
        languages,
    )


def _texts(found: Mapping[str, object], problems: list[str]) -> dict[str, str]:
    """The values that are texts. Mistakes are added to `problems`, here and below."""
    texts: dict[str, str] = {}
    for key in _TEXTS:
        value = found.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and key in {"system", "benchmark"}:
            value = str(value)
        if value is not None and (not isinstance(value, str) or not value.strip() or len(value) > _LONGEST):
            problems.append(f"{key}: it is no text of 1 to {_LONGEST:,} characters; write one, in quotes if needed")
        elif isinstance(value, str):
            texts[key] = value
    kind = texts.get("kind", "")
    if kind not in KINDS:
        problems.append(f"kind: '{kind}' is none of {', '.join(KINDS)}; name the format of the files")
    if texts.get("setting", SETTINGS[0]) not in SETTINGS:
        problems.append(f"setting: '{texts['setting']}' is none of {', '.join(SETTINGS)}; name the one of the files")
    if kind == "trec" and "qrels" not in texts:
        problems.append("qrels: a TREC run needs the judgements; name their file")
    return texts


def _seed(found: Mapping[str, object], problems: list[str]) -> int | None:
    seed = found.get("seed")
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0):
        return seed
    problems.append("seed: it is no whole number from 0; leave it out for a system without a seed")
    return None


def _languages(found: Mapping[str, object], problems: list[str]) -> dict[str, str]:
    languages = found.get("languages") or {}
    if isinstance(languages, dict) and all(isinstance(part, str) for pair in languages.items() for part in pair):
        return languages
    problems.append("languages: it is no mapping of texts; write their codes and ours, such as {deu: de, eng: en}")
    return {}


def _patterns(
    texts: Mapping[str, str], folder: Path, problems: list[str]
) -> tuple[dict[str, Path], dict[str, regex.Pattern[str]]]:
    """The patterns, and for those of files the folder to look in."""
    folders: dict[str, Path] = {}
    patterns: dict[str, regex.Pattern[str]] = {}
    for key in _PATTERNS:
        text = texts.get(key, _FILES.get(texts.get("kind", ""), ".+") if key == "files" else None)
        if text is None:
            continue
        if key in {"files", "qrels"}:
            above, _, text = text.rpartition("/")
            folders[key] = folder / Path(above).expanduser()
        try:
            patterns[key] = regex.compile(text)
        except (regex.error, RecursionError, OverflowError) as error:
            problems.append(f"{key}: {shown(text)} is no regular expression ({error}); mend it")
    return folders, patterns


def _tables(texts: Mapping[str, str], folder: Path, problems: list[str]) -> dict[str, Path]:
    """The files with a language or a cluster for each id."""
    paths = {key: folder / Path(texts[key]).expanduser() for key in _TABLES if key in texts}
    problems += [
        f"{key}: there is no file '{texts[key]}'; name one" for key, path in paths.items() if not path.is_file()
    ]
    return paths


def _require_inside(folder: Path, paths: Mapping[str, Path], problems: list[str]) -> None:
    root = folder.resolve()
    problems += [
        f"{key}: it leads out of the folder of {SYSTEM_FILE}; put the file there, or declare the system on the command "
        "line"
        for key, path in paths.items()
        if not path.resolve().is_relative_to(root)
    ]
