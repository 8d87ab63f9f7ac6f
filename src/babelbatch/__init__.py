"""babelbatch: what should a contrastive batch be made of, so that one multilingual retriever serves every language?

`load`, `evaluate` and `compare` are imported when they are first used, so that `import babelbatch` takes no time.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babelbatch.python.comparing import compare
    from babelbatch.python.evaluating import evaluate
    from babelbatch.python.loading import load

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "evaluate", "load"]

_MODULES = {"compare": "comparing", "evaluate": "evaluating", "load": "loading"}


def use_own_hub_cache(create: bool = False) -> None:
    """Makes the hub's library use the folder `hub` in BABELBATCH_CACHE, if babelbatch-fetch has made it, unless the
    environment names another place. Has no effect once that library is imported.

    create: make the folder.
    """
    own = os.path.join(os.path.expanduser(os.environ.get("BABELBATCH_CACHE", "")), "hub")
    if own == "hub" or any(os.environ.get(name) for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")):
        return
    if create:
        os.makedirs(own, exist_ok=True)
    if os.path.isdir(own):
        os.environ["HF_HUB_CACHE"] = own


use_own_hub_cache()


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'babelbatch' has no attribute '{name}'")
    return getattr(import_module(f"babelbatch.python.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
