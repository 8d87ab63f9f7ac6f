"""Files of a data set on the Hugging Face hub, or the same files in a local folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babelbatch.progress import log_once, waiting

log = logging.getLogger(__name__)


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
