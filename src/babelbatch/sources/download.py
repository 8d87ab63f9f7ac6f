"""Single files from the web, fetched once into the cache folder and checked."""

from __future__ import annotations

import os
from pathlib import Path

from babelbatch.progress import waiting


def downloaded(url: str, sha256: str | None, target: Path) -> Path:
    """`target`, fetched from `url` if it is not there, or not what it should be.

    sha256: of its content; None takes what comes.
    ValueError: it cannot be fetched, or is not what was published; with HF_HUB_OFFLINE nothing is fetched.
    """
    import pooch  # only a run without data_dir needs it

    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
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
    """The file at `url`, fetched into the folder `cache`, or the file of that name in `data_dir` if that is given.

    ValueError: there is no such file, or it cannot be fetched.
    """
    name = url.rpartition("/")[2]
    if data_dir is None:
        return downloaded(url, None, cache / name)
    path = Path(data_dir) / name
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; put there what {url} gives")
    return path
