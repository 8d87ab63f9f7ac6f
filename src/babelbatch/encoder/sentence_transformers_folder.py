"""Reads the settings in a folder that sentence-transformers saved, any version up to 6, and finds its weights.

An `Encoder` is a transformer or a static embedding, a pooling, dense layers, and a normalisation. A folder with any
other module is refused by name, since ignoring it would change the vectors silently.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from babelbatch.encoder.attention import COUNT_POSITIONS_FROM_PADDING
from babelbatch.encoder.dense import Dense
from babelbatch.encoder.json_files import read_json, read_json_if_exists

log = logging.getLogger(__name__)

MODULES_FILE = "modules.json"
_PROMPTS = {"query_prefix": ("query",), "passage_prefix": ("document", "passage", "corpus")}
_POOLINGS = {
    "cls": "cls",
    "mean": "mean",
    "max": "max",
    "lasttoken": "last",
    "weightedmean": "weighted_mean",
    "mean_sqrt_len_tokens": "mean_sqrt_length",
}
_FLAGS = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max", "weightedmean_tokens": "weightedmean"}
_TRANSFORMER_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
UNLIMITED = 1 << 20  # tokens; a model without positions has no longest text
_REASONS = {
    "Router": "queries and passages take branches of their own",
    "Asym": "queries and passages take branches of their own",
    "CLIPModel": "it is made for images",
    "MLMTransformer": "its vectors are sparse",
    "SpladePooling": "its vectors are sparse",
    "SparseAutoEncoder": "its vectors are sparse",
    "SparseStaticEmbedding": "its vectors are sparse",
    "MultiVectorMask": "a text is many vectors",
}


@dataclass(frozen=True, slots=True)
class SentenceTransformersFolder:
    """What a folder contains.

    settings: arguments of `Settings` that it stores. backbone: the folder of the transformer or the static embedding.
    is_static: whether it is a static embedding. dense: the folder of each dense layer.
    """

    settings: dict[str, Any]
    backbone: Path
    is_static: bool
    dense: tuple[Path, ...]


def read_folder(folder: Path) -> SentenceTransformersFolder | None:
    """The content of a folder, or None if sentence-transformers did not save it.

    Raises ValueError if an `Encoder` cannot compute what it describes.
    """
    if not (folder / MODULES_FILE).exists():
        return None
    try:
        return _read_modules(folder)
    except (AttributeError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise ValueError(
            f"{folder}: a JSON file of its modules has other values than sentence-transformers writes "
            f"({type(error).__name__}: {error}); save the model there again"
        ) from error


def _read_modules(folder: Path) -> SentenceTransformersFolder:
    modules = [
        (_name(module["type"], folder), _inside(folder, module["path"])) for module in read_json(folder / MODULES_FILE)
    ]
    names = [name for name, _ in modules]
    is_static = names[:1] == ["StaticEmbedding"]
    rest = names[1:] if is_static else names[2:]
    layers = rest[:-1] if rest[-1:] == ["Normalize"] else rest
    if not (is_static or names[:2] == ["Transformer", "Pooling"]) or {*layers} - {"Dense"}:
        raise _refused(folder, f"the modules {', '.join(names)}", "an encoder has another order")
    main = read_json_if_exists(folder / "config_sentence_transformers.json")
    dense = tuple(path for name, path in modules if name == "Dense")
    by_dot = "Normalize" not in names and main.get("similarity_fn_name") == "dot"
    settings: dict[str, Any] = {"normalise": not by_dot, **_prefixes(main, folder)}
    if is_static:
        settings |= {"pooling": "mean", **dict.fromkeys(("query_length", "passage_length"), UNLIMITED)}
    else:
        pooling = read_json(modules[1][1] / "config.json")
        if pooling.get("include_prompt") is False and (settings["query_prefix"] or settings["passage_prefix"]):
            raise _refused(folder, "Pooling with include_prompt=false", "it leaves its prompts out of the mean")
        settings |= {"pooling": _pooling(pooling, folder), **_lengths(folder, modules[0][1])}
    if dense:
        settings["dense"] = tuple(_dense(path) for path in dense)
    return SentenceTransformersFolder(settings, modules[0][1], is_static, dense)


def _inside(folder: Path, path: str) -> Path:
    """The folder of a module. Raises ValueError if it is not inside the model's."""
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise _refused(folder, f"a module in '{path}'", "it leads out of the folder")
    return folder / path


def _name(kind: str, folder: Path) -> str:
    """The name of a module's class. Raises ValueError if an encoder cannot have such a module."""
    package, _, name = kind.rpartition(".")
    if package.split(".")[0] != "sentence_transformers":
        raise _refused(folder, f"the module {kind}", "it is code of its own")
    if name not in {"Transformer", "Pooling", "Dense", "Normalize", "StaticEmbedding"}:
        raise _refused(folder, f"the sentence-transformers module {name}", _REASONS.get(name, "it is rarely used"))
    return name


def _refused(folder: Path, what: str, reason: str) -> ValueError:
    return ValueError(
        f"encoder.name_or_path: {folder} has {what}, which is not supported ({reason}); point it at the transformer "
        "inside and set encoder.pooling, or at another model"
    )


def _pooling(config: dict[str, Any], folder: Path) -> str:
    stated = config.get("pooling_mode")
    if stated is None:  # until version 5 there was a flag for each mode
        flags = [key.removeprefix("pooling_mode_") for key, on in config.items() if on is True and "pooling_" in key]
        stated = [_FLAGS.get(flag, flag) for flag in flags]
    modes = [stated] if isinstance(stated, str) else sorted(stated)
    if len(modes) != 1 or modes[0] not in _POOLINGS:
        raise _refused(folder, f"the pooling {' + '.join(modes) or 'none'}", f"one of {', '.join(_POOLINGS)} is")
    return _POOLINGS[modes[0]]


def _prefixes(main: dict[str, Any], folder: Path) -> dict[str, str]:
    """The prefix of each role: of its prompts the first that is there, empty or not, else the default prompt.

    sentence-transformers documents the same rule, but its methods look for the names `query` and `document` only, and
    use no prompt without them. A warning says where that makes a difference, and names the prompts that no role has.
    """
    prompts: dict[str, str | None] = main.get("prompts") or {}
    default = main.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise ValueError(
            f"{folder}: default_prompt_name is '{default}', but its prompts are {', '.join(prompts) or 'none'}; "
            "mend config_sentence_transformers.json"
        )
    prefixes, used = {}, {default}
    for setting, names in _PROMPTS.items():
        name = next((name for name in names if name in prompts), default)
        used.add(name)
        prefixes[setting] = prompts.get(name or "") or ""
        if prefixes[setting] != (prompts.get(names[0]) or ""):
            log.warning(
                "%s: encoder.%s is %r, its prompt '%s'; sentence-transformers' encode_%s uses none, since it has no "
                "prompt '%s'",
                folder, setting, prefixes[setting], name, names[0], names[0],
            )  # fmt: skip
    if unused := [f"{name} ({text!r})" for name, text in prompts.items() if text and name not in used]:
        log.warning(
            "%s: prompts that no role uses: %s; to use one, set encoder.query_prefix or encoder.passage_prefix",
            folder, ", ".join(unused),
        )  # fmt: skip
    return prefixes


def _lengths(folder: Path, transformer: Path) -> dict[str, int]:
    """The longest texts in tokens, from the transformer's file or (since version 6) its tokenizer."""
    files = [transformer / name for name in _TRANSFORMER_FILES if (transformer / name).exists()]
    stated: dict[str, Any] = read_json(files[0]) if files else {}
    if stated.get("do_lower_case"):
        raise ValueError(f"{folder}: do_lower_case in sentence_bert_config.json is not supported; lower-case the texts")
    if (task := stated.get("transformer_task", "feature-extraction")) != "feature-extraction":
        raise _refused(folder, f"a transformer for {task}", "it has another head")
    output = (stated.get("modality_config") or {}).get("text", {}).get("method_output_name", "last_hidden_state")
    if output != "last_hidden_state" or stated.get("query_expansion"):
        raise _refused(folder, f"a transformer that gives {output}", "its last hidden states are what is pooled")
    config = read_json(transformer / "config.json")
    positions = config.get("max_position_embeddings")
    if positions is not None and config.get("model_type") in COUNT_POSITIONS_FROM_PADDING:
        positions -= config.get("pad_token_id", 1) + 1
    longest = stated.get("max_seq_length")
    if not longest:
        longest = read_json_if_exists(transformer / "tokenizer_config.json").get("model_max_length")
    known = [int(number) for number in (longest, positions) if number is not None and int(number) > 0]  # XLNet has -1
    length = min(min(known), UNLIMITED) if known else None
    by_role: dict[str, int | None] = {
        "query_length": stated.get("query_length"),
        "passage_length": stated.get("document_length"),
    }
    return {name: found for name, of_role in by_role.items() if (found := of_role or length)}


def _dense(folder: Path) -> Dense:
    config = read_json(folder / "config.json")
    if {config.get(f"module_{end}_name") or "sentence_embedding" for end in ("input", "output")} != {
        "sentence_embedding"
    }:
        raise _refused(folder, "a Dense layer on tokens", "a text is many vectors")
    activation = config.get("activation_function") or "torch.nn.modules.linear.Identity"
    package, _, name = activation.rpartition(".")
    if not package.startswith("torch.nn") or not hasattr(nn, name):
        raise _refused(folder, f"the activation {activation}", "it is code of its own")
    return Dense(
        size=config["out_features"],
        bias=config.get("bias", True),
        activation=name,
        residual=config.get("use_residual", False),
    )
