"""Whether an encoder, saved and loaded again, computes the same vectors. A run finds out before it trains."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from babelbatch.encoder.folder import load_pretrained, save
from babelbatch.encoder.huggingface import WeightDtype
from babelbatch.encoder.model import Encoder
from babelbatch.encoder.preflight import TEXTS, TOLERANCE, relative_difference, token_ids, vectors_alone

_NAMES: dict[torch.dtype, WeightDtype] = {
    torch.float32: "float32",
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
}


def check_saved(encoder: Encoder, name: str, folder: Path, *, trust_remote_code: bool = False) -> None:
    """Raises ValueError if a saved encoder cannot be loaded, or reads or embeds two texts differently.

    Every kind of encoder is checked, at any size: tokenizers and backbones alike may lose what their files do not
    store. With 118 million parameters it takes about 2 s, 470 MB in `folder` and 110 MB of memory, since weights are
    memory-mapped; all three grow with the weights. Encoders that need a GPU are not checked.
    name: of the model, for the message. folder: a new folder, removed at the end; what a killed run left there, too.
    """
    if encoder.tower("query").backbone.config._attn_implementation == "flash_attention_2":
        return
    shutil.rmtree(folder, ignore_errors=True)
    training = encoder.training
    try:
        save(encoder, folder)
        with torch.random.fork_rng(devices=[]), torch.inference_mode():  # a projection is drawn before it is loaded
            dtype = _NAMES[encoder.tower("query").backbone.dtype]  # rounding must not pass for a loss
            saved = load_pretrained(str(folder), overrides={}, trust_remote_code=trust_remote_code, dtype=dtype)
            _compare(encoder.eval(), saved.eval(), name)
    finally:
        encoder.train(training)
        shutil.rmtree(folder, ignore_errors=True)


def _compare(encoder: Encoder, saved: Encoder, name: str) -> None:
    for role in ("query", "passage"):
        ids = [token_ids(encoder, text, role) for text in TEXTS]
        for text, before in zip(TEXTS, ids, strict=True):
            if (after := token_ids(saved, text, role)) != before:
                raise ValueError(
                    f"encoder.name_or_path: the tokenizer of {name}, saved and loaded again, reads a {role} "
                    f"differently ({_tokens(saved, after)} instead of {_tokens(encoder, before)}), so the trained "
                    "model could not be used; save it with AutoTokenizer in this version of transformers, and name "
                    "that folder"
                )
        for before_saving, after_saving in zip(
            vectors_alone(encoder, ids, role), vectors_alone(saved, ids, role), strict=True
        ):
            if not (difference := relative_difference(before_saving, after_saving)) <= TOLERANCE:
                raise ValueError(
                    f"encoder.name_or_path: {name}, saved and loaded again, gives a {role} another vector (they differ "
                    f"by {difference:.2g} of its length), so the trained model could not be used; its code computes "
                    "with numbers that its files do not store: use another model"
                )


def _tokens(encoder: Encoder, ids: list[int]) -> str:
    return " ".join(encoder.tokenizer.convert_ids_to_tokens(ids))
