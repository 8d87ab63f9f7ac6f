"""Which versions and which commit a result comes from. Imports none of the packages that it names."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import babelbatch

_PACKAGES = ("torch", "transformers", "tokenizers", "pytorch-lightning", "numpy", "Babel", "bm25s", "scikit-learn")


def provenance() -> dict[str, str | None]:
    """Versions, and the commit of babelbatch if it runs from a checkout."""
    return {
        "commit": checked_out_commit(),
        "versions/babelbatch": babelbatch.__version__,
        "versions/python": platform.python_version(),
        **{f"versions/{package}": version(package) for package in _PACKAGES},
    }


def version_text() -> str:
    """What `--version` prints: babelbatch with its commit, Python and torch, a line each."""
    commit = checked_out_commit()
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "not installed"
    return "\n".join(
        [
            f"babelbatch {babelbatch.__version__}{f' (commit {commit})' if commit else ''}",
            f"Python {platform.python_version()}",
            f"torch {torch}",
        ]
    )


def checked_out_commit() -> str | None:
    """The checked-out commit, with `+changes` appended if tracked files differ from it; None outside a checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # Installed into an environment inside some other project's checkout, the file is not tracked there.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
