"""Where the shipped configuration is."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parents[1] / "conf") if path.is_dir())
"""The shipped configuration: inside the package when installed from a wheel, at the top of a checkout."""
