"""One job, from its checked configuration to its outcome."""

from __future__ import annotations

import gc
import shlex
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.check import check
from babelbatch.configuration.identity import config_hash, differences, identity, is_layout, resolved_yaml
from babelbatch.configuration.inputs import changed_inputs, is_own_code
from babelbatch.configuration.plain import without_hydra
from babelbatch.configuration.saved import load_config
from babelbatch.configuration.schema import ConfigError
from babelbatch.distributed.ranks import global_rank
from babelbatch.jobs.failures import run_reporting_failures
from babelbatch.jobs.lightning_import import import_lightning
from babelbatch.jobs.outcome import FINISHED, FINISHED_EARLIER, RESUMED, Outcome
from babelbatch.jobs.uncollected import uncollected_imports
from babelbatch.progress import announce, waiting
from babelbatch.runs.files import (
    CHECKPOINT_FOLDER,
    COMMAND_FILE,
    CONFIG_FILE,
    ENCODER_FOLDER,
    METRICS_FILE,
    TRACEBACK_FILE,
    is_finished,
)
from babelbatch.runs.lock import locked
from babelbatch.runs.metrics_file import read_metrics
from babelbatch.storage import write_atomically


def run_in_process(root: str, cfg: DictConfig, folder: Path) -> Outcome:
    """Runs a job in this process, which may be one of its ranks. Rank 0 locks the folder meanwhile.

    root: `train`, `evaluate` or `mine`.
    """

    def work() -> Outcome:
        with locked(folder) if global_rank() == 0 else nullcontext():
            outcome = prepare(root, cfg, folder)
            if outcome != FINISHED_EARLIER:
                _entry(root)(save_config(cfg, folder), folder)
            return outcome

    outcome = run_reporting_failures(work, folder, lambda: state_after_interruption(cfg, folder))
    if root != "evaluate" or outcome.code:  # encoder and benchmarks of an evaluation are kept for the next one
        gc.collect()  # a trainer, its model and its data refer to each other, and the next job needs their memory
    return outcome


def skip_finished(cfg: DictConfig, folder: Path) -> Outcome:
    """Outcome of a job that finished earlier. It fails if the job's data have changed since."""
    return run_reporting_failures(
        lambda: _finished_earlier(cfg, folder), folder, lambda: state_after_interruption(cfg, folder)
    )


def prepare(root: str, cfg: DictConfig, folder: Path) -> Outcome:
    """The outcome that the job will have if it does not fail: FINISHED_EARLIER, RESUMED or FINISHED.

    Raises ConfigError if it cannot run; the command line's check does not see the jobs of every sweeper.
    """
    if is_finished(folder, config_hash(cfg)):
        return _finished_earlier(cfg, folder)
    check(cfg, root)
    return RESUMED if any((folder / CHECKPOINT_FOLDER).glob("step-*.ckpt")) else FINISHED


def state_after_interruption(cfg: DictConfig, folder: Path) -> str:
    """What the folder of an interrupted job holds, and what the same command would do with it."""
    if is_finished(folder, config_hash(cfg)):
        return f"{folder} was finished already"
    try:
        _refuse_another_run(cfg, folder)
    except ConfigError:
        return f"{folder} has another run in it, which is unchanged; choose another folder for this one"
    return f"{folder} is not finished; run the same command again to resume"


def save_config(cfg: DictConfig, folder: Path) -> DictConfig:
    """Sets `output_dir` to the job's folder and, on rank 0, writes config.yaml there.

    Raises ConfigError if the folder has a run of another configuration: nothing of it is overwritten.
    """
    _refuse_another_run(cfg, folder)
    cfg = without_hydra(cfg)
    OmegaConf.set_readonly(cfg, False)
    cfg.output_dir = str(folder)
    if global_rank() == 0:
        for stale in (METRICS_FILE, TRACEBACK_FILE):
            (folder / stale).unlink(missing_ok=True)
        write_atomically(folder / CONFIG_FILE, resolved_yaml(cfg))
        _save_command(folder)
    return cfg


def _save_command(folder: Path) -> None:
    """Writes the command line of a training job for its model card. A worker process does not know it: the process that
    starts workers has written the file."""
    if not HydraConfig.initialized() or HydraConfig.get().job.config_name != "train":
        return
    typed = [each.removeprefix("++") for each in HydraConfig.get().overrides.task]
    settings = [each for each in typed if not each.startswith("output_dir=")]
    write_atomically(folder / COMMAND_FILE, shlex.join(["babelbatch-train", *settings]) + "\n")


def _finished_earlier(cfg: DictConfig, folder: Path) -> Outcome:
    if changes := changed_inputs(cfg, folder) or _changed_records(cfg, folder):
        what = "data or code" if any("_target_" in change for change in changes) else "data"
        problem = f"{folder} was finished with other {what}; to run it again, remove it or set another output_dir"
        raise ConfigError([problem, *changes])
    return FINISHED_EARLIER


def _changed_records(cfg: DictConfig, folder: Path) -> list[str]:
    """Corpora and benchmarks of the user's own loaders, whose files nobody else knows, that are not those of the
    finished run, such as "corpus (fingerprint 1f... instead of 2c...)"."""
    records = ("corpus.", "validation.", "benchmarks.")
    if not any(key.startswith(records) and is_own_code(key, value) for key, value in identity(cfg).items()):
        return []
    from babelbatch.commands.own_records import changed_fingerprints  # imports numpy, for most jobs without need

    return changed_fingerprints(cfg, read_metrics(folder))


def _refuse_another_run(cfg: DictConfig, folder: Path) -> None:
    if not any((folder / name).exists() for name in (METRICS_FILE, ENCODER_FOLDER, CHECKPOINT_FOLDER)):
        return  # there is nothing to lose
    problem = f"output_dir: {folder} has another run in it; choose another folder, or remove that one"
    try:
        saved = identity(load_config(folder / CONFIG_FILE))
    except Exception as error:  # missing, not YAML, or not a configuration
        reason = (str(error).splitlines() or [repr(error)])[0]
        raise ConfigError([f"{problem} (its {CONFIG_FILE} cannot be read: {reason})"]) from error
    found = differences(saved, identity(cfg))
    if not (folder / METRICS_FILE).exists():  # it is resumed, and says so if the devices are others
        found = [each for each in found if not is_layout(each)]
    if found:
        raise ConfigError([problem, *found])


def _entry(root: str) -> Callable[[DictConfig, Path], None]:
    """The function of `babelbatch.commands` that runs such a job."""
    announce("importing torch, Lightning and Transformers")
    with waiting("importing"), uncollected_imports():
        import_lightning()
        if root == "train":
            from babelbatch.commands.train import train

            return train
        if root == "mine":
            from babelbatch.commands.mine import mine

            return mine
        from babelbatch.commands.evaluate import evaluate

        return evaluate
