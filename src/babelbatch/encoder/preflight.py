"""Two texts through a loaded encoder, before anything is trained: what would fail late, or be wrong in silence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from babelbatch.encoder.model import Encoder, Role
from babelbatch.records import Padded

TEXTS = ("Is it?", "It is the largest city of Peru, and has been its capital since the country became independent.")
"""One that is much shorter than the other, so padded beside it."""

TOLERANCE = 1e-3  # of a vector's length. Rounding in float32 gives about 1e-6
_HALF_TOLERANCE = 0.1  # rounding in bfloat16 gives about 1e-2
_UNCUT = 1_000_000  # tokens that no prefix has

_FAULTS_OF_CODE = (RuntimeError, TypeError, AttributeError, IndexError, KeyError, ValueError)
"""RuntimeError includes NotImplementedError. Models of images raise ValueError for a text alone."""


def check_vectors(encoder: Encoder, name: str) -> None:
    """Raises ValueError if the encoder cannot embed a text, or not as it will be used.

    Checked for each role: token ids have an embedding, a vector has `encoder.dimensions` components, all finite, and a
    text has the same vector alone and padded in a batch. Encoders that need a GPU are not checked.
    name: of the model, for the message.
    """
    if encoder.tower("query").backbone.config._attn_implementation == "flash_attention_2":
        return
    _require_embeddings(encoder, name)
    _require_room_for_texts(encoder)
    training = encoder.training
    encoder.eval()
    try:
        with torch.inference_mode():
            for role in ("query", "passage"):
                _check_role(encoder, name, role)
    finally:
        encoder.train(training)


def _require_embeddings(encoder: Encoder, name: str) -> None:
    largest = max(encoder.tokenizer.get_vocab().values())  # of 250,000 tokens: a third of a second
    for role in ("query", "passage"):
        try:
            embedding = encoder.tower(role).backbone.get_input_embeddings()
        except NotImplementedError:  # a model of characters or of images
            continue
        rows = getattr(embedding, "num_embeddings", None)
        if rows is not None and largest >= rows:
            raise ValueError(
                f"encoder.name_or_path: the tokenizer of {name} has token ids up to {largest:,}, but the model has "
                f"embeddings for {rows:,} tokens; call model.resize_token_embeddings({largest + 1}) and save both "
                "again, or use the tokenizer that belongs to the model"
            )


def _require_room_for_texts(encoder: Encoder) -> None:
    """Raises ValueError if a prefix or a prompt takes all tokens of a text: every one would have the same vector."""
    longest = encoder.settings.query_length
    for role in ("query", "passage"):
        most = encoder.settings.max_length(role)
        if (tokens := _length(encoder, encoder.settings.prefix(role))) >= most:
            raise ValueError(
                f"encoder.{role}_length: {most} tokens, of which {role}_prefix and special tokens take {tokens}, so "
                f"nothing of a text would be left; set it to {tokens} plus the tokens of a {role}"
            )
    for task, prompt in encoder.settings.query_prompts.items():
        if task in ("query", "document"):
            raise ValueError(
                f"encoder.query_prompts.{task}: in sentence-transformers this is the prompt of all queries or "
                f"passages; set encoder.{'query' if task == 'query' else 'passage'}_prefix"
            )
        if (tokens := _length(encoder, prompt)) >= longest:
            raise ValueError(
                f"encoder.query_prompts.{task}: it has {tokens} tokens, and a query is cut to {longest}, so nothing of "
                f"its text would be left; set encoder.query_length to {tokens} plus the tokens of a query"
            )


def _length(encoder: Encoder, text: str) -> int:
    """Tokens of a text with the special ones, whatever length the tokenizer's own files state."""
    return len(encoder.tokenizer(text, truncation=True, max_length=_UNCUT)["input_ids"])


def _check_role(encoder: Encoder, name: str, role: Role) -> None:
    ids = [token_ids(encoder, text, role) for text in TEXTS]
    try:
        alone = vectors_alone(encoder, ids, role)
    except _FAULTS_OF_CODE as error:
        raise ValueError(
            f"encoder.name_or_path: {name} cannot encode a text ({type(error).__name__}: "
            f"{(str(error).splitlines() or ['no message'])[0]}); it is not an encoder of text, or its code does not "
            "fit this version of transformers; use another model"
        ) from error
    together = encoder(_padded(encoder, ids), role)
    if together.shape[1] != encoder.dimensions:
        raise ValueError(
            f"encoder.name_or_path: {name} gives vectors of {together.shape[1]} components, but its configuration "
            f"states {encoder.dimensions}; this architecture is not supported"
        )
    if not torch.isfinite(together).all():
        raise ValueError(
            f"encoder.name_or_path: {name} gives vectors that are not finite; its weights are damaged: save or fetch "
            "it again"
        )
    tolerance = TOLERANCE if encoder.tower(role).backbone.dtype == torch.float32 else _HALF_TOLERANCE
    for row, vector in enumerate(alone):
        if (difference := relative_difference(vector, together[row])) > tolerance:
            raise ValueError(
                f"encoder.name_or_path: {name} gives a {role} another vector when it is padded in a batch (they "
                f"differ by {difference:.2g} of its length), so scores would depend on the batch; set "
                "encoder.attention=eager, or use another model"
            )


def vectors_alone(encoder: Encoder, ids: Sequence[list[int]], role: Role) -> list[Tensor]:
    """The vector of each text, encoded in a batch of its own."""
    return [encoder(_padded(encoder, [row]), role)[0] for row in ids]


def token_ids(encoder: Encoder, text: str, role: Role) -> list[int]:
    """The token ids of a text with its prefix, cut to the role's longest text."""
    ids: list[int] = encoder.tokenizer(
        encoder.settings.prefix(role) + text, truncation=True, max_length=encoder.settings.max_length(role)
    )["input_ids"]
    return ids


def _padded(encoder: Encoder, rows: list[list[int]]) -> Padded:
    pad, longest = int(encoder.tokenizer.pad_token_id), max(map(len, rows))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return Padded(ids, mask)


def relative_difference(vector: Tensor, other: Tensor) -> float:
    """The length of the difference of two vectors, as a share of the first one's length."""
    return float((vector - other).norm() / vector.norm().clamp(min=1e-12))
