"""babelbatch-fetch: what a run needs, fetched once into a folder that a machine without a connection reads."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from babelbatch.commands.needs import Need, Size
from babelbatch.progress import announce, track
from babelbatch.sources.download import sha256_of_file
from babelbatch.sources.hub import HubFiles, damaged_files
from babelbatch.sources.models import ADAPTER_FILE, base_of_adapter
from babelbatch.storage import cache_folder, locked, write_atomically
from babelbatch.storage.documents import UnreadableDocument, read_json_object

MANIFEST = "fetched.json"


def needs_table(needs: Sequence[Need]) -> str:
    """What is needed, a line each, with sizes, licences, and whether the cache has it."""
    if not needs:
        return "Nothing to fetch: data and encoder are built in, or in folders of yours."
    rows = [("setting", "what", "size", "licence", "in the cache", "from")]
    cached = [need.cached() for need in needs]
    for need, files in zip(needs, cached, strict=True):
        size = _expected(need.expected().values()) if files is None else _text(_bytes(files))
        there = "unknown" if need.is_unknown else "no" if files is None else "yes"
        rows.append((need.path, need.name, size, need.licence, there, _from(need)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    return "\n".join([*lines, f"in all{_in_all(needs, cached)}"])


def fetch(needs: Sequence[Need]) -> list[str]:
    """Fetches what the cache lacks, checks what it has, and records size and SHA-256 of every file in `fetched.json`.

    Damaged files are fetched again. An interrupted call continues where it was: files appear in the cache when they are
    complete. Returns a line for each need that could not be fetched; the others are fetched nevertheless, but for those
    of which it is unknown what they are.
    """
    manifest = cache_folder(MANIFEST)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    failures: list[str] = []
    with locked(manifest.with_suffix(".lock"), "fetching"):
        recorded = read_manifest(manifest)
        for need in needs:
            if need.is_unknown:
                continue
            try:
                files = _fetched(need, recorded)
            except ValueError as error:
                failures.append(f"{need.path}: {str(error).splitlines()[0]}")
                continue
            for file in track(files, f"checking {need.name}", "files"):
                recorded[_key(file)] = _entry(file, need, recorded.get(_key(file)))
            write_atomically(manifest, json.dumps(recorded, indent=1, sort_keys=True) + "\n")
    return failures


def read_manifest(path: Path) -> dict[str, Any]:
    """File -> its size, SHA-256, licence and source. Empty if there is none yet, or if it is damaged: files are then
    checked against published checksums only."""
    try:
        return read_json_object(path)
    except (OSError, UnreadableDocument):
        return {}


def _fetched(need: Need, recorded: Mapping[str, Any]) -> list[Path]:
    """The files of a need, whole. Raises ValueError if they cannot be fetched."""
    files = need.cached()
    if files is None:
        announce(f"fetching {need.name}")
        _fetch(need)
    elif not need.is_listed_in_full:
        _complete(need)
    files = need.cached()
    damaged = [] if files is None else _damaged(need, files, recorded)
    if damaged:
        announce(f"{need.name}: damaged files are fetched again: {len(damaged)} of {len(files or ())}")
        for file in damaged:
            target = file.resolve()
            file.unlink(missing_ok=True)
            target.unlink(missing_ok=True)
        _fetch(need)
        files = need.cached()
    if files is None or (damaged and _damaged(need, files, recorded)):
        raise ValueError(f"{need.name}: the fetched files differ from their checksums; try again later")
    return files


def _complete(need: Need) -> None:
    """Fetches files that the hub has and the cache lacks, as after an interruption. Without a connection a message says
    that this is unknown."""
    try:
        _fetch(need)
    except ValueError as error:
        announce(f"{need.name}: whether the cache has every file is unknown: {str(error).splitlines()[0]}")


def _fetch(need: Need) -> None:
    if need.model is None:
        for request in need.requests:
            request.fetch()
        return
    from babelbatch.encoder import fetch_from_hub  # imports torch

    folder = fetch_from_hub(need.model)
    adapter = folder / ADAPTER_FILE
    if adapter.is_file() and (base := base_of_adapter(adapter)) is not None:
        fetch_from_hub(base)


def _damaged(need: Need, files: Sequence[Path], recorded: Mapping[str, Any]) -> list[Path]:
    """Files that differ from their published checksum, or where there is none from what was recorded."""
    published = (
        damaged_files(files) if need.model is not None else [f for each in need.requests for f in each.damaged()]
    )
    changed = [
        file
        for file in files
        if not file.is_symlink() and (entry := recorded.get(_key(file))) and entry.get("sha256") != sha256_of_file(file)
    ]
    return list(dict.fromkeys([*published, *changed]))


def _entry(file: Path, need: Need, before: Mapping[str, Any] | None) -> dict[str, object]:
    size = file.stat().st_size
    digest = file.resolve().name if file.is_symlink() and len(file.resolve().name) == 64 else sha256_of_file(file)
    fetched = (before or {}).get("fetched") or time.strftime("%Y-%m-%d")
    return {"bytes": size, "sha256": digest, "of": need.name, "licence": need.licence, "fetched": fetched}


def _key(file: Path) -> str:
    """The path below the cache folder, with which a copied folder is as good."""
    root = cache_folder(".").resolve()
    absolute = Path(os.path.abspath(file))
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)


def _bytes(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _expected(sizes: Collection[Size | None]) -> str:
    """What is expected of a need, for its line."""
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(sizes):
        return "unknown"
    text = _text(sum(size.bytes for size in known))
    return f"at most {text} (the whole data set)" if any(size.of_whole for size in known) else f"about {text}"


def _in_all(needs: Sequence[Need], cached: Sequence[Sequence[Path] | None]) -> str:
    """The sum, in which a file or place that several settings need counts once.

    cached: the files of each need, None if they are missing.
    """
    missing = {
        place: size
        for need, files in zip(needs, cached, strict=True)
        if files is None
        for place, size in need.expected().items()
    }
    there = {
        file
        for need, files in zip(needs, cached, strict=True)
        if files is not None and not set(need.places) <= missing.keys()  # else they are part of the whole data set
        for file in files
    }
    known = [size for size in missing.values() if size is not None]
    total = _bytes(there) + sum(size.bytes for size in known)
    is_unknown = len(known) < len(missing) or any(need.is_unknown for need in needs)
    if any(size.of_whole for size in known):
        return f" at most {_text(total)}{', without what is unknown' if is_unknown else ''}"
    if is_unknown:
        return f" at least {_text(total)}" if total else ": unknown"
    return f" {_text(total)}"


def _from(need: Need) -> str:
    if need.is_unknown:
        return "unknown"
    places = need.places
    if len(places) == 1:
        return places[0]
    folders = list(dict.fromkeys(place.rpartition("/")[0] for place in places))
    if any(isinstance(request, HubFiles) for request in need.requests):
        return ", ".join(places)  # data sets, which are no files of their owner's folder
    return f"{folders[0]}/ ({len(places)} files)" if len(folders) == 1 else ", ".join(places)


def _text(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
