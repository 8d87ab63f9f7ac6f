"""Saves and loads an encoder: a Hugging Face folder, with babelbatch's settings and further weights beside it."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn
from transformers import AutoConfig, PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from babelbatch.encoder.adapters import base_of, with_adapter
from babelbatch.encoder.attention import first_position, use_attention
from babelbatch.encoder.checksums import remove_checksums, verify_checksums, write_checksums
from babelbatch.encoder.decoders import append_eos, check_direction, set_direction
from babelbatch.encoder.dense import DenseLayer
from babelbatch.encoder.hub import fetch_model, folder_on_hub
from babelbatch.encoder.huggingface import (
    load_backbone,
    load_tokenizer,
    model_class,
    quiet,
    require_model_files,
    weights_files,
)
from babelbatch.encoder.merging import merged_state_dict
from babelbatch.encoder.model import Encoder, Role, Settings
from babelbatch.encoder.preflight import check_vectors
from babelbatch.encoder.sentence_transformers_export import why_not_exportable, write_modules
from babelbatch.encoder.sentence_transformers_folder import MODULES_FILE, SentenceTransformersFolder, read_folder
from babelbatch.encoder.sentence_transformers_weights import load_dense, load_static
from babelbatch.encoder.settings_file import SETTINGS_FILE, load_settings, save_settings
from babelbatch.encoder.size_limit import OversizedModel, size_limited

if TYPE_CHECKING:
    from babelbatch.encoder.attention import Attention
    from babelbatch.encoder.huggingface import WeightDtype

log = logging.getLogger(__name__)

_ON_HUB = (SETTINGS_FILE, MODULES_FILE)  # that transformers does not read


def save(encoder: Encoder, folder: Path) -> None:
    """Writes an encoder, so that `load` and `SentenceTransformer(folder)` compute its vectors.

    `AutoModel` loads its backbone; with two towers, the one of queries. Adapters are merged into the written weights;
    the encoder itself is unchanged. Where `why_not_exportable` has a reason, sentence-transformers' files are left out.
    """
    save_architecture(encoder, folder)
    for role in _roles(encoder.settings):
        tower = encoder.tower(role)
        with quiet():
            part = folder / "passage" if role == "passage" else folder
            tower.backbone.save_pretrained(part, state_dict=merged_state_dict(tower.backbone))
        if tower.projection is not None:
            save_model(tower.projection, str(folder / f"{role}_projection.safetensors"))
        if encoder.settings.dense:
            save_model(tower.dense, str(folder / f"{role}_dense.safetensors"))
    if why_not_exportable(encoder) is None:
        write_modules(encoder, folder)
    write_checksums(folder)


def save_architecture(encoder: Encoder, folder: Path) -> None:
    """Writes all of an encoder but its weights: what a training checkpoint needs to become an encoder again."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_checksums(folder)
    encoder.tower("query").backbone.config.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    save_settings(encoder.settings, folder)


def load(folder: Path) -> Encoder:
    """Reads what `save` wrote. Raises ValueError if files are missing or damaged."""
    log.info("loading the encoder %s", folder)
    return load_pretrained(str(folder), overrides={}, trust_remote_code=False)


def load_architecture(folder: Path, weights: Path) -> Encoder:
    """Reads what `save_architecture` wrote. The weights are random.

    weights: the file of those that it is built for. Raises ValueError if the folder describes no model, or one that is
    far larger than that file.
    """
    settings, tokenizer = Settings(**load_settings(folder)), load_tokenizer(str(folder), False)
    try:
        config = AutoConfig.from_pretrained(folder)
        build = model_class(config).from_config
        with size_limited(folder, [weights]), torch.device("meta"):  # before it takes memory
            Encoder(build(config), tokenizer, settings)  # type: ignore[no-untyped-call]  # transformers does not annotate it
        backbone = build(config)  # type: ignore[no-untyped-call]  # as above
    except OversizedModel:
        raise
    except Exception as error:  # transformers raises any of a dozen types for a damaged config.json
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(
            f"{folder / 'config.json'} describes no model ({reason}); save the model there again"
        ) from error
    return Encoder(backbone, tokenizer, settings)


def load_pretrained(
    name_or_path: str,
    *,
    overrides: dict[str, Any],
    trust_remote_code: bool,
    attention: Attention | None = None,
    bidirectional: bool | None = None,
    with_eos: bool = False,
    dtype: WeightDtype = "float32",
) -> Encoder:
    """See `backbones.pretrained`. overrides: settings that replace those of the folder."""
    source = _locate(name_or_path, pooling_is_set="pooling" in overrides)
    settings = Settings(**{**source.settings, **overrides})
    verify_checksums(source.folder)
    with _limited(source):
        backbone, tokenizer = _load_transformer(
            source,
            trust_remote_code,
            with_pooler=settings.pooling == "pooler",
            bidirectional=bidirectional,
            dtype=dtype,
        )
    if with_eos:
        append_eos(tokenizer, name_or_path)
    _require_positions(backbone, settings, source.name)
    use_attention(backbone, attention)
    with _limited(source):
        encoder = Encoder(backbone, tokenizer, settings)
    _load_dense_layers(encoder, source)
    _load_passage_backbone(encoder, source, trust_remote_code)
    _load_projections(encoder, source)
    check_vectors(encoder, name_or_path)
    check_direction(encoder, name_or_path, bidirectional=bidirectional, pooling_is_stored="pooling" in source.settings)
    return encoder.train()  # transformers returns models in evaluation mode


@dataclass(frozen=True, slots=True)
class _Source:
    """Where an encoder is loaded from.

    name: of the backbone, a folder or a name on the hub. folder: with babelbatch's files, if it exists.
    exported: what sentence-transformers saved there, or None. settings: arguments of `Settings` stored there.
    base: of an adapter, the folder or name on the hub of the backbone that it is for. Where the adapter has no settings
        of its own, all but `name` is that of its base.
    """

    name: str
    folder: Path
    exported: SentenceTransformersFolder | None
    settings: dict[str, Any]
    base: str | None = None

    def weights_role(self, role: Role) -> Role:
        """The role whose stored weights a tower is loaded from: `query` unless both were stored."""
        return role if self.settings.get("shared") is False else "query"


def fetch_from_hub(name: str) -> Path:
    """Fetches a model of the hub, so that `load_pretrained` needs no connection. Raises ValueError."""
    return fetch_model(name, _ON_HUB)


def _limited(source: _Source) -> AbstractContextManager[None]:
    """Limits the size of what is built to that of the weights; of an adapter, and on the hub, they are elsewhere."""
    if not source.folder.is_dir() or source.base is not None:
        return nullcontext()
    return size_limited(source.folder, {*weights_files(Path(source.name)), *source.folder.rglob("*.safetensors")})


def _locate(name_or_path: str, *, pooling_is_set: bool) -> _Source:
    source = _locate_files(name_or_path, pooling_is_set=pooling_is_set)
    adapter = Path(source.name)
    if not adapter.is_dir() or (base := base_of(adapter)) is None:
        return source
    of_base = _locate(base, pooling_is_set=pooling_is_set)
    if source.exported is not None or source.settings:
        return replace(source, base=of_base.name)
    if of_base.settings.get("shared") is False:
        raise ValueError(
            f"encoder.name_or_path: {adapter} has an adapter for one tower, but {base} has two; merge it yourself "
            "(peft: merge_and_unload) and save the result"
        )
    return replace(of_base, name=source.name, base=of_base.name)


def _locate_files(name_or_path: str, *, pooling_is_set: bool) -> _Source:
    folder = Path(name_or_path).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or name_or_path.startswith("."):
            raise ValueError(f"encoder.name_or_path: there is no folder {name_or_path}")
        folder = folder_on_hub(name_or_path, files=_ON_HUB, pooling_is_set=pooling_is_set) or folder
    if not folder.is_dir():
        return _Source(name_or_path, folder, None, load_settings(folder))
    exported = None if (folder / SETTINGS_FILE).exists() else read_folder(folder)
    if exported is None:
        return _Source(str(folder), folder, None, load_settings(folder))
    return _Source(str(exported.backbone), folder, exported, exported.settings)


def _load_transformer(
    source: _Source, trust_remote_code: bool, *, with_pooler: bool, bidirectional: bool | None, dtype: WeightDtype
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if source.exported is not None and source.exported.is_static:
        model, words = load_static(source.exported.backbone)
        return model.to(getattr(torch, dtype)), words
    base = source.base
    if source.folder.is_dir() and base is None:
        require_model_files(Path(source.name))
    load_base = partial(
        load_backbone,
        base or source.name,
        trust_remote_code,
        with_pooler=with_pooler,
        change=partial(set_direction, bidirectional=bidirectional),
        dtype=dtype,
    )
    if base is None:
        return load_base(), load_tokenizer(source.name, trust_remote_code)
    has_tokenizer = (Path(source.name) / "tokenizer_config.json").exists()
    tokenizer = load_tokenizer(source.name if has_tokenizer else base, trust_remote_code)
    return with_adapter(load_base, Path(source.name)), tokenizer


def _load_dense_layers(encoder: Encoder, source: _Source) -> None:
    if not encoder.settings.dense:
        return
    for role in _roles(encoder.settings):
        layers = encoder.tower(role).dense
        if source.exported is None:
            _load_weights(layers, _weights_file(source.folder, f"{source.weights_role(role)}_dense.safetensors"))
            continue
        for layer, folder in zip(layers, source.exported.dense, strict=True):
            assert isinstance(layer, DenseLayer)
            load_dense(layer, folder)


def _load_passage_backbone(encoder: Encoder, source: _Source, trust_remote_code: bool) -> None:
    """Where both towers were stored; else the passage tower starts as a copy of the query tower."""
    if source.settings.get("shared") is not False or encoder.settings.shared:
        return
    folder = str(_weights_file(source.folder, "passage"))
    stored = load_backbone(
        folder, trust_remote_code, with_pooler=encoder.settings.pooling == "pooler", change=None
    )  # its weights only
    encoder.tower("passage").backbone.load_state_dict(stored.state_dict(), strict=False)


def _load_projections(encoder: Encoder, source: _Source) -> None:
    stored, dimensions = source.settings.get("dimensions"), encoder.settings.dimensions
    if stored is None or dimensions is None:
        return
    if dimensions != stored:
        raise ValueError(
            f"encoder.dimensions: {dimensions}, but {source.folder} was trained with {stored}; leave it out"
        )
    for role in _roles(encoder.settings):
        projection = encoder.tower(role).projection
        assert projection is not None
        _load_weights(projection, _weights_file(source.folder, f"{source.weights_role(role)}_projection.safetensors"))


def _roles(settings: Settings) -> tuple[Role, ...]:
    """The roles with weights of their own."""
    return ("query",) if settings.shared else ("query", "passage")


def _require_positions(backbone: PreTrainedModel, settings: Settings, name_or_path: str) -> None:
    positions = getattr(backbone.config, "max_position_embeddings", None)  # not every architecture has positions
    if positions is None or positions < 0:  # XLNet has -1
        return
    positions -= first_position(backbone)
    for name, length in (("query", settings.query_length), ("passage", settings.passage_length)):
        if length > positions:
            raise ValueError(
                f"encoder.{name}_length: {length} tokens, but {name_or_path} has only {positions} positions; set it to "
                f"{positions} or less"
            )


def _load_weights(module: nn.Module, path: Path) -> None:
    """Raises ValueError for a damaged file, and for weights of another module."""
    try:
        load_model(module, path)
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"encoder.name_or_path: {path} cannot be loaded ({reason}); copy it there again, or save the model again"
        ) from None


def _weights_file(folder: Path, name: str) -> Path:
    if (former := folder / name.replace("query_", "question_")).exists():  # written by an earlier version
        return former
    if not (folder / name).exists():
        raise ValueError(f"encoder.name_or_path: {folder} has lost '{name}'; copy it there, or save the model again")
    return folder / name
