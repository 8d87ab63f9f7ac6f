"""Hydra's plugins: one that cannot be imported would end every command with a traceback."""

from __future__ import annotations

import traceback
from importlib.metadata import distributions

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from babelbatch.configuration.schema import ConfigError
from babelbatch.configuration.shipped import CONF

_NAMESPACE = "hydra_plugins"


def refuse_broken_plugins() -> None:
    """Imports the plugins, as Hydra does when it starts. Raises ConfigError, with the package of a broken one.
    Of an ImportError Hydra itself warns, and goes on without the plugin."""
    try:
        Plugins.instance()
        _prefer_own_options()
    except Exception as error:
        module = _module_of(error)
        if module is None:
            raise
        package, reason = _package_with(module), (str(error).splitlines() or [type(error).__name__])[0]
        remedy = f"pip install --upgrade {package}, or pip uninstall {package}" if package else "update or remove it"
        name = package or f"{_NAMESPACE}.{module}"
        raise ConfigError(
            [f"the Hydra plugin {name} is broken ({type(error).__name__}: {reason}); {remedy}"]
        ) from error


def _prefer_own_options() -> None:
    """Hides the options of installed plugins that have the name of a file in conf/hydra, such as `submitit_slurm` of
    hydra-submitit-launcher. Hydra would check our file by their schema, which lacks some of our keys."""
    for file in (CONF / "hydra").glob("*/*.yaml"):
        stored = ConfigStore.instance().repo.get("hydra", {}).get(file.parent.name, {})
        stored.pop(file.name, None)


def _module_of(error: BaseException) -> str | None:
    """The module below hydra_plugins that was being imported: the outermost one on the traceback."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        first, _, rest = str(frame.f_globals.get("__name__")).partition(".")
        if first == _NAMESPACE and rest:
            return rest.partition(".")[0]
    return None


def _package_with(module: str) -> str | None:
    """The installed package that has the module."""
    for each in distributions():
        if any(file.parts[:2] in ((_NAMESPACE, module), (_NAMESPACE, f"{module}.py")) for file in each.files or ()):
            return each.name
    return None
