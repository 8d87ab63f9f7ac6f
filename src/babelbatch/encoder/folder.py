"""An encoder on disk: a Hugging Face folder, and beside it what babelbatch needs to know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

from safetensors.torch import load_model, save_model
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from babelbatch.encoder.model import Encoder, Settings

SETTINGS_FILE = "babelbatch.json"
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")


def save(encoder: Encoder, folder: Path) -> None:
    """Writes an encoder: `AutoModel.from_pretrained(folder)` finds its (question) backbone, `load` finds all of it."""
    save_architecture(encoder, folder)
    question, passage = encoder.towers["question"], encoder.towers["passage"]
    with _quiet():
        question.backbone.save_pretrained(folder)
        if not encoder.settings.shared:
            passage.backbone.save_pretrained(folder / "passage")
    if question.projection is not None:
        save_model(question.projection, str(folder / "question_projection.safetensors"))
        if not encoder.settings.shared:
            save_model(passage.projection, str(folder / "passage_projection.safetensors"))


def save_architecture(encoder: Encoder, folder: Path) -> None:
    """Writes all of an encoder but its weights: what a training checkpoint needs to become an encoder again."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder.towers["question"].backbone.config.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    (folder / SETTINGS_FILE).write_text(json.dumps(asdict(encoder.settings), indent=2) + "\n")


def load(folder: Path) -> Encoder:
    """Reads what `save` wrote."""
    return load_pretrained(str(folder), asked={}, trust_remote_code=False)


def load_architecture(folder: Path) -> Encoder:
    """Reads what `save_architecture` wrote; the weights are random."""
    backbone = AutoModel.from_config(AutoConfig.from_pretrained(folder))
    return Encoder(backbone, _tokenizer(str(folder), trust_remote_code=False), Settings(**_stored_settings(folder)))


def load_pretrained(name_or_path: str, *, asked: dict[str, object], trust_remote_code: bool) -> Encoder:
    """See `backbones.pretrained`. `asked` are the settings that override what the folder says."""
    folder = Path(name_or_path)
    if folder.is_dir():
        _require_complete(folder)
    elif folder.is_absolute() or name_or_path.startswith((".", "~")):
        raise ValueError(f"encoder.name_or_path: there is no folder {name_or_path}")
    backbone = _model(name_or_path, trust_remote_code)
    tokenizer = _tokenizer(name_or_path, trust_remote_code)
    stored = _stored_settings(folder)
    limit = getattr(backbone.config, "max_position_embeddings", None)
    settings = Settings(**{**stored, **asked})
    longest = max(settings.question_length, settings.passage_length)
    if limit is not None and longest > limit:
        raise ValueError(f"encoder.passage_length: {longest} tokens, but {name_or_path} has only {limit} positions")
    encoder = Encoder(backbone, tokenizer, settings)
    passage = folder / "passage"
    if not settings.shared and passage.is_dir():
        encoder.towers["passage"].backbone.load_state_dict(_model(str(passage), trust_remote_code).state_dict())
    for role, tower in encoder.towers.items():
        projection = folder / f"{role}_projection.safetensors"
        if tower.projection is not None and projection.exists():
            load_model(tower.projection, projection)
    return encoder


def _require_complete(folder: Path) -> None:
    if not (folder / "config.json").exists():
        raise ValueError(f"encoder.name_or_path: {folder} has no config.json; it is not a Hugging Face model folder")
    if not any(path for pattern in _WEIGHTS for path in folder.glob(pattern)):
        raise ValueError(
            f"encoder.name_or_path: {folder} has no weights (model.safetensors or pytorch_model.bin); "
            "save the model there again with save_pretrained"
        )


def _stored_settings(folder: Path) -> dict[str, object]:
    """Settings that the folder itself states, in babelbatch's or in sentence-transformers' files."""
    if (folder / SETTINGS_FILE).exists():
        stored = json.loads((folder / SETTINGS_FILE).read_text())
        return {field.name: stored[field.name] for field in fields(Settings) if field.name in stored}
    if (folder / "modules.json").exists():
        return _sentence_transformers_settings(folder)
    return {}


def _sentence_transformers_settings(folder: Path) -> dict[str, object]:
    """Pooling, length and normalisation of a sentence-transformers folder.

    Raises ValueError for modules that an `Encoder` has no equivalent of: a silent difference would be worse.
    """
    modules = [module["type"].rsplit(".", 1)[-1] for module in json.loads((folder / "modules.json").read_text())]
    if modules not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ValueError(
            f"{folder}: sentence-transformers modules {modules} are not supported (Transformer, Pooling and Normalize "
            "are); point encoder.name_or_path at the transformer inside and set encoder.pooling"
        )
    pooling_folder = json.loads((folder / "modules.json").read_text())[1]["path"]
    pooling = json.loads((folder / pooling_folder / "config.json").read_text())
    flags = {name.removeprefix("pooling_mode_") for name, on in pooling.items() if on is True}
    modes = [pooling["pooling_mode"]] if "pooling_mode" in pooling else sorted(flags - {"include_prompt"})
    known = {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls", "cls": "cls"}
    if len(modes) != 1 or modes[0] not in known:
        raise ValueError(f"{folder}: pooling {modes} is not supported (mean or cls is)")
    settings: dict[str, object] = {"pooling": known[modes[0]], "normalise": "Normalize" in modules}
    transformer_file = folder / "sentence_bert_config.json"
    length = json.loads(transformer_file.read_text()).get("max_seq_length") if transformer_file.exists() else None
    if length is not None:
        settings |= {"question_length": length, "passage_length": length}
    return settings


def _model(name_or_path: str, trust_remote_code: bool) -> PreTrainedModel:
    try:
        with _quiet():
            return AutoModel.from_pretrained(name_or_path, trust_remote_code=trust_remote_code, dtype="float32")
    except (OSError, ValueError) as error:
        raise _unloadable(name_or_path, "model", error) from error


def _tokenizer(name_or_path: str, trust_remote_code: bool) -> PreTrainedTokenizerFast:
    try:
        return AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise _unloadable(name_or_path, "tokenizer", error) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bars for one file, and its note on a language-model head that retrieval does not need."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _unloadable(name_or_path: str, part: str, error: Exception) -> ValueError:
    reason = str(error).strip().splitlines()[0]
    return ValueError(
        f"encoder.name_or_path: no {part} could be loaded from '{name_or_path}' ({reason}); "
        "give a folder that holds it, or a hub name while the hub can be reached"
    )
