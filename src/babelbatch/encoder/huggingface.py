"""Loads a backbone and its tokenizer from a Hugging Face folder or from the hub."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Literal

from huggingface_hub.utils.tqdm import are_progress_bars_disabled, enable_progress_bars
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTextEncoding,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from babelbatch.encoder.remote_code import restore_unstored_tensors, uninitialised_as_nan
from babelbatch.encoder.size_limit import OversizedModel
from babelbatch.progress import waiting

log = logging.getLogger(__name__)

WeightDtype = Literal["float32", "bfloat16", "float16"]

_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
)


def require_model_files(folder: Path) -> None:
    """Raises ValueError if a folder lacks the configuration, the weights or the tokenizer."""
    if not (folder / "config.json").exists():
        raise ValueError(f"encoder.name_or_path: {folder} has no config.json; it is not a Hugging Face model folder")
    if not weights_files(folder):
        raise ValueError(
            f"encoder.name_or_path: {folder} has no weights (model.safetensors or pytorch_model.bin); "
            "save the model there again with save_pretrained"
        )
    if not any((folder / name).exists() for name in _TOKENIZERS):  # transformers would build one of five tokens
        raise _not_loadable(str(folder), "tokenizer", f"none of {', '.join(_TOKENIZERS)} is there")


def weights_files(folder: Path) -> list[Path]:
    """The files with the weights of the model in a folder."""
    return [path for pattern in _WEIGHTS for path in folder.glob(pattern)]


def load_backbone(
    name_or_path: str,
    trust_remote_code: bool,
    *,
    with_pooler: bool,
    change: Callable[[PreTrainedConfig], None] | None,
    dtype: WeightDtype = "float32",
) -> PreTrainedModel:
    """The model with weights of this type, with dropout switched off, as transformers returns it.

    with_pooler: whether its pooler is used. change: alters the configuration before the model is built.
    Raises ValueError if it cannot be loaded or lacks weights that are used, which would be random; or if its own code
    computes random numbers that no file stores.
    """
    model: PreTrainedModel
    try:
        fill = uninitialised_as_nan() if trust_remote_code else nullcontext()
        with quiet(), fill, waiting(f"loading {name_or_path}"):
            config = AutoConfig.from_pretrained(name_or_path, trust_remote_code=trust_remote_code)
            _refuse_quantised(config, name_or_path)
            if change is not None:
                change(config)
            model, report = model_class(config).from_pretrained(
                name_or_path,
                config=config,
                trust_remote_code=trust_remote_code,
                dtype=dtype,
                output_loading_info=True,
            )
    except (_Quantised, OversizedModel):
        raise
    except Exception as error:  # transformers raises any of a dozen types for damaged files
        raise _not_loadable(name_or_path, "model", error) from error
    missing = sorted(key for key in report["missing_keys"] if with_pooler or not key.startswith("pooler."))
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise _not_loadable(name_or_path, "model", f"its weights lack {len(missing)} tensors: {some}")
    restore_unstored_tensors(model, name_or_path)
    return model


def load_tokenizer(name_or_path: str, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    """The tokenizer. One without a token to pad with pads with its end-of-text token: padding is masked, so any serves.

    Raises ValueError if it cannot be loaded, or has neither token.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            name_or_path, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # that of the tokenizers library is a bare Exception
        raise _not_loadable(name_or_path, "tokenizer", error) from error
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token is None:
            raise ValueError(
                f"encoder.name_or_path: the tokenizer of {name_or_path} has no token to pad with; set one "
                "(tokenizer.pad_token = ...) and save it there again"
            )
        tokenizer.pad_token = tokenizer.eos_token
        log.info("%s has no token to pad with; %s serves, since padding is masked", name_or_path, tokenizer.eos_token)
    return tokenizer


def model_class(config: PreTrainedConfig) -> type[AutoModel] | type[AutoModelForTextEncoding]:
    """The class that builds the backbone: for T5 and its variants the one without a decoder."""
    return AutoModelForTextEncoding if config.model_type in {"t5", "mt5", "umt5"} else AutoModel


@contextmanager
def quiet() -> Iterator[None]:
    """Silences transformers' progress bars over weights and its report on unused heads. Downloads still show theirs."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    downloads = not are_progress_bars_disabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()  # also those of the hub
    if downloads:
        enable_progress_bars()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


class _Quantised(ValueError):
    """A model whose weights are quantised."""


def _refuse_quantised(config: PreTrainedConfig, name_or_path: str) -> None:
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return
    method = settings.get("quant_method") if isinstance(settings, dict) else getattr(settings, "quant_method", None)
    raise _Quantised(
        f"encoder.name_or_path: {name_or_path} has quantised weights ({method or 'no method stated'}), which are not "
        "supported; name the model that it was made from, and set encoder.dtype=bfloat16 (with tuning=lora to train it)"
    )


def _not_loadable(name_or_path: str, part: str, reason: object) -> ValueError:
    if "trust_remote_code" in str(reason):
        return ValueError(
            f"encoder.trust_remote_code: {name_or_path} needs code that it brings with it; read that code, then set "
            "encoder.trust_remote_code=true with encoder.name_or_path"
        )
    first_line = next(iter(str(reason).strip().splitlines()), type(reason).__name__)
    return ValueError(
        f"encoder.name_or_path: no {part} could be loaded from '{name_or_path}' ({first_line}); "
        "give a folder that holds it, or a hub name while the hub can be reached"
    )
