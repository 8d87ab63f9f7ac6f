"""Weights in four bits: the numbers of bitsandbytes, equal in training, in evaluation and in the saved encoder."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from babelbatch.encoder import (
    Encoder,
    FourBitLinear,
    describe_four_bits,
    in_float32,
    load,
    parameter_count,
    save,
    tiny,
    to_four_bits,
)
from babelbatch.encoder.merging import merged_state_dict
from babelbatch.records import Padded
from babelbatch.training.tuning import lora, parameter_groups

bitsandbytes = pytest.importorskip("bitsandbytes", reason="the extra `qlora` is not installed")

TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]


def new(**options: object) -> Encoder:
    torch.manual_seed(0)
    return tiny(TEXTS, **{"vocab_size": 60, "hidden_size": 64, "layers": 2, "heads": 2} | options)


def batch() -> Padded:
    mask = (torch.arange(9) < torch.tensor([3, 9, 4, 6])[:, None]).long()
    ids = torch.randint(5, 40, mask.shape, generator=torch.Generator().manual_seed(1))
    return Padded(torch.where(mask.bool(), ids, 1), mask)


def vectors(encoder: Encoder) -> Tensor:
    with torch.no_grad():
        return torch.cat([encoder(batch(), role) for role in ("query", "passage")])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (48, 20), (3, 7)])
def test_the_numbers_are_those_of_bitsandbytes(rows: int, columns: int, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    linear = nn.Linear(columns, rows).to(dtype)
    theirs = bitsandbytes.nn.Linear4bit(columns, rows, quant_type="nf4", compute_dtype=dtype)
    theirs.load_state_dict(linear.state_dict())
    theirs = theirs.to("cpu")
    expanded = bitsandbytes.functional.dequantize_4bit(theirs.weight.data, theirs.weight.quant_state)
    ours = FourBitLinear(linear)
    assert ours.weight.dtype == dtype
    assert torch.equal(ours.weight, expanded.to(dtype))
    inputs = torch.randn(5, columns, dtype=dtype)
    assert torch.equal(ours(inputs), functional.linear(inputs, ours.weight, linear.bias))


def test_gradients_are_those_of_the_expanded_weight_which_is_not_stored() -> None:
    torch.manual_seed(1)
    ours = FourBitLinear(nn.Linear(96, 80).requires_grad_(False))
    inputs = torch.randn(7, 96, requires_grad=True)
    stored: list[tuple[int, ...]] = []

    def note(tensor: Tensor) -> Tensor:
        stored.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        outputs = ours(inputs).square().sum()
    outputs.backward()
    found = inputs.grad.clone()
    inputs.grad = None
    ours.expanded()(inputs).square().sum().backward()
    assert torch.equal(found, inputs.grad)
    assert (80, 96) not in stored


def test_scales_keep_their_precision_when_the_encoder_changes_its_type() -> None:
    torch.manual_seed(1)
    ours = FourBitLinear(nn.Linear(96, 80))
    before = ours.weight
    ours.bfloat16().float()
    assert torch.equal(ours.weight, before)


def test_how_far_training_starts_from_the_encoder(caplog: pytest.LogCaptureFixture) -> None:
    """Over all maps. Only a training run says so: an evaluation puts adapters on weights that a checkpoint replaces."""
    plain, four_bits = new(), new()
    assert describe_four_bits(plain) is None
    with caplog.at_level("INFO"):
        lora(four_bits, four_bit=True)
    assert caplog.messages == []
    pairs = [
        (each.weight, plain.get_submodule(name.removesuffix(".base_layer")).weight)
        for name, each in four_bits.named_modules()
        if isinstance(each, FourBitLinear)
    ]
    changed = torch.cat([(ours - before).flatten() for ours, before in pairs]).norm()
    share = changed / torch.cat([before.flatten() for _, before in pairs]).norm()
    assert 0.05 < share < 0.15
    assert describe_four_bits(four_bits) == (
        f"{len(pairs)} linear maps in four bits; training starts {100 * share:.1f} % of their norm away from the "
        "weights of the encoder"
    )


def test_bytes() -> None:
    linear = nn.Linear(768, 768, bias=False)
    quantised = FourBitLinear(linear)
    stored = sum(buffer.nbytes for buffer in quantised.buffers())
    assert stored / linear.weight.numel() == pytest.approx(0.5 + 1 / 64 + 4 / (64 * 256), abs=0.004)
    assert not list(quantised.parameters())
    assert parameter_count(nn.Sequential(quantised, nn.Linear(2, 3))) == 768 * 768 + 9


def test_adapters_learn_as_over_the_expanded_weights() -> None:
    over_four_bits, over_expanded = new(dropout=0.0), new(dropout=0.0)
    for tower in set(over_expanded.towers.values()):
        maps = [name for name, part in tower.backbone.encoder.layer.named_modules() if isinstance(part, nn.Linear)]
        to_four_bits(tower.backbone.encoder.layer, maps)
        for name in maps:
            layer = tower.backbone.encoder.layer
            layer.set_submodule(name, layer.get_submodule(name).expanded())
    for encoder, four_bit in ((over_four_bits, True), (over_expanded, False)):
        torch.manual_seed(3)
        lora(encoder, four_bit=four_bit)
        optimizer = torch.optim.AdamW(parameter_groups(encoder, nn.Identity()), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            queries, passages = encoder(batch(), "query"), encoder(batch(), "passage").flip(0)
            functional.cross_entropy(20 * queries @ passages.T, torch.arange(4)).backward()
            optimizer.step()
    assert torch.equal(vectors(over_four_bits), vectors(over_expanded))
    assert not torch.allclose(vectors(over_four_bits), vectors(new()), atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_saved_has_the_vectors_of_the_run(dtype: str, tmp_path: Path) -> None:
    encoder = new()
    for tower in set(encoder.towers.values()):
        tower.backbone.to(getattr(torch, dtype))
    lora(encoder, four_bit=True)
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    evaluated = in_float32(encoder.eval())
    save(evaluated, tmp_path / "saved")
    torch.testing.assert_close(vectors(load(tmp_path / "saved").eval()), vectors(evaluated), rtol=0, atol=2e-6)
    if dtype == "float32":
        assert evaluated is encoder
    else:
        assert not any(isinstance(part, FourBitLinear) for part in evaluated.modules())


def test_a_checkpoint_restores_them() -> None:
    encoder = new()
    lora(encoder, four_bit=True)
    state = copy.deepcopy(encoder.state_dict())
    other = tiny(TEXTS, vocab_size=60, hidden_size=64, layers=2, heads=2)
    lora(other, four_bit=True)
    other.load_state_dict(state)
    backbone, restored = (each.tower("query").backbone for each in (encoder, other))
    expected, found = merged_state_dict(backbone), merged_state_dict(restored)
    assert expected.keys() == found.keys() == new().tower("query").backbone.state_dict().keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_not_compiled() -> None:
    with pytest.raises(ValueError, match="compiled") as caught:
        lora(new(), four_bit=True, compile=True)
    assert str(caught.value) == ("tuning.compile: weights in four bits cannot be compiled; set tuning.compile=false")


def test_without_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ValueError, match="four_bit") as caught:
        lora(new(), four_bit=True)
    assert str(caught.value) == (
        "tuning.four_bit: needs bitsandbytes, which is not installed; pip install 'babelbatch[qlora]', "
        "or set tuning=lora"
    )
