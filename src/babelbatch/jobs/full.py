"""`--cfg full`: the configuration of a command with the default of every argument."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.check import check
from babelbatch.configuration.plain import plain, without_hydra
from babelbatch.configuration.schema import BY_THE_RUN, OF_THE_RUN, ConfigError
from babelbatch.configuration.shipped import CONF
from babelbatch.configuration.signatures import parameters
from babelbatch.jobs.failures import print_error
from babelbatch.jobs.outcome import EXIT_USER_ERROR
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import compose_jobs

_TYPED = ("--cfg=full", "-c=full", "-cfull")


def is_full(arguments: Sequence[str]) -> bool:
    """Whether `--cfg full` is typed."""
    return _as_job(arguments) != list(arguments)


def print_full(root: str, arguments: Sequence[str]) -> int:
    """Prints the configuration of the command line with all defaults, as YAML; returns the exit code.

    That of babelbatch-train is an experiment: as `experiment/mine.yaml` in the folder of --config-dir it gives the run.
    """
    try:
        print(full_yaml(root, arguments), end="")
    except ConfigError as error:
        print_error(str(error))
        return EXIT_USER_ERROR
    return 0


def full_yaml(root: str, arguments: Sequence[str]) -> str:
    """What `print_full` prints. Raises ConfigError."""
    parsed = get_args_parser().parse_args(_as_job(arguments))
    overrides = force_overrides(parsed.overrides)
    (cfg,) = compose_jobs(root, overrides, multirun=False, config_dir=parsed.config_dir)
    values = OmegaConf.to_yaml(OmegaConf.create(with_defaults(cfg, root)))
    if root != "train":
        return values
    head = OmegaConf.to_yaml(OmegaConf.create({"defaults": _nothing_chosen(root)}))
    return f"# @package _global_\n{head}{values}"


def with_defaults(cfg: DictConfig, root: str) -> dict[str, Any]:
    """The values of a composed configuration, and the default of every argument of what it builds.

    Defaults that a program computes are left out, and those that the other settings exclude.
    """
    own = without_hydra(cfg)
    if "output_dir" in own and own.output_dir is None:
        own.output_dir = "."  # it may refer to values that Hydra sets when the job runs
        values = plain(own)
        values["output_dir"] = None
    else:
        values = plain(own)
    added = dict(_add(values, ""))
    while added:
        try:
            check(OmegaConf.create(values), root)
            break
        except ConfigError as error:
            wrong = [path for path in added if any(each.startswith(f"{path}:") for each in error.problems)]
            if not wrong:
                raise
            for path in wrong:
                del added.pop(path)[path.rpartition(".")[2]]
    return values


def _add(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Adds the defaults below a node; yields the path of each and the mapping that has it."""
    if not isinstance(node, dict):
        return
    for key, value in list(node.items()):
        yield from _add(value, f"{path}.{key}" if path else str(key))
    if "_target_" not in node:
        return
    accepted = parameters(node["_target_"]) | (parameters(OF_THE_RUN[path]) if path in OF_THE_RUN else {})
    for name, parameter in accepted.items():
        if name in node or name in BY_THE_RUN.get(path.partition(".")[0], ()):
            continue
        try:
            node[name] = parameter.value
        except ValueError:  # required, or computed
            continue
        yield f"{path}.{name}", node


def _nothing_chosen(root: str) -> list[dict[str, object]]:
    """The defaults list of an experiment that states everything itself."""
    content = yaml.safe_load((CONF / f"{root}.yaml").read_text(encoding="utf-8"))
    chosen = [next(iter(each.items())) for each in content["defaults"] if isinstance(each, dict)]
    return [
        {f"override /{group}": [] if isinstance(option, list) else None}
        for group, option in chosen
        if group != "experiment" and not group.startswith("override ")
    ]


def _as_job(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--cfg job`, which Hydra's parser knows, in place of `--cfg full`."""
    found: list[str] = []
    for argument in arguments:
        is_value = argument == "full" and found[-1:] in (["--cfg"], ["-c"])
        found += ["--cfg", "job"] if argument in _TYPED else ["job"] if is_value else [argument]
    return found
