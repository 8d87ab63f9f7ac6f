"""Downloads single files into the cache folder, once, and checks them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from babelbatch.progress import reading, waiting
from babelbatch.sources.listing import NOWHERE, is_listing, record

_PATIENCE = 3.0  # seconds to wait for a server's answer


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file at a URL. sha256: of its content, None if its publisher gives none. target: its place in the cache."""

    url: str
    sha256: str | None
    target: Path

    @property
    def place(self) -> str:
        return self.url

    def cached(self) -> list[Path] | None:
        return [self.target] if self.target.is_file() else None

    def damaged(self) -> list[Path]:
        if self.sha256 is None or sha256_of_file(self.target) == self.sha256:
            return []
        return [self.target]

    def fetch(self) -> list[Path]:
        return [download_file(self.url, self.sha256, self.target)]


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids every download."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def answers(url: str) -> bool:
    """Whether the server of a URL can be reached. Waits for seconds at most, and asks each server once."""
    parts = urlsplit(url)
    return _answers(f"{parts.scheme}://{parts.netloc}")


@cache
def _answers(server: str) -> bool:
    import requests

    try:
        requests.head(server, timeout=_PATIENCE, allow_redirects=False)
    except requests.RequestException:
        return False
    return True


def sha256_of_file(path: Path) -> str:
    """In hexadecimal."""
    with path.open("rb") as file, reading(path, file):
        return hashlib.file_digest(file, "sha256").hexdigest()


def download_file(url: str, sha256: str | None, target: Path) -> Path:
    """Downloads `url` to `target`, unless the right file is there already, and returns `target`.

    sha256: of its content; None accepts any. With HF_HUB_OFFLINE nothing is downloaded.
    Raises ValueError if the file cannot be downloaded or has another SHA-256.
    """
    if is_listing():
        record(WebFile(url, sha256, target))
        return NOWHERE / target.name
    import pooch  # only a run without data_dir needs it

    if is_offline():
        if not target.exists():
            raise ValueError(f"{target} is not in the cache and HF_HUB_OFFLINE is set; set data_dir to local files")
        if sha256 is not None and pooch.file_hash(str(target)) != sha256:
            raise ValueError(f"{target} is damaged and HF_HUB_OFFLINE is set; unset it, or set data_dir to local files")
        return target
    known = None if sha256 is None else f"sha256:{sha256}"
    try:
        with waiting(f"fetching {target.name}"):
            pooch.retrieve(url, known_hash=known, fname=target.name, path=target.parent)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong checksum is a ValueError
        raise ValueError(f"{url}: {str(error).rstrip('.')}; set data_dir to read local files") from error
    return target


def web_file(url: str, data_dir: str | None, cache: Path) -> Path:
    """The file of `data_dir` with the name in `url`; without `data_dir`, `url` downloaded into the folder `cache`.

    Raises ValueError if there is no such file or it cannot be downloaded.
    """
    name = url.rpartition("/")[2]
    if data_dir is None:
        return download_file(url, None, cache / name)
    path = Path(data_dir) / name
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; put there what {url} gives")
    return path
