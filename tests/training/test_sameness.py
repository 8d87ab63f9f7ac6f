"""The gradient does not depend on how it is computed: on ranks, on chunks, with GradCache or without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from babelbatch.batches.builder import BatchBuilder, TeacherTexts
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.batches.translations import Translations
from babelbatch.distributed.collectives import gather_rows, max_over_ranks, sum_over_ranks_on_cpu
from babelbatch.encoder import tiny
from babelbatch.evaluation.evaluation import encode
from babelbatch.loss import Alignment, Contrastive, LanguageKL, Mimo, Objective
from babelbatch.records import Batch, Corpus
from babelbatch.sampling import Sampler, Sampling
from babelbatch.training import embedding_rows
from babelbatch.training.embedding_rows import _rows_of
from babelbatch.training.learner import Learner, seed_step
from babelbatch.training.scheduler import constant
from babelbatch.training.sharding import divided_like, gathered, mesh_of, shard, whole_on_first_rank
from babelbatch.training.tuning import full, parameter_groups
from conftest import MakeCorpus
from preloaded import preload
from small_encoders import SmallEncoders

DROPOUT = 0.1


@dataclass(frozen=True)
class Case:
    """A batch of 10 is shared by four ranks as 3, 3, 2 and 2."""

    kind: float  # alpha
    size: int
    grad_cache: bool = False
    symmetric: bool = False
    mask: bool = True
    shared: bool = True
    objective: str = "contrastive"
    matryoshka: tuple[int, ...] | None = None
    encoder: str = "tiny"


CASES = [
    Case(0.0, 12),
    Case(0.0, 10, grad_cache=True),
    Case(1.0, 10, symmetric=True),
    Case(0.0, 10, symmetric=True, grad_cache=True, shared=False),
    Case(0.0, 11, mask=False),
    Case(0.0, 10, objective="language_kl"),
    Case(1.0, 11, objective="language_kl", mask=False, grad_cache=True, shared=False),
    Case(0.0, 10, objective="alignment", grad_cache=True),
    Case(0.0, 10, objective="mimo"),
    Case(1.0, 9, objective="mimo", grad_cache=True, shared=False),
    Case(0.0, 10, symmetric=True, grad_cache=True, matryoshka=(16, 8, 3)),
    Case(0.0, 10, objective="language_kl", grad_cache=True, matryoshka=(16, 4)),
    Case(1.0, 9, objective="alignment", shared=False, matryoshka=(16, 8)),
    Case(0.0, 11, objective="mimo", matryoshka=(16, 8)),
]


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    """Two thirds of the items share their passage with another; hard negatives for most. A sixth of the items have
    their query in one language only, and a sixth lack their passage in English."""
    return make_corpus(
        36,
        passage_keys=[item // 3 if item % 3 else 100 + item for item in range(36)],
        negatives=2,
        no_query=[(item, language) for item in range(0, 36, 6) for language in ("de", "zh")],
        no_passage=[(item, "en") for item in range(1, 36, 6)],
    )


def learner_for(corpus: Corpus, case: Case, dropout: float = 0.0) -> Learner:
    torch.manual_seed(0)
    texts = corpus.query_texts + corpus.passage_texts
    encoder = tiny(texts, vocab_size=300, hidden_size=16, heads=2, dropout=dropout, shared=case.shared)
    if case.encoder != "tiny":
        encoder = SmallEncoders(texts, 300).cases()[case.encoder]()
    loss = objective_for(corpus, case)
    sgd = partial(torch.optim.SGD, lr=0.1)
    return Learner(encoder, loss, sgd, constant, total_steps=1, seed=5, grad_cache=case.grad_cache)


def objective_for(corpus: Corpus, case: Case) -> Objective:
    options = {"learn_temperature": True, "symmetric": case.symmetric, "mask_same_passage": case.mask}
    options |= {"matryoshka": case.matryoshka}
    match case.objective:
        case "language_kl":
            return LanguageKL(2.0, "both", temperature=0.1, **options)
        case "alignment":
            return Alignment(0.5, "both", temperature=0.1, **options)
        case "mimo":
            teacher = tiny(corpus.query_texts, vocab_size=200, hidden_size=12, heads=2, shared=case.shared)
            return Mimo(16, teacher, warmup=0.0, temperature=0.1, **options)
        case _:
            return Contrastive(0.1, **options)


def batch_for(corpus: Corpus, learner: Learner, case: Case, rank: int = 0, ranks: int = 1, **chunks: int) -> Batch:
    requirements, teacher = learner.loss.requirements, learner.loss.teacher
    plan = Sampler(corpus, Sampling("any", alpha=case.kind, batch_size=case.size), seed=1).plan(3)
    plan = Translations(corpus, None, 1, requirements)(plan, 3)
    taught = None
    if teacher is not None:
        taught = TeacherTexts(TokenizedCorpus(corpus, teacher.encoder), requirements.teacher_language)
    builder = BatchBuilder(TokenizedCorpus(corpus, learner.encoder), taught)
    return builder(plan, 3, rank=rank, ranks=ranks, **chunks)


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def assert_close(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """To rtol 1e-5, sums of entries that cancel (a key's bias has no gradient but rounding) to 5e-7 of the largest:
    four roundings of it, which differ with the number of threads."""
    assert one.keys() == other.keys()
    assert len(one) > 10
    largest = max(float(gradient.abs().max()) for gradient in one.values())
    for name, gradient in one.items():
        scale = max(1e-5 * float(gradient.abs().max()), 5e-7 * largest)
        torch.testing.assert_close(other[name], gradient, rtol=1e-5, atol=scale, msg=name)


def alone(corpus: Corpus, case: Case, *, dropout: float = 0.0, **chunks: int) -> tuple[float, list, dict[str, Tensor]]:
    learner = learner_for(corpus, case, dropout)
    step = learner.training_step(batch_for(corpus, learner, case, **chunks), 0)
    step["loss"].backward()
    return step["value"].item(), step["masked"].tolist(), gradients(learner)


@pytest.mark.parametrize("objective", ["language_kl", "alignment", "mimo"])
def test_some_pairs_have_counterparts_and_some_have_none(corpus: Corpus, objective: str) -> None:
    """So the cases below are about means over some of the pairs, unlike from rank to rank."""
    learner = learner_for(corpus, Case(0.0, 10, objective=objective))
    shares = [batch_for(corpus, learner, Case(0.0, 10), rank, 4) for rank in range(4)]
    for share in shares:
        sides = (share.translated_queries, share.translated_passages)
        sides = (share.teacher_batch.queries, share.teacher_batch.passages) if share.teacher_batch else sides
        assert any(0 < sum(side.counts) < 10 and len(set(side.counts)) > 1 for side in sides)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_chunks_change_nothing(corpus: Corpus, case: Case) -> None:
    value, masked, whole = alone(corpus, case, overhead=10_000)
    for limit in (None, 20):
        split = alone(corpus, case, overhead=0, token_limit=limit)
        assert split[0] == pytest.approx(value, rel=1e-5)
        assert split[1] == masked
        assert_close(whole, split[2])


@pytest.mark.parametrize("shared", [True, False])
def test_grad_cache_replays_dropout(corpus: Corpus, shared: bool) -> None:
    """The same chunks with the same dropout: the same numbers to the bit, and other ones without the seed."""
    plain, cached = (Case(0.0, 12, grad_cache=cache, shared=shared) for cache in (False, True))
    one = alone(corpus, plain, dropout=DROPOUT, overhead=0, token_limit=20)
    other = alone(corpus, cached, dropout=DROPOUT, overhead=0, token_limit=20)
    assert one[0] == other[0]
    assert_close(one[2], other[2])
    assert one[0] != alone(corpus, plain, overhead=0, token_limit=20)[0]


def test_grad_cache_repeats_the_precision(corpus: Corpus) -> None:
    """The second encoding happens outside the trainer's autocast, and is in bfloat16 all the same."""
    found = []
    for cache in (False, True):
        learner = learner_for(corpus, Case(0.0, 12, grad_cache=cache), DROPOUT)
        batch = batch_for(corpus, learner, Case(0.0, 12), overhead=10_000)
        with torch.autocast("cpu", torch.bfloat16):
            step = learner.training_step(batch, 0)
        step["loss"].backward()
        found.append((step["value"].item(), gradients(learner)))
    assert found[0][0] == found[1][0]
    assert_close(found[0][1], found[1][1])


@pytest.mark.parametrize("dropout", [0.0, DROPOUT])
def test_grad_cache_and_activation_checkpointing(corpus: Corpus, dropout: float) -> None:
    """Without dropout also as with neither. With it, what is computed again has torch's masks, the rest fast ones."""
    found = []
    for cache, checkpointing in ((False, True), (True, True), (False, False)):
        learner = learner_for(corpus, Case(0.0, 12, grad_cache=cache), dropout)
        full(learner.encoder, activation_checkpointing=checkpointing)
        batch = batch_for(corpus, learner, Case(0.0, 12), overhead=0, token_limit=20)
        learner.train().training_step(batch, 0)["loss"].backward()
        found.append(gradients(learner))
    assert_close(*found[:2])
    if not dropout:
        assert_close(found[0], found[2])


def test_grad_cache_leaves_the_random_state(corpus: Corpus) -> None:
    learner = learner_for(corpus, Case(0.0, 12, grad_cache=True), DROPOUT)
    loss = learner.training_step(batch_for(corpus, learner, Case(0.0, 12)), 0)["loss"]
    before = torch.get_rng_state()
    loss.backward()
    assert torch.equal(torch.get_rng_state(), before)


def test_grad_cache_keeps_no_activations(corpus: Corpus) -> None:
    """What autograd keeps between forward and backward: the vectors, and nothing that grows with the encoder."""
    kept = {}
    for cache in (False, True):
        learner = learner_for(corpus, Case(0.0, 24, grad_cache=cache), DROPOUT)
        batch = batch_for(corpus, learner, Case(0.0, 24), overhead=0, token_limit=40)
        sizes: list[int] = []
        weights = {parameter.data_ptr() for parameter in learner.parameters()}
        note = partial(_note, sizes, weights)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            learner.training_step(batch, 0)
        kept[cache] = sum(sizes)
    assert kept[True] < kept[False] / 20


def _note(sizes: list[int], weights: set[int], tensor: Tensor) -> Tensor:
    if tensor.data_ptr() not in weights:
        sizes.append(tensor.numel())
    return tensor


def test_a_step_is_seeded_by_step_and_rank() -> None:
    drawn = set()
    for seed, step, rank in ((0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1)):
        seed_step(seed, step, rank)
        first = (torch.rand(1).item(), np.random.rand())
        torch.rand(3)
        seed_step(seed, step, rank)
        assert (torch.rand(1).item(), np.random.rand()) == first
        drawn.add(first)
    assert len(drawn) == 4


class _Step(nn.Module):
    """What data-parallel training wraps: parameters, and a forward pass that gives the loss."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.learner.training_step(batch, 0)


SHARDED = [  # and whether activations are checkpointed
    (Case(0.0, 12), False),
    (Case(0.0, 11, symmetric=True, grad_cache=True, shared=False), False),
    (Case(1.0, 10, symmetric=True, grad_cache=True), True),
    (Case(0.0, 10, objective="language_kl", mask=False, matryoshka=(16, 4)), True),
    (Case(0.0, 10, encoder="T5"), False),
    (Case(0.0, 11, grad_cache=True, encoder="Qwen3, last token"), True),
]
LIMITS = {"overhead": 0, "token_limit": 20}  # many chunks, not equally many on each rank


def encoder_trained(corpus: Corpus, case: Case) -> Learner:
    """Whose objective has no weights of its own."""
    learner = learner_for(corpus, case)
    learner.loss.log_temperature.requires_grad_(False)
    return learner


def shared_weights(ranks: int) -> list[tuple[Case, bool]]:
    """Of the cases, what so many ranks do. Two share one copy of the weights; four have two copies."""
    return SHARDED if ranks == 2 else SHARDED[1:2]


def adamw(learner: Learner, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameter_groups(learner.encoder, learner.loss), lr=0.01, eps=0.01, fused=fused)


def clipped_step(learner: Learner, optimizer: torch.optim.Optimizer) -> None:
    learner.configure_gradient_clipping(optimizer, 0.1)
    optimizer.step()


def gradients_clipped_by_value(learner: Learner) -> dict[str, Tensor]:
    """As Lightning does with `gradient_clip_algorithm=value`."""
    torch.nn.utils.clip_grad_value_(learner.encoder.parameters(), 1e-3)
    return {name: gathered(p.grad) for name, p in learner.encoder.named_parameters() if p.grad is not None}


def _sharded(corpus: Corpus, case: Case, checkpointing: bool, rank: int, ranks: int) -> dict:
    learner = encoder_trained(corpus, case)
    full(learner.encoder, activation_checkpointing=checkpointing)
    learner.sharded = shard(learner.encoder, mesh_of(ranks, 2, "cpu"))
    weights = [each.to_local().numel() for each in learner.encoder.parameters()]
    batch = batch_for(corpus, learner, case, rank, ranks, **LIMITS)
    with torch.no_grad():
        learner._loss_of(batch)  # as a validation does: it leaves nothing behind that the step could stumble over
    step = learner.training_step(batch, 0)
    step["loss"].backward()
    gradient = {name: gathered(p.grad) for name, p in learner.named_parameters() if p.grad is not None}
    optimizer = adamw(learner, fused=case.grad_cache)
    clipped_step(learner, optimizer)
    state = optimizer.state_dict()
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    whole = whole_on_first_rank(state)["state"]
    return {
        "value": step["value"].item(),
        "masked": step["masked"].tolist(),
        "gradient": gradient,
        "chunks": len(batch.chunks),
        "own weights": sum(weights),
        "norm": learner.gradient_norm,
        "weights": learner.whole_encoder().state_dict(),
        "states": whole,
        "clipped by value": gradients_clipped_by_value(learner),
        "own states": {
            number: torch.equal(
                divided_like(parameter, gathered(each["exp_avg"])).to_local(), each["exp_avg"].to_local()
            )
            for (number, each), parameter in zip(state["state"].items(), parameters, strict=True)
        },
    }


def _layers_gathered(corpus: Corpus, case: Case, rank: int, ranks: int) -> dict[str, list[int]]:
    """How many of four layers are whole when each of them computes, and when the gradient of each is known."""
    learner = encoder_trained(corpus, case)
    texts = corpus.query_texts + corpus.passage_texts
    learner.encoder = tiny(texts, vocab_size=300, hidden_size=16, heads=2, layers=4, dropout=0.0)
    learner.sharded = shard(learner.encoder, mesh_of(ranks, 2, "cpu"))
    layers = [module for module in learner.encoder.modules() if isinstance(module, FSDPModule)]
    layers = [layer for layer in layers if layer is not learner.encoder.tower("query")]
    assert len(layers) == 4
    found: dict[str, list[int]] = {"forward": [], "backward": []}

    def note(when: str) -> None:
        found[when].append(sum(not isinstance(next(layer.parameters()), DTensor) for layer in layers))

    def note_both(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        note("forward")
        if output.requires_grad:
            output.register_hook(lambda gradient: note("backward"))

    for layer in layers:
        layer.register_forward_hook(note_both, prepend=True)
    batch = batch_for(corpus, learner, case, rank, ranks, **LIMITS)
    learner.training_step(batch, 0)["loss"].backward()
    return found


def _rank(rank: int, ranks: int, folder: Path, corpus: Corpus) -> None:
    torch.set_num_threads(1)
    meet, patience = f"file://{folder}/meet", timedelta(seconds=120)
    dist.init_process_group("gloo", init_method=meet, timeout=patience, rank=rank, world_size=ranks)
    found = []
    for case in CASES:
        learner = learner_for(corpus, case)
        batch = batch_for(corpus, learner, case, rank, ranks)
        parallel = DistributedDataParallel(_Step(learner))
        step = parallel(batch)
        step["loss"].backward()
        found.append((step["value"].item(), step["masked"].tolist(), gradients(learner)))
    encoder = learner_for(corpus, CASES[0]).encoder
    vectors = encode(encoder, corpus.passage_texts, "passage", token_budget=60)
    mine = torch.full((rank, 2), float(rank), requires_grad=True)
    everyone = gather_rows(mine, tuple(range(ranks)))
    (everyone.sum(dim=1) @ torch.arange(1.0, len(everyone) + 1)).backward()
    talk = (everyone.detach(), mine.grad, max_over_ranks(10 - rank), sum_over_ranks_on_cpu(torch.tensor([1.0, rank])))
    sharded = [_sharded(corpus, *each, rank, ranks) for each in shared_weights(ranks)]
    whole = [_layers_gathered(corpus, case, rank, ranks) for case in (SHARDED[0][0], SHARDED[2][0])]
    torch.save((found, vectors, talk, sharded, whole), folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module", params=[2, 4])
def ranks(request: pytest.FixtureRequest, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list]:
    """What each of 2 or 4 real processes found."""
    folder = tmp_path_factory.mktemp("ranks")
    preload()
    arguments = (request.param, folder, corpus)
    mp.start_processes(_rank, arguments, request.param, daemon=True, start_method="forkserver")  # none outlives us
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(request.param)]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
def test_ranks_change_nothing(corpus: Corpus, ranks: list, number: int) -> None:
    value, masked, whole = alone(corpus, CASES[number])
    assert sum(masked) > 0 or not CASES[number].mask or CASES[number].kind == 1
    for found, *_ in ranks:
        assert found[number][0] == pytest.approx(value, rel=1e-5)
        assert_close(whole, found[number][2])
    assert [count for found, *_ in ranks for count in found[number][1]] == masked


@pytest.mark.slow
def test_sharding_changes_nothing(corpus: Corpus, ranks: list) -> None:
    """Gradient, norm, a clipped step of AdamW and its states, which rank 0 gathers for a checkpoint."""
    cases = shared_weights(len(ranks))
    for place, (case, _) in enumerate(cases):
        assert_sharding_changes_nothing(corpus, case, [found[place] for *_, found, _ in ranks])
    assert any(len({found[place]["chunks"] for *_, found, _ in ranks}) > 1 for place in range(len(cases)))


def assert_sharding_changes_nothing(corpus: Corpus, case: Case, found: list[dict]) -> None:
    learner = encoder_trained(corpus, case)
    step = learner.training_step(batch_for(corpus, learner, case), 0)
    step["loss"].backward()
    gradient = gradients(learner)
    optimizer = adamw(learner, fused=False)
    clipped_step(learner, optimizer)
    for each in found:
        assert each["value"] == pytest.approx(step["value"].item(), rel=1e-5)
        assert_close(gradient, each["gradient"])
        assert each["norm"].item() == pytest.approx(learner.gradient_norm.item(), rel=1e-5)
        assert all(each["own states"].values())
        assert each["weights"].keys() == learner.encoder.state_dict().keys()
        for name, weight in learner.encoder.state_dict().items():
            torch.testing.assert_close(each["weights"][name], weight, rtol=1e-5, atol=1e-6, msg=name)
    by_value = gradients_clipped_by_value(learner)
    assert max(float(each.abs().max()) for each in by_value.values()) == pytest.approx(1e-3)
    for each in found:
        assert_close(by_value, each["clipped by value"])
    assert [count for each in found for count in each["masked"]] == step["masked"].tolist()
    assert sum(each["own weights"] for each in found[:2]) == sum(each.numel() for each in learner.encoder.parameters())
    assert max(each["own weights"] for each in found) < 0.51 * sum(each["own weights"] for each in found[:2])
    for key, expected in optimizer.state_dict()["state"].items():
        for name in ("exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(found[0]["states"][key][name], expected[name], rtol=1e-4, atol=1e-8)


@pytest.mark.slow
def test_a_layer_is_gathered_while_it_computes(ranks: list) -> None:
    """Alone in a forward pass, with GradCache also in the second one, which is in the backward pass. FSDP gathers the
    layer below ahead in a backward pass; then there may be two more, whose gradients are being divided."""
    for *_, gathered_layers in ranks:
        for found in gathered_layers:
            assert set(found["forward"]) == {1}
            assert len(found["backward"]) >= 8
            assert max(found["backward"]) <= 3


@pytest.mark.slow
def test_ranks_share_the_encoding(corpus: Corpus, ranks: list) -> None:
    expected = encode(learner_for(corpus, CASES[0]).encoder, corpus.passage_texts, "passage", token_budget=60)
    for _, vectors, *_ in ranks:
        assert np.array_equal(vectors, expected)


@pytest.mark.slow
def test_what_ranks_tell_each_other(ranks: list) -> None:
    """Rank r brings r rows of r; row n of all counts n + 1 in every rank's sum."""
    size = len(ranks)
    rows = [float(rank) for rank in range(size) for _ in range(rank)]
    for rank, (_, _, (everyone, gradient, most, sums), *_) in enumerate(ranks):
        assert everyone[:, 0].tolist() == rows
        first = sum(range(rank))
        assert gradient[:, 0].tolist() == [size * (first + place + 1) for place in range(rank)]
        assert most == 10
        assert sums.tolist() == [size, sum(range(size))]


@pytest.mark.parametrize("shared", [True, False])
def test_embeddings_looked_up_once_have_the_same_gradient_to_the_bit(
    corpus: Corpus, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(0.0, 12, shared=shared)
    once = alone(corpus, case, dropout=DROPOUT, overhead=0, token_limit=20)
    learner = learner_for(corpus, case)
    tables = [tower.backbone.get_input_embeddings() for tower in {*learner.encoder.towers.values()}]
    batch = batch_for(corpus, learner, case, overhead=0, token_limit=20)
    looked_up: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(embedding_rows, "_rows_of", lambda *each: looked_up.append(1) or _rows_of(*each))
        learner.training_step(batch, 0)
    assert len(looked_up) == len(batch.chunks) > 4
    assert not any("forward" in vars(table) for table in tables)  # the modules are as before
    monkeypatch.setattr(embedding_rows, "_plain_table", lambda backbone: None)
    each = alone(corpus, case, dropout=DROPOUT, overhead=0, token_limit=20)
    assert once[0] == each[0]
    assert once[2].keys() == each[2].keys()
    assert all(torch.equal(once[2][name], gradient) for name, gradient in each[2].items())
