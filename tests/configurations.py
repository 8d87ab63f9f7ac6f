"""What is wrong with a configuration, as a user types it."""

from babelbatch.configuration.schema import ConfigError, register
from babelbatch.jobs.launch import check_jobs, forced


def problems(*overrides: str, root: str = "train", multirun: bool = False) -> list[str]:
    register()
    try:
        check_jobs(root, forced(list(overrides)), multirun=multirun)
    except ConfigError as error:
        return error.problems
    return []
