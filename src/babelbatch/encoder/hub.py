"""A model on the Hugging Face hub that says more of itself than transformers reads, as the folder that it is."""

from __future__ import annotations

import logging
from pathlib import Path

from huggingface_hub import (
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

log = logging.getLogger(__name__)

_OTHER_FRAMEWORKS = ("onnx/*", "openvino/*", "coreml/*", "*.onnx", "*.msgpack", "*.h5", "*.ot", "*.tflite", "*.gguf")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


def folder_on_hub(name: str, *, saying: tuple[str, ...], pooling_is_said: bool) -> Path | None:
    """The hub's cache of a model that has one of the files `saying`, with all that PyTorch needs, fetched if need be.
    None: it has none of them, or cannot be reached (transformers then says why, if it cannot either).

    pooling_is_said: by the configuration. If not, that nobody could be asked is worth a warning.
    """
    try:
        if not any(_has(name, file) for file in saying):
            return None
        pickled = ("pytorch_model*.bin",) if any(_has(name, file) for file in _WEIGHTS) else ()
        return Path(snapshot_download(name, ignore_patterns=[*_OTHER_FRAMEWORKS, *pickled]))
    except LocalEntryNotFoundError:
        if not pooling_is_said:
            log.warning(
                "encoder: whether %s says how it pools cannot be looked up: no connection, and not in the cache; "
                "set encoder.pooling, or fetch the model with `hf download %s`",
                name,
                name,
            )
        return None
    except (HfHubHTTPError, HFValidationError):  # no such model, or none that may be read
        return None


def _has(name: str, file: str) -> bool:
    """Raises LocalEntryNotFoundError if that is not known. Leaves in the cache what the hub said."""
    cached = try_to_load_from_cache(name, file)
    if isinstance(cached, str):
        return True
    try:
        get_hf_file_metadata(hf_hub_url(name, file))  # tries once; without a connection the next line tries for long
    except EntryNotFoundError:
        pass
    except RepositoryNotFoundError:
        raise
    except Exception as error:  # whatever it is, the hub has not said anything
        if cached is None:
            raise LocalEntryNotFoundError(str(error)) from error
        return False  # the cache has it that there is no such file
    try:
        hf_hub_download(name, file)
    except EntryNotFoundError:
        return False
    return True
