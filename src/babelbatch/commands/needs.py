"""What a run needs from elsewhere: data sets, models and teachers, listed before anything is fetched or loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hydra.utils import get_method
from omegaconf import MISSING

from babelbatch.configuration.key_paths import with_full_paths
from babelbatch.configuration.signatures import parameters
from babelbatch.report.licences import UNKNOWN, data_sources
from babelbatch.sources.download import answers, is_offline
from babelbatch.sources.hub import HubFiles, hub_server
from babelbatch.sources.listing import Request, listing
from babelbatch.sources.models import ADAPTER_FILE, base_of_adapter, cached_model, model_licence
from babelbatch.storage import cache_folder
from babelbatch.storage.documents import UnreadableDocument, read_json_object

if TYPE_CHECKING:
    from babelbatch.sources.tables import HubTable

_HUB = "https://huggingface.co"
_LOCAL = ("path", "data_dir", "dictionaries")  # settings of loaders whose files the user has
_STORED = ("miracl", "mmarco", "mr_tydi")  # corpora that are read from the cache without their published files


@dataclass(frozen=True, slots=True)
class Size:
    """of_whole: whether these are the bytes of a whole data set, of which a part is fetched: how many at most."""

    bytes: int
    of_whole: bool = False


@dataclass(slots=True)
class Need:
    """Files that a setting needs.

    path: of the setting. name: of the data set or model. requests: what a loader asks for; none for a model, whose
    name on the hub is `model`. adapter: the folder that the setting names, with an adapter of that model.
    A loader that is not of babelbatch has neither: `name` is its target, and what it fetches is unknown.
    """

    path: str
    name: str
    licence: str
    model: str | None = None
    requests: list[Request] = field(default_factory=list)
    adapter: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether nobody but the loader itself knows what it fetches."""
        return self.model is None and not self.requests

    @property
    def is_streamed(self) -> bool:
        """Whether it is rows of the hub, which babelbatch-fetch cannot fetch."""
        return self.rows is not None

    @property
    def rows(self) -> HubTable | None:
        """The rows of the hub that it is, if it is any."""
        if not self.requests:
            return None
        from babelbatch.sources.tables import HubTable  # numpy, for which help and errors need not wait

        return next((request for request in self.requests if isinstance(request, HubTable)), None)

    @property
    def places(self) -> list[str]:
        """Where they are published: URLs, a folder instead of several files in it."""
        if self.model is not None:
            return [f"{_HUB}/{self.model}"]
        return list(dict.fromkeys(request.place for request in self.requests))

    @property
    def is_listed_in_full(self) -> bool:
        """Whether the names of all files are known without asking the hub, so that `cached` cannot miss one."""
        patterns = [each for one in self.requests if isinstance(one, HubFiles) for each in one.patterns]
        return self.model is None and not any("*" in each for each in patterns)

    def cached(self) -> list[Path] | None:
        """The files in the cache; None if some are known to be missing, or if it is unknown which they are. Rows of the
        hub have none, and a corpus that was made of them is in the cache, or not."""
        if self.rows is not None:
            return [] if _are_read(self.rows) else None
        if self.model is not None:
            return cached_model(self.model)
        if self.is_unknown:
            return None
        found = [request.cached() for request in self.requests]
        return None if any(each is None for each in found) else [file for each in found for file in each or ()]

    def expected(self) -> dict[str, Size | None]:
        """The published size of what is at each place; None where it is not known without a connection."""
        if self.model is not None:
            size = _sizes("bytes").get(self.model)
            return {self.model: None if size is None else Size(size)}
        return {place: _expected(place) for place in self.places}


def needs_of(configurations: Iterable[Mapping[str, Any]]) -> tuple[list[Need], list[str]]:
    """What the resolved configurations need, each once, in the order of their settings; and the problems that loaders
    find in their own settings, such as a language that a data set lacks.

    Only loaders of babelbatch are asked; what another one fetches is unknown, and it is listed as such.
    """
    needs: dict[str, Need] = {}
    problems: dict[str, None] = {}
    for cfg in configurations:
        for path, node in _loaders(cfg):
            if _is_own(node):
                _add_unknown(path, node, needs)
            else:
                _ask(path, node, needs, problems)
        problems |= dict.fromkeys(_problems_of_sampling(cfg))
        for path, node in _other_parts(cfg):
            if _is_own(node):
                _add_unknown(path, node, needs)
        for need in _models(cfg):
            needs.setdefault(f"model {need.model}", need)
    return list(needs.values()), list(problems)


def problems_of_missing(needs: Iterable[Need]) -> list[str]:
    """A line for each need that is neither in the cache nor can be fetched. Asks each server once, for seconds."""
    found = []
    for need in needs:
        if need.is_unknown or need.cached() is not None or _is_stored(need):
            continue
        unreachable = (
            None if is_offline() else next((place for place in need.places if not answers(_server(place))), None)
        )
        if not is_offline() and unreachable is None:
            continue
        why = "HF_HUB_OFFLINE is set" if is_offline() else f"{_host(unreachable or '')} cannot be reached"
        what = need.name if need.adapter is None else f"{need.name}, the model of the adapter in {need.adapter},"
        remedies = f"{_fetched_elsewhere(need)}, or {_other(need)}"
        found.append(f"{need.path}: {what} is not in the cache, and {why}; {remedies}")
    return found


def _fetched_elsewhere(need: Need) -> str:
    """How a need gets into the cache."""
    if (rows := need.rows) is not None:
        commit = "" if rows.is_pinned else f" and {need.path}.revision=<commit>"
        return f"read it where there is a connection (babelbatch-data with the same settings{commit})"
    return "fetch it where there is a connection (babelbatch-fetch with the same settings)"


def _other(need: Need) -> str:
    """What to set where a need cannot be fetched."""
    if need.is_streamed:
        return f"set {need.path}.path to a folder with its files"
    if need.adapter is not None:
        return f"name a folder as base_model_name_or_path in {Path(need.adapter) / ADAPTER_FILE}"
    return f"set {need.path} to a folder" if need.model is not None else f"set {need.path}.data_dir to its files"


def _is_own(node: Mapping[str, Any]) -> bool:
    """Whether a loader is the user's."""
    return not str(node["_target_"]).startswith("babelbatch.")


def _add_unknown(path: str, node: Mapping[str, Any], needs: dict[str, Need]) -> None:
    target = str(node["_target_"])
    needs.setdefault(f"unknown {path} {target}", Need(path, target, UNKNOWN))


def _ask(path: str, node: dict[str, Any], needs: dict[str, Need], problems: dict[str, None]) -> None:
    """Adds what one loader would fetch."""
    target, settings = str(node["_target_"]), {key: value for key, value in node.items() if key != "_target_"}
    if any(settings.get(key) is not None for key in _LOCAL):
        return
    if ".corpora.table." in target and settings.get("hub") and Path(settings["hub"]).is_dir():  # `datasets` reads it
        return
    key = json.dumps(node, sort_keys=True, default=str)
    if key in needs:
        return
    with listing() as found:
        try:
            if ".world_facts." in target:
                from babelbatch.sources.world_facts import select_fact_languages  # imports Babel

                select_fact_languages(settings.get("languages"))
                return
            get_method(target)(**settings)
        except ValueError as error:
            if not found:
                problems[with_full_paths(str(error), path, parameters(target))] = None
        except OSError:
            pass  # it opens a file that is only listed
    if found:
        defaults = {name: each.default for name, each in signature(get_method(target)).parameters.items()}
        (source,) = data_sources({f"{path}.{name}": value for name, value in (defaults | node).items()})
        name, licence = source.name, source.licence
        if licence == UNKNOWN and isinstance(first := found[0], HubFiles):
            name, licence = first.published.hub, first.published.licence
        elif settings.get("hub"):
            name, licence = str(settings["hub"]), "see its page"
        needs[key] = Need(path, name, licence, requests=found)


def _problems_of_sampling(cfg: Mapping[str, Any]) -> list[str]:
    """Languages to train on that the corpus lacks, where that is known before it is read: its loader is asked for these
    languages."""
    corpus, languages = cfg.get("corpus"), (cfg.get("sampling") or {}).get("languages")
    if not isinstance(languages, list) or not isinstance(corpus, dict) or corpus.get("languages") is not None:
        return []
    target = str(corpus.get("_target_"))
    if "_target_" not in corpus or _is_own(corpus) or "languages" not in parameters(target):
        return []
    problems: dict[str, None] = {}
    _ask("sampling", corpus | {"languages": languages}, {}, problems)
    return [problem for problem in problems if problem.startswith("sampling.languages")]


def _loaders(cfg: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and settings of every corpus, part of a mixture, and benchmark."""
    for path in ("corpus", "validation"):
        node = cfg.get(path)
        if isinstance(node, dict) and isinstance(node.get("parts"), dict):
            yield from ((f"{path}.parts.{name}", part) for name, part in node["parts"].items() if "_target_" in part)
        elif isinstance(node, dict) and "_target_" in node:
            yield path, node
    for name, node in (cfg.get("benchmarks") or {}).items():
        if isinstance(node, dict) and "_target_" in node:
            yield f"benchmarks.{name}", node


def _other_parts(cfg: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and settings of what else may fetch something if it is the user's: encoder, teacher and transform."""
    encoder = cfg.get("encoder") if cfg.get("checkpoint") is None else None
    teacher = (cfg.get("loss") or {}).get("teacher")
    for path, node in (("encoder", encoder), ("loss.teacher", teacher), ("transform", cfg.get("transform"))):
        if isinstance(node, dict) and "_target_" in node:
            yield path, node


def _models(cfg: Mapping[str, Any]) -> Iterator[Need]:
    """The models of the hub that settings name."""
    if cfg.get("checkpoint") is None:
        yield from _model("encoder.name_or_path", (cfg.get("encoder") or {}).get("name_or_path"))
    teacher = (cfg.get("loss") or {}).get("teacher")
    if isinstance(teacher, dict):
        yield from _model("teacher", teacher.get("name_or_path"))


def _model(path: str, name: object, adapter: str | None = None) -> Iterator[Need]:
    """The model of this name; of a folder that has an adapter alone, the model that the adapter belongs to."""
    if not isinstance(name, str) or name == MISSING:
        return
    folder = Path(name).expanduser()
    if folder.is_dir():
        if adapter is None and not (folder / "config.json").exists():
            yield from _model(path, base_of_adapter(folder / ADAPTER_FILE), str(folder))
    elif not name.startswith(("/", ".", "~")):
        yield Need(path, name, model_licence(name), model=name, adapter=adapter)


def _is_stored(need: Need) -> bool:
    """Whether a corpus may be read from the cache without its published files; its loader then decides."""
    if need.model is None and need.path.startswith(("corpus", "validation")):
        stored = cache_folder("corpora")
        return any(any(stored.glob(f"{name}-*/corpus.json")) for name in _STORED if name in " ".join(need.places))
    return False


def _are_read(rows: HubTable) -> bool:
    """Whether a corpus that was made of these rows, at this commit, is in the cache; its loader then decides."""
    request = [rows.name, rows.config, rows.split, rows.revision]
    manifests = cache_folder("corpora").glob("table-*/corpus.json") if rows.is_pinned else ()
    return any(_request_of(manifest) == request for manifest in manifests)


def _request_of(manifest: Path) -> object:
    """Name, config, split and revision of the hub's rows that a stored corpus was made of."""
    try:
        inputs = read_json_object(manifest).get("inputs")
    except (OSError, UnreadableDocument):
        return None
    hub = inputs.get("hub") if isinstance(inputs, dict) else None
    return hub[:4] if isinstance(hub, list) else None


def _server(place: str) -> str:
    """The server to ask: that of HF_ENDPOINT for the hub."""
    return hub_server() if place.startswith(_HUB) else place


def _host(place: str) -> str:
    return _server(place).split("/")[2]


def _expected(place: str) -> Size | None:
    if (whole := _sizes("whole").get(place)) is not None:
        return Size(whole, of_whole=True)
    return next((Size(size) for end, size in _sizes("bytes").items() if place.endswith(end)), None)


@cache
def _sizes(kind: Literal["bytes", "whole"]) -> dict[str, int]:
    content = json.loads((files("babelbatch.commands") / "sizes.json").read_text(encoding="utf-8"))
    return {str(place): int(size) for place, size in content[kind].items()}
