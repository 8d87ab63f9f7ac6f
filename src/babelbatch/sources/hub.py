"""Files of a data set on the Hugging Face hub, or the same files in a local folder."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babelbatch.progress import log_once, waiting
from babelbatch.sources.download import sha256_of_file
from babelbatch.sources.listing import NOWHERE, is_listing, record

log = logging.getLogger(__name__)
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\..*)?")


@dataclass(frozen=True, slots=True)
class Published:
    """A published data set. hub: its id. revision: the commit or branch whose layout is read. licence: as on its card.
    page: the URL of its card."""

    hub: str
    revision: str
    licence: str

    @property
    def page(self) -> str:
        return f"https://huggingface.co/datasets/{self.hub}"


@dataclass(frozen=True, slots=True)
class HubFiles:
    """The files of a data set on the hub that match any of the patterns."""

    published: Published
    patterns: tuple[str, ...]

    @property
    def place(self) -> str:
        return self.published.page

    def cached(self) -> list[Path] | None:
        """Files that match; None if there is none for one of the patterns, or a part of a split is missing.

        Other files that match a pattern with `*` may be missing: only the hub knows.
        """
        found = cached_files(self.published.hub, "dataset", self.published.revision, self.patterns)
        if found is None or any(not files for files in found):
            return None
        every = [file for files in found for file in files]
        return every if has_all_shards(every) else None

    def damaged(self) -> list[Path]:
        return damaged_files(self.cached() or [])

    def fetch(self) -> list[Path]:
        root = fetch_files(self.published, self.patterns)
        return [file for pattern in self.patterns for file in sorted(root.glob(pattern)) if file.is_file()]


def hub_server() -> str:
    """The address of the hub, or of the mirror that HF_ENDPOINT names."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def cached_files(name: str, kind: str, revision: str, patterns: Sequence[str]) -> list[list[Path]] | None:
    """For each pattern the files of a data set or model in the hub's cache; None if nothing of it is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        root = Path(snapshot_download(name, repo_type=kind, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None
    return [sorted(path for path in root.glob(pattern) if path.is_file()) for pattern in patterns]


def has_all_shards(files: Sequence[Path]) -> bool:
    """Whether all parts are there of every file that is published in parts, `train-00000-of-00003.parquet`."""
    parts: dict[tuple[Path, str, int, str], set[int]] = {}
    for file in files:
        if found := _SHARD.fullmatch(file.name):
            parts.setdefault((file.parent, found[1], int(found[3]), found[4]), set()).add(int(found[2]))
    return all(len(numbers) == total for (_, _, total, _), numbers in parts.items())


def damaged_files(files: Sequence[Path]) -> list[Path]:
    """Those of the hub's cache whose content differs from the hub's checksum, which is the name of the file that the
    cache links to: SHA-256 of large files, git's SHA-1 of others. Files without such a link are not compared."""
    return [file for file in files if file.is_symlink() and not _is_whole(file.resolve())]


def _is_whole(blob: Path) -> bool:
    if len(blob.name) == 64:
        return sha256_of_file(blob) == blob.name
    if len(blob.name) == 40:
        digest = hashlib.sha1(f"blob {blob.stat().st_size}\0".encode(), usedforsecurity=False)
        with blob.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest() == blob.name
    return True


def locate_files(published: Published, patterns: Sequence[str], data_dir: str | None) -> list[list[Path]]:
    """For each pattern the files that match it, at least one, sorted.

    patterns: paths in the data set, with `*` where there may be several files.
    data_dir: a folder with the same paths below it; None fetches the matching files from the hub, once, into its cache.
    Raises ValueError if a file is missing, the data set does not exist, or there is no connection.
    """
    if data_dir is not None:
        root, remedy = Path(data_dir), f"put the file there, as in {published.page}/tree/{published.revision}"
        if not root.is_dir():
            raise ValueError(f"data_dir: there is no folder {data_dir}")
    else:
        # Without a connection the hub's library treats its cache as complete.
        remedy = (
            "there is no connection, and it was not fetched yet, or the data set has changed; set data_dir to a folder"
        )
        root = fetch_files(published, patterns)
    if is_listing() and data_dir is None:
        return [[root / pattern] for pattern in patterns]
    found = [sorted(path for path in root.glob(pattern) if path.is_file()) for pattern in patterns]
    for pattern, files in zip(patterns, found, strict=True):
        if not files:
            raise ValueError(f"{root / pattern}: there is no such file; {remedy}")
    return found


def check_count(what: str, found: int, published: int, data_dir: str | None) -> None:
    """Compares a number with the published one. Raises ValueError if fetched files differ. Local files (`data_dir`) may
    be a part of the data set: for them a difference is a warning in the log."""
    if found == published:
        return
    if data_dir is None:
        raise ValueError(f"{what}: {found:,} instead of {published:,}, as published; remove it and fetch it again")
    log.warning("%s: %s instead of %s, as published", what, f"{found:,}", f"{published:,}")


def fetch_files(published: Published, patterns: Sequence[str]) -> Path:
    """Fetches the files that match any of the patterns and returns their folder in the hub's cache.

    Raises ValueError if the data set does not exist or there is no connection.
    """
    if is_listing():
        record(HubFiles(published, tuple(patterns)))
        return NOWHERE
    from huggingface_hub import snapshot_download  # only a run without data_dir needs it
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    log_once("huggingface_hub")
    try:
        with waiting(f"fetching {published.hub}"):
            folder = snapshot_download(
                published.hub, repo_type="dataset", revision=published.revision, allow_patterns=list(patterns)
            )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        wanted = " ".join(f"--include '{pattern}'" for pattern in patterns[:3])
        raise ValueError(
            f"{published.page} cannot be fetched ({reason}); where there is a connection type `hf download --repo-type "
            f"dataset {published.hub} --revision {published.revision} {wanted}`{' ...' if len(patterns) > 3 else ''}, "
            "or set data_dir to a folder with its files"
        ) from error
    return Path(folder)
