"""What is trained, in what memory, and what decays: each option changes what it says, and nothing else."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModel
from transformers.utils import generic

from babelbatch.encoder import Encoder, check_saved, in_float32, load, pretrained, save, static, tiny
from babelbatch.loss import Contrastive
from babelbatch.records import Padded
from babelbatch.training.tuning import full, lora, parameter_groups

TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]
MASK = (torch.arange(9) < torch.tensor([3, 9, 9, 1, 6, 9])[:, None]).long()


def new(**options: object) -> Encoder:
    torch.manual_seed(0)
    return tiny(TEXTS, **{"vocab_size": 60, "hidden_size": 16, "layers": 3, "heads": 2} | options)


def batch() -> Padded:
    ids = torch.randint(5, 40, MASK.shape, generator=torch.Generator().manual_seed(1))
    return Padded(torch.where(MASK.bool(), ids, 1), MASK)


def loss_of(encoder: Encoder) -> Tensor:
    queries, passages = encoder(batch(), "query"), encoder(batch(), "passage")
    return (queries @ passages.T * torch.arange(36.0).view(6, 6).cos()).sum()


def gradients(encoder: Encoder) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss and the gradients of it, with the dropout that seed 2 gives."""
    encoder.zero_grad()
    torch.manual_seed(2)
    loss = loss_of(encoder)
    loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}


def trained(encoder: Encoder) -> set[str]:
    return {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}


def message_of(make: object) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers compare the whole message
        make()
    return str(caught.value)


def test_full_changes_nothing_by_itself():
    loss, expected = gradients(new())
    encoder = new()
    assert full(encoder) is encoder
    found_loss, found = gradients(encoder)
    assert torch.equal(found_loss, loss)
    assert found.keys() == expected.keys() == trained(encoder) == {name for name, _ in encoder.named_parameters()}
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    ("options", "frozen"),
    [
        ({"frozen_layers": 2}, ("encoder.layer.0.", "encoder.layer.1.")),
        ({"freeze_embeddings": True}, ("embeddings.",)),
        ({"frozen_layers": 3, "freeze_embeddings": True}, ("embeddings.", "encoder.layer.")),
    ],
    ids=["layers", "embeddings", "both"],
)
def test_what_is_frozen_stays_to_the_bit_and_the_rest_moves(options, frozen, shared):
    encoder = full(new(shared=shared, dimensions=8), **options)
    before = {name: weight.clone() for name, weight in encoder.named_parameters()}
    of_frozen = {name for name in before if name.partition("backbone.")[2].startswith(frozen)}
    assert len(of_frozen) >= 5 * (1 if shared else 2)
    _, found = gradients(encoder)
    assert found.keys() == before.keys() - of_frozen
    torch.optim.AdamW(parameter_groups(encoder, nn.Identity()), lr=0.1, weight_decay=0.1).step()
    moved = {name for name, weight in encoder.named_parameters() if not torch.equal(weight, before[name])}
    assert moved == before.keys() - of_frozen


def test_frozen_layers_leave_the_gradients_of_the_others():
    loss, expected = gradients(new())
    found_loss, found = gradients(full(new(), frozen_layers=1))
    assert torch.equal(found_loss, loss)
    assert found
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_more_frozen_than_there_is():
    assert message_of(lambda: full(new(), frozen_layers=4)) == (
        "tuning.frozen_layers: 4, but the encoder has 3 layers; set at most that"
    )
    assert message_of(lambda: full(new(), frozen_layers=3, freeze_embeddings=True)) == (
        "tuning.frozen_layers: with the embeddings frozen too, nothing is left to train; freeze fewer layers, "
        "or set encoder.dimensions to train a projection"
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"frozen_layers": 1}, "frozen_layers"),
        ({"freeze_embeddings": True}, "freeze_embeddings"),
        ({"activation_checkpointing": True}, "activation_checkpointing"),
        ({"compile": True}, "compile"),
    ],
)
def test_a_static_encoder_has_no_layers(options, named):
    encoder = static(TEXTS, vocab_size=60, hidden_size=16)
    assert full(encoder) is encoder
    assert message_of(lambda: full(encoder, **options)) == (
        f"tuning.{named}: the encoder ('babelbatch_static') has no transformer layers; leave the option out"
    )


def saved_bytes(encoder: Encoder) -> int:
    """What the forward pass keeps for the backward pass, the inputs of checkpointed layers aside."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = loss_of(encoder)
    del loss
    return sum(kept.values())


@pytest.mark.parametrize("attention", [None, "unpadded"])
@pytest.mark.parametrize("tune", [full, lora])
def test_activation_checkpointing_keeps_the_gradients_and_less_memory(tune, attention):
    direct = tune(new(dropout=0.3, layers=6, attention=attention))
    encoder = tune(new(dropout=0.3, layers=6, attention=attention), activation_checkpointing=True)
    encoder.load_state_dict(direct.state_dict())
    loss, expected = gradients(direct)
    found_loss, found = gradients(encoder)
    assert torch.equal(found_loss, loss)
    assert found.keys() == expected.keys() == trained(encoder)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-7, rtol=1e-5)
    inputs = 2 * 6 * 6 * 9 * 16 * 4  # both texts, layers, rows, tokens, numbers a token, bytes a number
    weights = sum(weight.numel() for weight in encoder.parameters()) * 4
    assert saved_bytes(encoder) + inputs < 0.5 * (saved_bytes(direct) - weights) + weights
    encoder.eval()
    assert torch.equal(encoder(batch(), "query"), direct.eval()(batch(), "query"))


def test_activation_checkpointing_of_frozen_layers_costs_no_backward_pass():
    encoder = full(new(), frozen_layers=2, freeze_embeddings=True, activation_checkpointing=True)
    reached = []
    for number, layer in enumerate(encoder.towers["query"].backbone.encoder.layer):
        layer.register_forward_hook(lambda module, inputs, output, n=number: reached.append((n, output.requires_grad)))
    gradients(encoder)
    assert set(reached) == {(0, False), (1, False), (2, True)}


def test_activation_checkpointing_says_nothing_about_decoding(monkeypatch):
    messages: list[str] = []
    monkeypatch.setattr(generic.logger, "warning_once", messages.append, raising=False)
    gradients(full(new(), activation_checkpointing=True))
    assert messages == []


compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile needs a C++ compiler; install g++"
)


@compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    ("attention", "options"),
    [(None, {}), (None, {"activation_checkpointing": True}), ("unpadded", {})],
    ids=["plain", "checkpointed", "unpadded"],
)
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the compiler looks there
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # and imports what torch itself has given up
def test_compiling_keeps_numbers_and_names(tmp_path, attention, options):
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    direct = full(new(dropout=0.0, layers=6, attention=attention), **options)
    encoder = full(new(dropout=0.0, layers=6, attention=attention), **options, compile=True)
    loss, expected = gradients(direct)
    found_loss, found = gradients(encoder)
    assert 1 <= counters["stats"]["unique_graphs"] <= 4  # layers share them: a graph is not compiled for each
    torch.testing.assert_close(found_loss, loss, atol=1e-5, rtol=1e-5)
    assert found.keys() == expected.keys() == trained(encoder)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-5)
    assert list(encoder.state_dict()) == list(direct.state_dict())
    save(encoder, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert set(weights) == set(direct.towers["query"].backbone.state_dict())
    torch.testing.assert_close(
        load(tmp_path).eval()(batch(), "query"), encoder.eval()(batch(), "query"), atol=1e-5, rtol=1e-5
    )


@compiler
def test_what_could_not_be_compiled_is_refused():
    encoder = new(attention="unpadded")
    assert message_of(lambda: full(encoder, compile=True, activation_checkpointing=True)) == (
        "tuning.compile: encoder.attention=unpadded cannot be compiled, and with activation checkpointing nor can the "
        "layer around it; leave one of the three out"
    )


def test_compiling_needs_a_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.delenv("CC", raising=False)
    assert message_of(lambda: full(new(), compile=True)) == (
        "tuning.compile: torch.compile needs a C++ compiler, and none is found; install one (such as g++), "
        "or set tuning.compile=false"
    )


def adapted(encoder: Encoder, **options: object) -> Encoder:
    """With adapters that do something."""
    encoder = lora(encoder, **{"rank": 4} | options)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    return encoder


@pytest.mark.parametrize("shared", [True, False])
def test_lora_trains_adapters_and_the_projection_from_where_the_encoder_stood(shared):
    encoder = new(shared=shared, dimensions=8, dropout=0.0)
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    start = {role: encoder(batch(), role).detach() for role in ("query", "passage")}
    assert lora(encoder, rank=4) is encoder
    for role, vectors in start.items():
        assert torch.equal(encoder(batch(), role), vectors)
    towers = ["query"] if shared else ["query", "passage"]
    maps = 3 * 6 * 2 * len(towers)  # layers; query, key, value, output and two dense; A and B
    names = trained(encoder)
    assert {name for name in names if "lora" not in name} == {f"towers.{role}.projection.weight" for role in towers}
    assert sum("lora" in name for name in names) == maps
    optimizer = torch.optim.AdamW(parameter_groups(encoder, nn.Identity()), lr=0.01)
    for _ in range(2):  # A has a gradient once B has moved
        optimizer.zero_grad()
        loss_of(encoder).backward()
        optimizer.step()
    for name, weight in encoder.state_dict().items():
        plain = name.replace(".base_layer.", ".")
        if plain in before:
            assert torch.equal(weight, before[plain]) == ("projection" not in name), name
    for role, vectors in start.items():
        assert not torch.allclose(encoder(batch(), role), vectors)


def test_lora_by_hand():
    """W + alpha / rank * B A, here in one map of one layer."""
    encoder = adapted(new(layers=1, dropout=0.0), rank=4, alpha=2.0, targets=["query"])
    query = encoder.towers["query"].backbone.encoder.layer[0].attention.self.query
    matrix = query.base_layer.weight + 0.5 * query.lora_B["default"].weight @ query.lora_A["default"].weight
    states = torch.randn(5, 16)
    torch.testing.assert_close(query(states), states @ matrix.T + query.base_layer.bias)
    assert {name.rpartition("self.")[2] for name in trained(encoder)} == {
        "query.lora_A.default.weight",
        "query.lora_B.default.weight",
    }
    assert query.lora_A["default"].weight.shape == (4, 16)


def test_lora_dropout_is_that_of_the_adapters():
    encoder = adapted(new(dropout=0.0), dropout=0.5)
    assert not torch.equal(encoder(batch(), "query"), encoder(batch(), "query"))
    assert torch.equal(*(adapted(new(dropout=0.0))(batch(), "query") for _ in range(2)))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("pooling", ["mean", "pooler"])
def test_a_saved_lora_encoder_is_a_plain_one(tmp_path, shared, pooling):
    encoder = adapted(new(shared=shared, dimensions=8, pooling=pooling)).eval()
    plain = new(shared=shared, dimensions=8, pooling=pooling).eval()
    state = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    save(encoder, tmp_path)
    assert all(torch.equal(weight, state[name]) for name, weight in encoder.state_dict().items())
    names = set(AutoModel.from_pretrained(tmp_path).state_dict())  # nothing is missing, nothing is left over
    assert names >= set(load_file(tmp_path / "model.safetensors")) == set(plain.towers["query"].backbone.state_dict())
    assert not {"peft", "lora"} & set(json.dumps(json.loads((tmp_path / "config.json").read_text())).split('"'))
    back = load(tmp_path).eval()
    assert list(back.state_dict()) == list(plain.state_dict())
    for role in ("query", "passage"):
        vectors = encoder(batch(), role)
        assert not torch.allclose(vectors, plain(batch(), role), atol=1e-3)
        torch.testing.assert_close(back(batch(), role), vectors, atol=2e-6, rtol=1e-5)


def test_targets_that_are_not_there():
    assert message_of(lambda: lora(new(), targets=["query", "valeu"])) == (
        "tuning.targets: no linear map of a layer is called 'valeu'; there are: attention.output.dense, "
        "attention.self.key, attention.self.query, attention.self.value, intermediate.dense, output.dense"
    )
    assert len(trained(lora(new(), targets=["attention.output.dense"]))) == 3 * 2
    assert message_of(lambda: lora(static(TEXTS, vocab_size=60, hidden_size=16))) == (
        "tuning.targets: the encoder ('babelbatch_static') has no transformer layers; leave the option out"
    )


def test_lora_without_peft(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    assert message_of(lambda: lora(new())) == (
        "tuning: lora needs peft, which is not installed; pip install 'babelbatch[lora]', or set tuning=full"
    )


def test_a_saved_lora_encoder_loads_without_peft(tmp_path, monkeypatch):
    encoder = adapted(new()).eval()
    save(encoder, tmp_path)
    monkeypatch.setitem(sys.modules, "peft", None)
    torch.testing.assert_close(load(tmp_path).eval()(batch(), "query"), encoder(batch(), "query"))


@pytest.mark.parametrize("shared", [True, False])
def test_what_decays(shared):
    encoder, loss = new(shared=shared, dimensions=8), Contrastive(learn_temperature=True)
    decaying, exempt = parameter_groups(encoder, loss)
    assert decaying.keys() == {"params"}
    assert exempt.keys() == {"params", "weight_decay"}
    assert exempt["weight_decay"] == 0.0
    names = {id(weight): name for name, weight in [*encoder.named_parameters(), *loss.named_parameters()]}
    listed = [id(weight) for group in (decaying, exempt) for weight in group["params"]]
    assert len(listed) == len(set(listed)) == len(names)
    of_loss = {name for name, _ in loss.named_parameters()}
    assert len(of_loss) == 1
    for weight in decaying["params"]:
        assert weight.ndim == 2
        assert names[id(weight)].endswith("weight")
        assert "LayerNorm" not in names[id(weight)]
    for weight in exempt["params"]:
        name = names[id(weight)]
        assert name in of_loss or name.endswith("bias") or "LayerNorm" in name
    order = list(names.values())
    for group in (decaying, exempt):
        places = [order.index(names[id(weight)]) for weight in group["params"]]
        assert places == sorted(places)


def test_groups_leave_out_what_is_frozen():
    encoder = full(new(), frozen_layers=3)
    listed = {id(weight) for group in parameter_groups(encoder, nn.Identity()) for weight in group["params"]}
    assert listed == {id(weight) for weight in encoder.parameters() if weight.requires_grad}


def test_an_optimiser_takes_an_empty_group_and_decays_by_its_own_rate():
    encoder = static(TEXTS, vocab_size=60, hidden_size=16)
    groups = parameter_groups(encoder, nn.Identity())
    assert [len(group["params"]) for group in groups] == [1, 0]
    optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.3)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    before = groups[0]["params"][0].detach().clone()
    groups[0]["params"][0].grad = torch.zeros_like(before)
    optimizer.step()
    torch.testing.assert_close(groups[0]["params"][0].detach(), before * (1 - 0.1 * 0.3))


def test_the_shipped_configurations_name_these_functions():
    import yaml

    folder = Path(__file__).parents[2] / "conf" / "tuning"
    found = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}
    full, lora = ({"_target_": f"babelbatch.training.tuning.{name}", "_partial_": True} for name in ("full", "lora"))
    assert found == {"full": full, "lora": lora, "qlora": lora | {"four_bit": True}}


@pytest.mark.parametrize("shared", [True, False])
def test_adapters_in_float32_over_frozen_weights_in_bfloat16(tmp_path, shared):
    save(new(shared=shared, dimensions=8, dropout=0.0), tmp_path / "start")
    half = pretrained(str(tmp_path / "start"), dtype="bfloat16")
    check_saved(half, "half", tmp_path / "untrained")
    whole = pretrained(str(tmp_path / "start"))
    of_backbones = [
        sum(weight.nbytes for name, weight in each.named_parameters() if ".backbone." in name) for each in (half, whole)
    ]
    assert of_backbones[0] == of_backbones[1] / 2
    frozen = {name: weight.clone() for name, weight in lora(half, rank=4, alpha=2.0).named_parameters()}
    types = {name: weight.dtype for name, weight in half.named_parameters()}
    assert {types[name] for name in trained(half)} == {torch.float32}
    assert {type_ for name, type_ in types.items() if name not in trained(half)} == {torch.bfloat16}
    optimizer = torch.optim.AdamW(parameter_groups(half, nn.Identity()), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss_of(half).backward()
        optimizer.step()
    assert {name for name, weight in half.named_parameters() if not torch.equal(weight, frozen[name])} == trained(half)

    trained_whole = in_float32(half.eval()).eval()
    assert in_float32(trained_whole) is trained_whole
    assert list(trained_whole.state_dict()) == list(whole.state_dict())
    name = "backbone.encoder.layer.1.attention.self.value"
    layer = half.towers["passage"].get_submodule(name)
    change = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    torch.testing.assert_close(
        trained_whole.towers["passage"].get_submodule(name).weight,
        layer.base_layer.weight.float() + 0.5 * change,
        rtol=0,
        atol=1e-7,
    )
    save(trained_whole, tmp_path / "trained")
    back = load(tmp_path / "trained").eval()
    for role in ("query", "passage"):
        vectors = trained_whole(batch(), role)
        assert torch.equal(back(batch(), role), vectors)
        assert 1e-6 < (half(batch(), role) - vectors).norm(dim=1).max() < 0.05
        assert (whole.eval()(batch(), role) - vectors).norm(dim=1).max() > 0.05
