"""The rows of the embedding table that a step needs, looked up once for all of its chunks.

The gradient of a look-up is a dense array of the table's size. A batch that is encoded in sixteen chunks would fill and
add sixteen of them, which for a vocabulary of 250,000 tokens costs as much as several layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding
from transformers import PreTrainedModel

from babelbatch.encoder import Encoder, Role
from babelbatch.records import Padded


@contextmanager
def rows_looked_up_once(encoder: Encoder, chunks: Sequence[tuple[Padded, Role]]) -> Iterator[None]:
    """Within it, token embeddings of these chunks come from one look-up a backbone. States and gradients are the same.

    Only on a CPU and where it saves something: a trained table, a plain `nn.Embedding`, more than one chunk.
    """
    with ExitStack() as replaced:
        for tower in dict.fromkeys(encoder.towers.values()):
            table = _plain_table(tower.backbone)
            ids = [texts.input_ids for texts, role in chunks if encoder.towers[role] is tower]
            if table is not None and len(ids) > 1:
                replaced.enter_context(_looked_up(table, torch.cat([each.flatten() for each in ids]).unique()))
        yield


def _plain_table(backbone: nn.Module | Tensor) -> nn.Embedding | None:
    if not isinstance(backbone, PreTrainedModel) or not torch.is_grad_enabled():
        return None
    table = backbone.get_input_embeddings()
    if type(table) is not nn.Embedding or not table.weight.requires_grad or table.weight.device.type != "cpu":
        return None
    changes_rows = table.max_norm is not None or table.scale_grad_by_freq or table.sparse
    return None if changes_rows or table._forward_hooks or table._forward_pre_hooks else table


@contextmanager
def _looked_up(table: nn.Embedding, ids: Tensor) -> Iterator[None]:
    rows = embedding(ids, table.weight, table.padding_idx)
    table.forward = partial(_rows_of, ids, rows)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del table.forward


def _rows_of(ids: Tensor, rows: Tensor, wanted: Tensor) -> Tensor:
    return embedding(torch.searchsorted(ids, wanted), rows)
