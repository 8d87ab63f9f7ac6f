"""Names of the folders of runs."""

from __future__ import annotations

import re
from pathlib import Path

from omegaconf import DictConfig

from babelbatch.configuration.home import at_home
from babelbatch.configuration.identity import config_hash, is_relevant, short_hash

_PLACES_OF_DATA = (".data_dir", ".path", ".dictionaries")
_FOLDERS = re.compile(r"[^\s,\[\]{}:'\"]*/(?=[^/\s])")
_ENCODER = "/encoder"  # of a run, whose own name says more


def run_folder(output_dir: str | None, name: str, overrides: str, *, _root_: DictConfig) -> str:
    """The folder of a single run: `output_dir`, or the one that the same run has as a job of a sweep."""
    if output_dir:
        return sweep_folder(output_dir, name)
    return f"{sweep_folder(None, name)}/{job_folder(overrides, _root_=_root_)}"


def sweep_folder(output_dir: str | None, name: str) -> str:
    """The folder that holds the folders of a sweep's jobs."""
    return str(at_home("output_dir", output_dir)) if output_dir else f"multirun/{name}"


def job_folder(overrides: str, *, _root_: DictConfig) -> str:
    """A job's folder name: its overrides, and 8 digits of the hash of its configuration, such as
    `hybrid_alpha-0.25_seed-1_0f3a9c12`. It does not depend on the sweep around it, nor on the time.

    overrides: Hydra's `override_dirname`. Paths of data, and an experiment that is the run's name, are left out; of
    another path the last part is used. The name has at most 100 characters, none of which needs quotes in a shell. A
    job that has a folder with whole paths in its name, as earlier versions gave it, goes on in that one.
    """
    end = f"_{short_hash(config_hash(_root_))}"
    name, former = (_readable(overrides, str(_root_.get("name")), whole=whole) + end for whole in (False, True))
    sweep = Path(sweep_folder(_root_.get("output_dir"), str(_root_.get("name"))))
    return former if former != name and (sweep / former).is_dir() and not (sweep / name).is_dir() else name


def _readable(overrides: str, run: str, *, whole: bool) -> str:
    """The overrides in at most 90 characters. whole: with paths as they are."""
    parts: list[tuple[int, str]] = []
    relevant = True
    for piece in filter(None, overrides.split(",")):
        key, _, value = piece.lstrip("+").partition("=")
        if value or key.startswith("~"):  # otherwise the rest of a list
            relevant = is_relevant(key) and not key.endswith(_PLACES_OF_DATA)
        if key == "experiment":
            value = value.rpartition("/")[2]
            relevant = value != run
        if relevant:
            text = value or key
            shown = re.sub(r"[^\w.+-]+", "-", text if whole else _last_part(text)).strip("-")
            named = value and ("." in key or key == "seed")
            # Settings that are compared come first; the end may be cut off.
            group = key.partition(".")[0]
            place = 0 if key in {"sampling", "experiment"} else 1 if group in {"sampling", "loss", "seed"} else 2
            parts.append((place, f"{key.rpartition('.')[2]}-{shown}" if named else shown))
    return "_".join(text for _, text in sorted(parts, key=lambda part: part[0]))[:90].strip("_-") or "default"


def _last_part(text: str) -> str:
    """Of a path; of the encoder of a run, the run."""
    return _FOLDERS.sub("", text.rstrip("/").removesuffix(_ENCODER))
