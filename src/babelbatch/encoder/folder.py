"""An encoder on disk: a Hugging Face folder, and beside it what babelbatch needs to know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTextEncoding,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from babelbatch.encoder.attention import first_position, use_attention
from babelbatch.encoder.hub import folder_on_hub
from babelbatch.encoder.merging import plain_weights
from babelbatch.encoder.model import Encoder, Settings
from babelbatch.encoder.sentence_transformers_folder import MODULES_FILE, read_folder
from babelbatch.encoder.sentence_transformers_weights import load_dense, load_static
from babelbatch.encoder.stored_settings import SETTINGS_FILE, store_settings, stored_settings

if TYPE_CHECKING:
    from babelbatch.encoder.attention import Attention

_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
)


def save(encoder: Encoder, folder: Path) -> None:
    """Writes an encoder: `AutoModel.from_pretrained(folder)` finds its (question) backbone, `load` finds all of it.

    Adapters are merged into the weights that are written; the encoder itself stays as it is.
    """
    save_architecture(encoder, folder)
    roles = ("query",) if encoder.settings.shared else ("query", "passage")
    for role in roles:
        tower = encoder.towers[role]
        with _quiet():
            part = folder / "passage" if role == "passage" else folder
            tower.backbone.save_pretrained(part, state_dict=plain_weights(tower.backbone))
        if tower.projection is not None:
            save_model(tower.projection, str(folder / f"{role}_projection.safetensors"))
        if encoder.settings.dense:
            save_model(tower.dense, str(folder / f"{role}_dense.safetensors"))


def save_architecture(encoder: Encoder, folder: Path) -> None:
    """Writes all of an encoder but its weights: what a training checkpoint needs to become an encoder again."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder.towers["query"].backbone.config.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    store_settings(encoder.settings, folder)


def load(folder: Path) -> Encoder:
    """Reads what `save` wrote."""
    return load_pretrained(str(folder), asked={}, trust_remote_code=False)


def load_architecture(folder: Path) -> Encoder:
    """Reads what `save_architecture` wrote; the weights are random."""
    config = AutoConfig.from_pretrained(folder)
    backbone = _architecture(config).from_config(config)
    return Encoder(backbone, _tokenizer(str(folder), trust_remote_code=False), Settings(**stored_settings(folder)))


def load_pretrained(
    name_or_path: str, *, asked: dict[str, object], trust_remote_code: bool, attention: Attention | None = None
) -> Encoder:
    """See `backbones.pretrained`. `asked` are the settings that override what the folder says."""
    folder = Path(name_or_path).expanduser()
    published = None
    if not folder.is_dir():
        if folder.is_absolute() or name_or_path.startswith("."):
            raise ValueError(f"encoder.name_or_path: there is no folder {name_or_path}")
        saying = (SETTINGS_FILE, MODULES_FILE)
        folder = folder_on_hub(name_or_path, saying=saying, pooling_is_said="pooling" in asked) or folder
    if folder.is_dir():
        published = None if (folder / SETTINGS_FILE).exists() else read_folder(folder)
        name_or_path = str(published.backbone if published else folder)
    stored = published.settings if published else stored_settings(folder)
    settings = Settings(**{**stored, **asked})
    if published and published.is_static:
        backbone, tokenizer = load_static(published.backbone)
    else:
        if folder.is_dir():
            _require_complete(Path(name_or_path))
        backbone = _model(name_or_path, trust_remote_code, pooler=settings.pooling == "pooler")
        tokenizer = _tokenizer(name_or_path, trust_remote_code)
    _require_positions(backbone, settings, name_or_path)
    use_attention(backbone, attention)
    encoder = Encoder(backbone, tokenizer, settings)
    roles = ("query",) if settings.shared else ("query", "passage")
    kept = {role: role if stored.get("shared") is False else "query" for role in roles}  # whose weights are there
    for role in roles if settings.dense else ():
        if published:
            for layer, place in zip(encoder.towers[role].dense, published.dense, strict=True):
                load_dense(layer, place)
        else:
            load_model(encoder.towers[role].dense, _part(folder, f"{kept[role]}_dense.safetensors"))
    if stored.get("shared") is False and not settings.shared:
        passage = _model(str(_part(folder, "passage")), trust_remote_code, pooler=settings.pooling == "pooler")
        encoder.towers["passage"].backbone.load_state_dict(passage.state_dict(), strict=False)
    if stored.get("dimensions") is not None and settings.dimensions is not None:
        if settings.dimensions != stored["dimensions"]:
            raise ValueError(
                f"encoder.dimensions: {settings.dimensions}, but {folder} was trained with {stored['dimensions']}"
            )
        for role in roles:
            load_model(encoder.towers[role].projection, _part(folder, f"{kept[role]}_projection.safetensors"))
    return encoder.train()  # as new: transformers hands out models with dropout switched off


def _require_complete(folder: Path) -> None:
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise ValueError(
            f"encoder.name_or_path: {folder} holds an adapter, but not the model that it is for; merge the two "
            "(peft: merge_and_unload) and save the result"
        )
    if not (folder / "config.json").exists():
        raise ValueError(f"encoder.name_or_path: {folder} has no config.json; it is not a Hugging Face model folder")
    if not any(path for pattern in _WEIGHTS for path in folder.glob(pattern)):
        raise ValueError(
            f"encoder.name_or_path: {folder} has no weights (model.safetensors or pytorch_model.bin); "
            "save the model there again with save_pretrained"
        )
    if not any((folder / name).exists() for name in _TOKENIZERS):  # transformers would make one of five tokens
        raise _unloadable(str(folder), "tokenizer", f"none of {', '.join(_TOKENIZERS)} is there")


def _require_positions(backbone: PreTrainedModel, settings: Settings, name_or_path: str) -> None:
    positions = getattr(backbone.config, "max_position_embeddings", None)  # not every architecture has positions
    if positions is None:
        return
    positions -= first_position(backbone)
    for name, length in (("query", settings.query_length), ("passage", settings.passage_length)):
        if length > positions:
            raise ValueError(
                f"encoder.{name}_length: {length} tokens, but {name_or_path} has only {positions} positions"
            )


def _part(folder: Path, name: str) -> Path:
    if (former := folder / name.replace("query_", "question_")).exists():  # written by an earlier version
        return former
    if not (folder / name).exists():
        raise ValueError(f"encoder.name_or_path: {folder} has lost '{name}'; copy it there, or save the model again")
    return folder / name


def _model(name_or_path: str, trust_remote_code: bool, *, pooler: bool) -> PreTrainedModel:
    try:
        with _quiet():
            config = AutoConfig.from_pretrained(name_or_path, trust_remote_code=trust_remote_code)
            model, found = _architecture(config).from_pretrained(
                name_or_path, trust_remote_code=trust_remote_code, dtype="float32", output_loading_info=True
            )
    except (OSError, ValueError, SafetensorError) as error:
        raise _unloadable(name_or_path, "model", error) from error
    # A pooler that is not used may be missing. Anything else would be random, and another one in every run.
    missing = sorted(key for key in found["missing_keys"] if pooler or not key.startswith("pooler."))
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise _unloadable(name_or_path, "model", f"its weights lack {len(missing)} tensors: {some}")
    return model


def _architecture(config: PreTrainedConfig) -> type[AutoModel] | type[AutoModelForTextEncoding]:
    """What builds the backbone: of T5 and its kin only the half that reads."""
    return AutoModelForTextEncoding if config.model_type in {"t5", "mt5", "umt5"} else AutoModel


def _tokenizer(name_or_path: str, trust_remote_code: bool) -> PreTrainedTokenizerFast:
    try:
        return AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise _unloadable(name_or_path, "tokenizer", error) from error


def _unloadable(name_or_path: str, part: str, reason: object) -> ValueError:
    return ValueError(
        f"encoder.name_or_path: no {part} could be loaded from '{name_or_path}' "
        f"({str(reason).strip().splitlines()[0]}); "
        "give a folder that holds it, or a hub name while the hub can be reached"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bars for one file, and its report on heads that retrieval does not need."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
