"""Models on the Hugging Face hub with files that transformers does not read."""

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

from babelbatch.progress import log_once, waiting

log = logging.getLogger(__name__)
log_once("huggingface_hub")

_OTHER_FRAMEWORKS = ("onnx/*", "openvino/*", "coreml/*", "*.onnx", "*.msgpack", "*.h5", "*.ot", "*.tflite", "*.gguf")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


def folder_on_hub(name: str, *, files: tuple[str, ...], pooling_is_set: bool) -> Path | None:
    """The cache folder of a model that has one of `files`, with everything PyTorch needs, downloaded if necessary.

    None if it has none of them or cannot be reached; transformers then loads it or reports why it cannot.
    pooling_is_set: whether the configuration sets the pooling. If not, a model that cannot be looked up is worth a
        warning, since it may state its own.
    """
    try:
        if not any(_has_file(name, file) for file in files):
            return None
        return _fetch(name)
    except LocalEntryNotFoundError:
        if not pooling_is_set:
            log.warning(
                "encoder: whether %s says how it pools cannot be looked up: no connection, and not in the cache; "
                "set encoder.pooling, or fetch the model with `hf download %s`",
                name,
                name,
            )
        return None
    except (HfHubHTTPError, HFValidationError):  # no such model, or no permission to read it
        return None


def fetch_model(name: str, files: tuple[str, ...]) -> Path:
    """Fetches everything that PyTorch needs of a model, and that it has none of `files`, so that it is then loaded
    without a connection. Returns its folder in the hub's cache.

    Raises ValueError if the model does not exist, may not be read, or cannot be reached.
    """
    try:
        for file in files:
            _has_file(name, file)
        return _fetch(name)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(f"the model {name} cannot be fetched ({reason})") from error


def _fetch(name: str) -> Path:
    pickled = ("pytorch_model*.bin",) if any(_has_file(name, file) for file in _WEIGHTS) else ()
    with waiting(f"fetching {name}"):
        return Path(snapshot_download(name, ignore_patterns=[*_OTHER_FRAMEWORKS, *pickled]))


def _has_file(name: str, file: str) -> bool:
    """Whether the model has the file. Raises LocalEntryNotFoundError if that is unknown. Caches the hub's answer."""
    cached = try_to_load_from_cache(name, file)
    if isinstance(cached, str):
        return True
    try:
        get_hf_file_metadata(hf_hub_url(name, file))  # one attempt; hf_hub_download would retry for long when offline
    except EntryNotFoundError:
        pass
    except RepositoryNotFoundError:
        raise
    except Exception as error:  # for any other reason the hub gave no answer
        if cached is None:
            raise LocalEntryNotFoundError(str(error)) from error
        return False  # the cache records that there is no such file
    try:
        hf_hub_download(name, file)
    except EntryNotFoundError:
        return False
    return True
