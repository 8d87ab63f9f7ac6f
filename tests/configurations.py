"""What is wrong with a configuration, as a user types it."""

from babelbatch.configuration.schema import ConfigError, register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import check_jobs

GROUPS = {group.name: sorted(path.stem for path in group.glob("*.yaml")) for group in CONF.iterdir() if group.is_dir()}
"""Every shipped group with its options."""


def problems(*overrides: str, root: str = "train", multirun: bool = False, config_dir: str | None = None) -> list[str]:
    register()
    try:
        check_jobs(root, force_overrides(list(overrides)), multirun=multirun, config_dir=config_dir)
    except ConfigError as error:
        return error.problems
    return []
