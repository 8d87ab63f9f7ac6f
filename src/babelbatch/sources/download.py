"""Downloads single files into the cache folder, once, and checks them."""

from __future__ import annotations

import os
from pathlib import Path

from babelbatch.progress import waiting


def download_file(url: str, sha256: str | None, target: Path) -> Path:
    """Downloads `url` to `target`, unless the right file is there already, and returns `target`.

    sha256: of its content; None accepts any. With HF_HUB_OFFLINE nothing is downloaded.
    Raises ValueError if the file cannot be downloaded or has another SHA-256.
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
