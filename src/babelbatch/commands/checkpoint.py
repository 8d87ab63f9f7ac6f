"""What is in a folder or file that a user names as checkpoint=: an encoder, and the facts of its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from babelbatch.configuration.identity import identity
from babelbatch.configuration.saved import UnreadableConfig, load_config, saved_part
from babelbatch.encoder import Encoder, in_float32, load, load_architecture, needs_own_code
from babelbatch.runs.files import (
    CONFIG_FILE,
    ENCODER_FOLDER,
    EVALUATED_STEP,
    MERGE_FILE,
    METRICS_FILE,
    STEPS_OF_RUN,
    TRAINED,
    TRAINED_LANGUAGES,
)
from babelbatch.runs.metrics_file import DamagedMetrics, read_metrics
from babelbatch.storage.checkpoint_file import DamagedCheckpoint, read_checkpoint
from babelbatch.storage.documents import UnreadableDocument, read_json_object

_REMEDY = "remove it to use the encoder alone, or run the job again"


def facts_of_run(checkpoint: Path) -> dict[str, object]:
    """Strategy, alpha, seed and languages of the finished run that `checkpoint` belongs to, its settings as
    `trained/<key>`, and the step and the validation scores of its weights, unless the checkpoint is a .ckpt file, whose
    weights they may not be of.

    Reports compare and select by them. Of merged runs, what merge.json has. Empty for any other encoder.
    """
    place = checkpoint.absolute()
    folder = place.parent.parent if place.is_file() else place.parent if place.name == ENCODER_FOLDER else place
    if (folder / MERGE_FILE).is_file():
        facts = _merge_facts(folder / MERGE_FILE)
        return {key: value for key, value in facts.items() if not key.startswith(TRAINED)} | _trained_with(
            {key.removeprefix(TRAINED): value for key, value in facts.items() if key.startswith(TRAINED)}
        )
    if not ((folder / METRICS_FILE).is_file() and (folder / CONFIG_FILE).is_file()):
        return {}
    try:
        metrics, settings = read_metrics(folder), identity(load_config(folder / CONFIG_FILE))
    except UnreadableConfig as error:
        raise ValueError(f"checkpoint: {folder / CONFIG_FILE} is not a configuration ({error}); {_REMEDY}") from None
    except DamagedMetrics as error:
        raise ValueError(f"checkpoint: {error}; {_REMEDY}") from None
    facts = {key: metrics.get(key) for key in ("strategy", "alpha", "seed")} | _trained_with(settings)
    of_run = {TRAINED_LANGUAGES: metrics.get(TRAINED_LANGUAGES)}
    if not place.is_file():
        validation = ("validation/", "fingerprint/validation_queries")
        facts |= {key: value for key, value in metrics.items() if key.startswith(validation)}
        of_run |= {EVALUATED_STEP: metrics.get(EVALUATED_STEP), STEPS_OF_RUN: metrics.get("steps")}
    return facts | {key: value for key, value in of_run.items() if value is not None}


def _merge_facts(path: Path) -> dict[str, object]:
    try:
        return read_json_object(path)
    except UnreadableDocument as error:
        raise ValueError(f"checkpoint: {path} is not valid JSON ({error}); merge the runs again") from None


def _trained_with(settings: Mapping[str, object]) -> dict[str, object]:
    not_trained_with = ("benchmarks.", "evaluation.", "callbacks.evaluate")
    return {f"{TRAINED}{key}": value for key, value in settings.items() if not key.startswith(not_trained_with)}


def load_checkpoint(path: Path) -> Encoder:
    """The encoder of a run: of its folder, of the `encoder` folder in it, or of a .ckpt file in its checkpoints folder.

    Raises ValueError if the run did not finish, or if the path is not of a run.
    """
    if path.is_file():
        architecture = path.parent.parent / ENCODER_FOLDER
        if not (architecture / "config.json").exists():
            raise ValueError(
                f"checkpoint: {path} is not in the checkpoints folder of a run ({architecture} is missing)"
            )
        _refuse_own_code(path, architecture)
        encoder = load_architecture(architecture, path)
        try:
            state = read_checkpoint(path)["state_dict"]
        except (DamagedCheckpoint, KeyError) as error:
            raise ValueError(f"checkpoint: {path} is damaged ({error}); name another one") from error
        if any(".lora_A." in name for name in state):  # the run's tuning adds the adapters that the weights are for
            from babelbatch.commands.build import build  # imports Lightning, which nothing else here needs

            tuning = saved_part(path.parent.parent / CONFIG_FILE, "tuning")
            if tuning is None:
                raise ValueError(f"checkpoint: {path} has adapters, and {CONFIG_FILE} of its run has no tuning")
            build(tuning)(encoder)
        prefix = "encoder."
        encoder.load_state_dict({name.removeprefix(prefix): w for name, w in state.items() if name.startswith(prefix)})
        return in_float32(encoder)
    folder = encoder_folder(path)
    _refuse_own_code(path, folder)
    return load(folder)


def _refuse_own_code(path: Path, folder: Path) -> None:
    """Raises ValueError if the encoder in the folder needs code that lies beside it: no run folder's code is run."""
    if needs_own_code(folder):
        first = "let the run finish, " if path.is_file() else ""
        raise ValueError(
            f"checkpoint: {path} needs the code in {folder}, and checkpoint= runs no code of a folder; {first}read "
            f"that code, then set encoder=local encoder.name_or_path={folder} encoder.trust_remote_code=true instead"
        )


def encoder_folder(path: Path) -> Path:
    """The folder of a run's encoder: `path` itself, or the one in the folder of a finished run or merge.

    Raises ValueError if the run did not finish, or if the folder is not of a run.
    """
    if (path / "config.json").exists():
        return path
    if ((path / METRICS_FILE).exists() or (path / MERGE_FILE).exists()) and (path / ENCODER_FOLDER).is_dir():
        return path / ENCODER_FOLDER
    found = sorted(str(file) for file in path.glob("checkpoints/*.ckpt"))
    if found:
        raise ValueError(f"checkpoint: the run in {path} did not finish; it left {', '.join(found)}: name one of them")
    runs = sorted(file.parent.name for file in path.glob(f"*/{METRICS_FILE}"))
    hint = f"it is a sweep; name one of its runs: {', '.join(runs)}" if runs else "it contains no finished run"
    raise ValueError(f"checkpoint: {path} is not a run; {hint}")
