"""A trained or published encoder, with texts in and vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from babelbatch.commands.checkpoint import encoder_folder, load_checkpoint
from babelbatch.configuration.signatures import closest
from babelbatch.encoder import Encoder, device_of, pretrained, save
from babelbatch.evaluation.encoding import encode
from babelbatch.progress import silent

if TYPE_CHECKING:
    from babelbatch.encoder import Role

_MODEL_FILES = ("config.json", "modules.json", "adapter_config.json")  # of a folder that is a model, not a run


@dataclass(frozen=True)
class TextEncoder:
    """An encoder of queries and passages. `encoder` is the torch module, with its tokenizer and settings."""

    encoder: Encoder

    @property
    def dimensions(self) -> int:
        """The size of a vector."""
        return self.encoder.dimensions

    def encode_queries(
        self, texts: Sequence[str], *, task: str | None = None, token_budget: int | None = None, progress: bool = True
    ) -> NDArray[np.float32]:
        """(n, dimensions) float32 vectors of n queries, those that an evaluation computes.

        task: one of the encoder's `query_prompts`; None: the prompt is `query_prefix`.
        token_budget: tokens in one forward pass, padding included; texts of similar length share one. None: as in an
            evaluation. progress: whether to show a bar.
        Raises ValueError for what is no list of texts, for an unknown task, and for vectors that are not finite.
        """
        known = list(self.encoder.settings.query_prompts)
        if task is not None and task not in known:
            raise ValueError(
                f"task: the encoder has no prompt '{task}'{closest(task, known)} (it has: {', '.join(known) or 'none'})"
            )
        return self._encode(texts, "query", token_budget, progress, task)

    def encode_passages(
        self, texts: Sequence[str], *, token_budget: int | None = None, progress: bool = True
    ) -> NDArray[np.float32]:
        """(n, dimensions) float32 vectors of n passages; see `encode_queries`."""
        return self._encode(texts, "passage", token_budget, progress)

    def save(self, folder: str | Path) -> None:
        """Writes the encoder as a run does: a folder for `load`, transformers and sentence-transformers."""
        save(self.encoder, Path(folder))

    def _encode(
        self, texts: Sequence[str], role: Role, token_budget: int | None, progress: bool, task: str | None = None
    ) -> NDArray[np.float32]:
        if isinstance(texts, str):
            raise ValueError("texts: it is one text; give a list of texts")
        texts = list(texts)
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(f"texts: element {row} is a {type(text).__name__}; give a list of str")
        if token_budget is not None and token_budget < 1:
            raise ValueError(f"token_budget: {token_budget} is not above 0; leave it out for that of an evaluation")
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        with nullcontext() if progress else silent():
            return encode(self.encoder, texts, role, token_budget, task=task)


def load(folder_or_name: str | Path, *, device: str = "auto", **settings: Any) -> TextEncoder:
    """The encoder of a finished run or of one of its checkpoints, of a folder that babelbatch, sentence-transformers or
    Hugging Face saved, or of a name on the hub. It is in evaluation mode.

    device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:1`. settings: replace those of the folder, such as
    `query_prefix`; see `babelbatch.encoder.pretrained`. Raises ValueError for a folder without an encoder, an unknown
    setting, and a device that is not there.
    """
    known = [name for name in signature(pretrained).parameters if name != "name_or_path"]
    if unknown := [name for name in settings if name not in known]:
        hint = closest(unknown[0], known) or f" (it takes: {', '.join(known)})"
        raise ValueError(f"{unknown[0]}: an encoder has no such setting{hint}")
    place = Path(folder_or_name).expanduser()
    if place.is_file():
        if settings:
            raise ValueError(
                f"{next(iter(settings))}: a checkpoint file is loaded as it was trained; load the run's folder instead"
            )
        encoder = load_checkpoint(place)
    elif place.is_dir():
        is_encoder = any((place / name).exists() for name in _MODEL_FILES)
        encoder = pretrained(str(place if is_encoder else encoder_folder(place)), **settings)
    else:
        encoder = pretrained(str(folder_or_name), **settings)
    return TextEncoder(encoder.to(device_of(device)).eval())
