"""The page Scaling is what its script computes, and the script counts what encoders and shards really have."""

from __future__ import annotations

import re
import subprocess
import sys
from types import ModuleType

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedModel, XLMRobertaConfig, XLMRobertaModel

from pages import DOCS, tool


@pytest.fixture(scope="module")
def scaling() -> ModuleType:
    return tool("scaling")


def test_it_is_not_stale(scaling: ModuleType) -> None:
    page = (DOCS / "scaling.md").read_text(encoding="utf-8")
    assert scaling.filled(page, scaling.Constants()) == page, "docs/scaling.md is stale: run docs/tools/scaling.py"
    with pytest.raises(ValueError, match="the page has the tables"):
        scaling.filled(page.replace("<!-- storing -->", ""), scaling.Constants())


def test_encoders_have_these_weights_and_operations(scaling: ModuleType) -> None:
    roberta = {"max_position_embeddings": 514, "type_vocab_size": 1}
    large = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    with torch.device("meta"):
        models: list[tuple[object, PreTrainedModel]] = [
            (scaling.E5_SMALL, BertModel(BertConfig(
                vocab_size=250_037, hidden_size=384, intermediate_size=1536, num_attention_heads=12))),
            (scaling.XLMR_BASE, XLMRobertaModel(XLMRobertaConfig(vocab_size=250_002, **roberta))),
            (scaling.BGE_M3, XLMRobertaModel(XLMRobertaConfig(
                vocab_size=250_002, **(roberta | large | {"max_position_embeddings": 8194})))),
        ]  # fmt: skip
    for shape, model in models:
        assert shape.weights == sum(weight.numel() for weight in model.parameters())
        linear = [part.weight.numel() for part in model.encoder.modules() if isinstance(part, nn.Linear)]
        attention = 2 * 2 * shape.layers * shape.hidden * 10 * 10  # scores, and sums of values, of ten tokens
        assert shape.operations(10) == 2 * 10 * sum(linear) + attention


def test_by_hand(scaling: ModuleType) -> None:
    # 2 ranks, 4 pairs, 3 dimensions: 2 vectors of 12 bytes arrive; of the gradients of 4 vectors, half is reduced and
    # half is sent round
    assert scaling.gathered(4, 2, 3) == 2 * 12 + 2 * 12 + 2 * 12
    assert scaling.reduced(100, 1) == scaling.gathered(4, 1, 3) == 0
    assert scaling.reduced(100, 2) == 400
    constants = scaling.Constants(gpu_peak=1e12, training_share=0.5, in_machine=1e9)
    pair = scaling.E5_SMALL.operations(20) + scaling.E5_SMALL.operations(150)
    computing, sending = scaling.step_seconds(scaling.E5_SMALL, 1024, 2, constants)
    assert computing == pytest.approx(3 * 512 * pair / 0.5e12)
    assert sending == pytest.approx((3 / 2 * 1024 * 384 * 4 + 117_653_760 * 4) / 1e9)
    assert scaling.step_seconds(scaling.E5_SMALL, 4096, 2, constants)[0] == pytest.approx(4 * 4 * computing / 3)


def test_the_prose_follows_from_the_tables(scaling: ModuleType) -> None:
    constants = scaling.Constants()
    for shape in (scaling.E5_SMALL, scaling.XLMR_BASE):
        for ranks in (8, 64):
            assert scaling.gathered(16_384, ranks, shape.hidden) < 0.1 * scaling.reduced(shape.weights, ranks)
            computing, sending = scaling.step_seconds(shape, 1_024, ranks, constants)
            assert (sending > computing) == (ranks == 64)
    gpu = constants.gpu_peak * constants.encoding_share / scaling.E5_SMALL.operations(150)
    assert constants.tokenising / 150 < gpu


def test_other_constants_are_printed_and_leave_the_page_alone() -> None:
    before = (DOCS / "scaling.md").read_bytes()
    command = [sys.executable, DOCS / "tools" / "scaling.py"]
    done = subprocess.run([*command, "gpu_price=6"], capture_output=True, text=True, check=True)
    assert re.search(r"\| `gpu_price` \| 6 \$ an hour \|", done.stdout)
    wrong = subprocess.run([*command, "gpu_prize=6"], capture_output=True, text=True, check=False)
    assert wrong.stderr.startswith("there is no constant gpu_prize; there are cpu_encoding, ")
    assert (DOCS / "scaling.md").read_bytes() == before
