"""The first import of Lightning, without scipy.signal and Matplotlib.

torchmetrics, which Lightning imports, imports both for its audio metrics and plots wherever they are installed.
babelbatch uses neither, and they are a fifth of the time that a command needs to start.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_utilities.core.imports import RequirementCache

_UNUSED = frozenset({"matplotlib", "scipy"})


def import_lightning() -> None:
    """Imports Lightning and torchmetrics; to torchmetrics, Matplotlib and SciPy are not installed.

    In a process that has imported torchmetrics before, nothing changes.
    """
    if "torchmetrics" not in sys.modules:
        from unittest.mock import patch  # with what follows a tenth of a second, which a checked configuration spares

        from lightning_utilities.core import imports

        found, check = imports.package_available, imports.RequirementCache._check_available

        def package_available(package: str) -> bool:
            return package not in _UNUSED and bool(found(package))

        def check_available(requirement: RequirementCache) -> None:
            if requirement.requirement in _UNUSED:
                reason = "not imported, see babelbatch.jobs.lightning_import"
                requirement.available, requirement.message = False, reason
            else:
                check(requirement)

        with (
            patch.object(imports, "package_available", package_available),
            patch.object(imports.RequirementCache, "_check_available", check_available),
        ):
            import torchmetrics  # noqa: F401
    import pytorch_lightning  # noqa: F401
