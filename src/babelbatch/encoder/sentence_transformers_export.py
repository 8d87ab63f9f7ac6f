"""Writes the files with which sentence-transformers (5 or later) computes the vectors of an encoder.

The format of module names and of the pooling's file is the one that every version reads. Queries and passages are
`encode_query` and `encode_document` there; with two towers, or a static encoder with two lengths, they are branches of
a Router.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from babelbatch.encoder.dense import Dense
from babelbatch.encoder.merging import merged_state_dict
from babelbatch.encoder.model import Encoder, Role, Tower, hidden_size
from babelbatch.encoder.pooling import Pooling
from babelbatch.encoder.sentence_transformers_folder import MODULES_FILE
from babelbatch.encoder.sentence_transformers_static import (
    LONGEST,
    is_static_embedding,
    write_as_transformer,
    write_static_embedding,
    write_truncating_tokenizer,
)
from babelbatch.encoder.static_model import StaticModel

_TASKS: dict[Role, str] = {"query": "query", "passage": "document"}
"""What sentence-transformers calls the roles."""

_FLAGS: dict[Pooling, str] = {
    "cls": "cls_token",
    "pooler": "cls_token",  # and the pooler's layer as a dense one after it
    "mean": "mean_tokens",
    "max": "max_tokens",
    "last": "lasttoken",
    "weighted_mean": "weightedmean_tokens",
    "mean_sqrt_length": "mean_sqrt_len_tokens",
}


def why_not_exportable(encoder: Encoder) -> str | None:
    """Why sentence-transformers cannot compute the vectors of an encoder; None if it can."""
    tower = encoder.tower("query")
    if isinstance(tower.backbone, StaticModel) and not is_static_embedding(encoder):
        longest = max(encoder.settings.query_length, encoder.settings.passage_length)
        if longest > LONGEST:
            return (
                f"a static embedding with special tokens or pooling={encoder.settings.pooling} reads at most "
                f"{LONGEST:,} tokens there, and this encoder {longest:,}"
            )
    if encoder.settings.pooling == "pooler" and _pooler_layer(tower) is None:
        return "the pooler of this architecture is not a dense layer with tanh on the first token"
    return None


def write_modules(encoder: Encoder, folder: Path) -> None:
    """Adds sentence-transformers' files to a folder that already has the backbone and the tokenizer.

    Dense layers, the projection and the pooler become Dense modules. `why_not_exportable` must be None.
    """
    static = is_static_embedding(encoder)
    settings = encoder.settings
    routes: dict[Role, list[tuple[str, str]]] = {}
    roles: tuple[Role, ...] = ("query", "passage") if _is_routed(encoder, static) else ("query",)
    for role in roles:
        prefix = f"{_TASKS[role]}_" if len(roles) > 1 else ""
        write_first = _write_static if static else _write_transformer
        first = write_first(encoder, folder, role, prefix)
        routes[role] = [first, *_write_rest(encoder, folder, role, prefix, with_pooling=not static)]
    modules = routes["query"]
    if len(roles) > 1:
        _write_router(routes, folder)
        modules = [("", "Router")]
    if settings.normalise:
        modules = [*modules, (f"{len(modules)}_Normalize", "Normalize")]
        (folder / modules[-1][0]).mkdir(exist_ok=True)
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(modules)
    ]
    _write_json(folder / MODULES_FILE, listed)
    prompts = {_TASKS[role]: settings.prefix(role) for role in _TASKS} | dict(settings.query_prompts)
    _write_json(
        folder / "config_sentence_transformers.json",
        {
            "model_type": "SentenceTransformer",
            "prompts": prompts,
            # `encode` without a role: only where both roles read a text in the same way
            "default_prompt_name": "document" if settings.query_prefix == settings.passage_prefix != "" else None,
            "similarity_fn_name": "cosine" if settings.normalise else "dot",
        },
    )


def _dense_modules(encoder: Encoder, role: Role) -> list[tuple[Dense, dict[str, Tensor], int]]:
    """The layers after the pooling as (settings, weights, size of the input): pooler, dense layers, projection."""
    tower = encoder.tower(role)
    size = hidden_size(tower.backbone)
    layers: list[tuple[Dense, dict[str, Tensor], int]] = []
    if encoder.settings.pooling == "pooler":
        pooler = _pooler_layer(tower)
        assert pooler is not None
        layers.append(
            (
                Dense(size=pooler.out_features, activation="Tanh"),
                _linear_weights(merged_state_dict(tower.backbone), "pooler.dense."),
                size,
            )
        )
        size = pooler.out_features
    for layer, module in zip(encoder.settings.dense, tower.dense, strict=True):
        layers.append((layer, dict(module.state_dict()), size))
        size = layer.size
    if tower.projection is not None:
        projection = Dense(size=tower.projection.out_features, bias=False, activation="Identity")
        layers.append((projection, _linear_weights(tower.projection.state_dict()), size))
    return layers


def _is_routed(encoder: Encoder, static: bool) -> bool:
    """Whether the roles take branches of their own. A transformer has a length for each role, a static one has not."""
    settings = encoder.settings
    return not settings.shared or (static and settings.query_length != settings.passage_length)


def _write_transformer(encoder: Encoder, folder: Path, role: Role, prefix: str) -> tuple[str, str]:
    """The path and the class of the transformer of a role. Its weights are there already, unless it is static."""
    settings = encoder.settings
    path = "passage" if role == "passage" else ""
    if isinstance(encoder.tower(role).backbone, StaticModel):
        path = f"{prefix}0_Transformer"
        write_as_transformer(encoder, folder / path, role)
    elif path:
        encoder.tokenizer.save_pretrained(folder / path)
    lengths = [settings.max_length(of) for of in ((role,) if not settings.shared else _TASKS)]
    config: dict[str, Any] = {"max_seq_length": max(lengths), "do_lower_case": False}
    if len({*lengths}) > 1:
        config |= {"query_length": settings.query_length, "document_length": settings.passage_length}
    _write_json(folder / path / "sentence_bert_config.json", config)
    return path, "Transformer"


def _write_static(encoder: Encoder, folder: Path, role: Role, prefix: str) -> tuple[str, str]:
    """The path and the class of the embedding of a role; in the root of the folder if both roles share it."""
    if not prefix:
        write_truncating_tokenizer(encoder, folder, role)  # over Hugging Face's, with the truncation
        return "", "StaticEmbedding"
    path = f"{prefix}0_StaticEmbedding"
    write_static_embedding(encoder, folder / path, role)
    return path, "StaticEmbedding"


def _write_rest(
    encoder: Encoder, folder: Path, role: Role, prefix: str, *, with_pooling: bool
) -> list[tuple[str, str]]:
    """The paths and classes of pooling and dense layers."""
    modules: list[tuple[str, str]] = []
    if with_pooling:
        modules.append((f"{prefix}1_Pooling", "Pooling"))
        flag = _FLAGS[encoder.settings.pooling]
        _write_json(
            folder / modules[0][0] / "config.json",
            {
                "word_embedding_dimension": hidden_size(encoder.tower(role).backbone),
                **{f"pooling_mode_{name}": name == flag for name in dict.fromkeys(_FLAGS.values())},
                "include_prompt": True,
            },
        )
    for layer, weights, size in _dense_modules(encoder, role):
        path = f"{prefix}{len(modules) + 1}_Dense"
        modules.append((path, "Dense"))
        config = {
            "in_features": size,
            "out_features": layer.size,
            "bias": layer.bias,
            "activation_function": f"torch.nn.modules.{_module_of(layer.activation)}.{layer.activation}",
        }
        _write_json(folder / path / "config.json", config | ({"use_residual": True} if layer.residual else {}))
        save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / path / "model.safetensors")
    return modules


def _write_router(routes: dict[Role, list[tuple[str, str]]], folder: Path) -> None:
    """The branches. A module in the root of the folder has the path `.` there."""
    named = {role: [(path or ".", kind) for path, kind in modules] for role, modules in routes.items()}
    _write_json(
        folder / "router_config.json",
        {
            "types": {
                path: f"sentence_transformers.models.{kind}" for modules in named.values() for path, kind in modules
            },
            "structure": {_TASKS[role]: [path for path, _ in modules] for role, modules in named.items()},
            "parameters": {"default_route": "document", "allow_empty_key": True},
        },
    )


def _pooler_layer(tower: Tower) -> nn.Linear | None:
    """The dense layer of a BERT-like pooler, without its adapter; None if the pooler is something else."""
    pooler = getattr(tower.backbone, "pooler", None)
    if not isinstance(pooler, nn.Module) or {name for name, _ in pooler.named_children()} != {"dense", "activation"}:
        return None
    dense = getattr(pooler.dense, "base_layer", pooler.dense)
    return dense if isinstance(dense, nn.Linear) and isinstance(pooler.activation, nn.Tanh) else None


def _linear_weights(state: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    return {
        f"linear.{name}": state[f"{prefix}{name}"].contiguous()
        for name in ("weight", "bias")
        if f"{prefix}{name}" in state
    }


def _module_of(activation: str) -> str:
    """The module of torch.nn that defines a class, such as `activation` for Tanh."""
    defined: str = getattr(torch.nn, activation).__module__
    return defined.removeprefix("torch.nn.modules.")


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
