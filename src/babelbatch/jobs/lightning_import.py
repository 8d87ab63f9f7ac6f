"""The first import of Lightning, without scipy.signal and Matplotlib.

torchmetrics, which Lightning imports, imports both for its audio metrics and plots wherever they are installed.
babelbatch uses neither, and they are a fifth of the time that a command needs to start.
"""

from __future__ import annotations

import sys
from unittest.mock import patch

from lightning_utilities.core import imports

_UNUSED = frozenset({"matplotlib", "scipy"})


def import_lightning() -> None:
    """Imports Lightning and torchmetrics; to torchmetrics, Matplotlib and SciPy are not installed.

    In a process that has imported torchmetrics before, nothing changes.
    """
    if "torchmetrics" not in sys.modules:
        with (
            patch.object(imports, "package_available", _package_available),
            patch.object(imports.RequirementCache, "_check_available", _check_available),
        ):
            import torchmetrics  # noqa: F401
    import pytorch_lightning  # noqa: F401


_found = imports.package_available
_check = imports.RequirementCache._check_available


def _package_available(package: str) -> bool:
    return package not in _UNUSED and bool(_found(package))


def _check_available(requirement: imports.RequirementCache) -> None:
    if requirement.requirement in _UNUSED:
        requirement.available, requirement.message = False, "not imported, see babelbatch.jobs.lightning_import"
    else:
        _check(requirement)
