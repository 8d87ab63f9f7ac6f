"""Plans turned into tokenised batches, and the split that holds some out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from babelbatch.batches.builder import BatchBuilder, TeacherTexts
from babelbatch.batches.code_switching import CodeSwitching
from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.negatives import Mined
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.encoder import Encoder, static
from babelbatch.records import ABSENT, Batch, BatchRequirements, Corpus, Padded, PairedTexts, Plan
from babelbatch.sampling import Sampler, Sampling
from babelbatch.sampling.validation_split import HeldOutPassages, held_out
from conftest import MakeCorpus

HYBRID = Sampling(name="hybrid", alpha=0.5, batch_size=4)
X_X = Sampling(name="x_x", alpha=1.0, batch_size=4)
X_Y = Sampling(name="x_y", alpha=0.0, batch_size=4)
ENGLISH = Sampling(name="english", alpha=1.0, batch_size=4, languages=["en"])


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    """60 items in de, en, zh; each passage answers two of them; two hard negatives, the first absent of even items."""
    return make_corpus(60, passage_keys=[item // 2 for item in range(60)], negatives=2)


@pytest.fixture(scope="module")
def encoder(corpus: Corpus) -> Encoder:
    return static(corpus.query_texts + corpus.passage_texts, vocab_size=300, hidden_size=8)


def texts(encoder: Encoder, batch: Batch, side: str) -> list[str]:
    """What the tokens of the `queries` or the `candidates` say, in the order of the batch."""
    decoded = [
        text
        for chunk in batch.chunks
        for text in encoder.tokenizer.batch_decode(chunk.input_ids, skip_special_tokens=True)
    ]
    return [decoded[row] for row in getattr(batch, side).tolist()]


def tensors(batch: Batch) -> list[torch.Tensor]:
    chunks = [tensor for chunk in batch.chunks for tensor in (chunk.input_ids, chunk.attention_mask)]
    return [*chunks, batch.queries, batch.candidates, batch.positive_keys, batch.candidate_keys]


def assert_same(one: Batch, other: Batch) -> None:
    assert (one.kind, one.step, one.query_counts) == (other.kind, other.step, other.query_counts)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(tensors(one), tensors(other), strict=True))


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.chunks[0].input_ids, other.chunks[0].input_ids)


def test_batch_by_hand(corpus, encoder):
    """Item 7 asked in German and answered in English, item 2 the other way round. Item 2 has one hard negative."""
    plan = Plan("x_y", items=np.array([7, 2]), query_languages=np.array([0, 1]), passage_languages=np.array([1, 0]))
    batch = BatchBuilder(TokenizedCorpus(corpus, encoder))(plan, step=9)
    assert (batch.kind, batch.step) == ("x_y", 9)
    assert texts(encoder, batch, "queries") == ["question 7 de", "question 2 en"]
    assert texts(encoder, batch, "candidates") == [
        "passage 7 en", "passage 2 de", "wrong 0 for 7 en", "wrong 1 for 7 en", "wrong 1 for 2 de",
    ]  # fmt: skip
    assert batch.positive_keys.tolist() == [3, 1]
    wrong = [corpus.passage_texts.index(text) for text in texts(encoder, batch, "candidates")[2:]]
    assert batch.candidate_keys.tolist() == [3, 1, *(1000 + row for row in wrong)]
    assert batch.positive_keys.dtype == batch.candidate_keys.dtype == torch.int64


def texts_of(encoder: Encoder, chunks: tuple[Padded, ...], versions: PairedTexts) -> list[str]:
    """What the tokens of translations or of a teacher batch say."""
    decoded = [
        text for chunk in chunks for text in encoder.tokenizer.batch_decode(chunk.input_ids, skip_special_tokens=True)
    ]
    return [decoded[row] for row in versions.rows.tolist()]


# Item 7 asked in German and answered in English, item 2 the other way round, item 4 in Chinese; the first query and
# the last passage have another version.
TRANSLATED = Plan(
    "x_y", np.array([7, 2, 4]), np.array([0, 1, 2]), np.array([1, 0, 2]), np.array([2, -1, 0]), np.array([-1, -1, 1])
)


@pytest.mark.parametrize("shared", [True, False])
def test_translations_are_among_the_chunks(corpus, encoder, shared):
    other = Encoder(encoder.towers["query"].backbone, encoder.tokenizer, replace(encoder.settings, shared=shared))
    builder = BatchBuilder(TokenizedCorpus(corpus, other))
    batch = builder(TRANSLATED, step=9)
    assert texts_of(encoder, batch.chunks, batch.translated_queries) == ["question 7 zh", "question 4 de"]
    assert texts_of(encoder, batch.chunks, batch.translated_passages) == ["passage 4 en"]
    assert (batch.translated_queries.pairs.tolist(), batch.translated_queries.counts) == ([0, 2], (2,))
    assert (batch.translated_passages.pairs.tolist(), batch.translated_passages.counts) == ([2], (1,))
    plain = builder(replace(TRANSLATED, query_translation_languages=None, passage_translation_languages=None), step=9)
    assert plain.translated_queries is plain.translated_passages is plain.teacher_batch is None
    for side in ("queries", "candidates"):
        assert texts(encoder, plain, side) == texts(encoder, batch, side)
    assert torch.equal(plain.candidate_keys, batch.candidate_keys)
    assert sum(len(chunk.input_ids) for chunk in batch.chunks) == 3 + sum(
        len(chunk.input_ids) for chunk in plain.chunks
    )


def test_a_translation_that_is_in_the_batch_already_is_encoded_once(corpus, encoder):
    english, german = np.array([1, 1]), np.array([0, 0])
    plan = Plan("x_y", np.array([3, 3]), german, english, query_translation_languages=english)
    batch = BatchBuilder(TokenizedCorpus(corpus, encoder))(replace(plan, query_languages=np.array([0, 1])), 0)
    assert batch.translated_queries.rows[0] == batch.queries[1]


def test_a_teacher_batch_is_in_the_teachers_tokens(make_corpus, encoder):
    """English for every text that exists in it: item 2 lacks its English passage. Its tokenizer is another one."""
    corpus = make_corpus(8, no_passage=[(2, "en")])
    tokenized = TokenizedCorpus(corpus, encoder)
    teacher = static(["question passage en de zh 0 1 2 3 4 5 6 7"], vocab_size=60, hidden_size=4)
    builder = BatchBuilder(tokenized, TeacherTexts(TokenizedCorpus(corpus, teacher), "en"))
    batch = builder(TRANSLATED, 0)
    found = batch.teacher_batch
    assert texts_of(teacher, found.chunks, found.queries) == ["question 7 en", "question 2 en", "question 4 en"]
    assert texts_of(teacher, found.chunks, found.passages) == ["passage 7 en", "passage 4 en"]
    assert (found.passages.pairs.tolist(), found.passages.counts) == ([0, 2], (2,))
    assert BatchBuilder(tokenized)(TRANSLATED, 0).teacher_batch is None
    shares = [builder(TRANSLATED, 0, rank=rank, ranks=2) for rank in range(2)]
    assert [share.teacher_batch.passages.pairs.tolist() for share in shares] == [[0], [0]]
    assert {share.teacher_batch.passages.counts for share in shares} == {(1, 1)}
    with pytest.raises(ValueError, match=r"^loss\.language: the corpus hand-made has no 'fr' for the teacher to read"):
        TeacherTexts(TokenizedCorpus(corpus, teacher), "fr")


def test_a_teacher_batch_is_of_the_texts_before_they_were_switched(make_corpus, tmp_path, monkeypatch):
    """Everything that the student reads in English is switched; the teacher reads what it was."""
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "en-de.txt").write_text("question frage\npassage stelle\n")
    corpus = make_corpus(60)
    encoder = static((*corpus.query_texts, *corpus.passage_texts, "frage stelle"), vocab_size=300, hidden_size=8)
    supplied = {
        "transform": CodeSwitching(str(tmp_path), probability=1.0, copies=3),
        "requirements": BatchRequirements(teacher_language="en"),
        "teacher": encoder,
    }
    module = data(corpus, encoder, ENGLISH, steps=20, supplied=supplied)
    for batch in module.train_dataloader():
        items = (batch.plan.items // 3).tolist()
        assert texts(encoder, batch, "queries") == [f"frage {item} en" for item in items]
        assert texts_of(encoder, batch.teacher_batch.chunks, batch.teacher_batch.queries) == [
            f"question {item} en" for item in items
        ]
        assert texts_of(encoder, batch.teacher_batch.chunks, batch.teacher_batch.passages) == [
            f"passage {item} en" for item in items
        ]


@pytest.mark.parametrize("workers", [0, 2])
def test_only_training_batches_hold_what_the_objective_needs(corpus, encoder, workers):
    requirements = BatchRequirements(query_translations=True, passage_translations=True, teacher_language="en")
    supplied = {"requirements": requirements, "teacher": encoder}
    module = data(corpus, encoder, steps=4, supplied=supplied, num_workers=workers)
    plain = data(corpus, encoder, steps=4)
    for batch, expected in zip(module.train_dataloader(), plain.train_dataloader(), strict=True):
        assert (
            batch.translated_queries.counts
            == batch.translated_passages.counts
            == batch.teacher_batch.queries.counts
            == (4,)
        )
        assert (batch.plan.query_translation_languages != ABSENT).all()
        for side in ("queries", "candidates"):
            assert texts(encoder, batch, side) == texts(encoder, expected, side)
    for one, other in zip(module.val_dataloader(), plain.val_dataloader(), strict=True):
        assert one.translated_queries is one.translated_passages is one.teacher_batch is None
        assert_same(one, other)


@pytest.mark.parametrize("sampling", [X_X, X_Y, replace(X_X, same_language="pair")])
def test_batches_hold_the_planned_texts(corpus, encoder, sampling):
    sampler, builder = Sampler(corpus, sampling, seed=0), BatchBuilder(TokenizedCorpus(corpus, encoder))
    for step in range(20):
        plan = sampler.plan(step)
        batch = builder(plan, step)
        asked = zip(plan.items, plan.query_languages, strict=True)
        answered = zip(plan.items, plan.passage_languages, strict=True)
        assert texts(encoder, batch, "queries") == [f"question {item} {corpus.languages[row]}" for item, row in asked]
        assert texts(encoder, batch, "candidates")[:4] == [
            f"passage {item} {corpus.languages[row]}" for item, row in answered
        ]
        assert batch.positive_keys.tolist() == batch.candidate_keys[:4].tolist() == (plan.items // 2).tolist()


def test_prefixes_and_lengths_follow_the_role(corpus, encoder):
    settings = replace(encoder.settings, query_prefix="question ", passage_length=3)
    other = Encoder(encoder.towers["query"].backbone, encoder.tokenizer, settings)
    batch = BatchBuilder(TokenizedCorpus(corpus, other))(Sampler(corpus, X_X, seed=0).plan(0), 0)
    assert all(text.startswith("question question ") for text in texts(encoder, batch, "queries"))
    assert {len(text.split()) for text in texts(encoder, batch, "candidates")} == {1}


def test_no_hard_negatives(make_corpus, encoder):
    corpus = make_corpus(8)
    batch = BatchBuilder(TokenizedCorpus(corpus, encoder))(Sampler(corpus, X_X, seed=0).plan(0), 0)
    assert len(batch.candidates) == len(batch.candidate_keys) == 4


def test_batches_move_to_a_device(corpus, encoder):
    batch = BatchBuilder(TokenizedCorpus(corpus, encoder))(Sampler(corpus, X_X, seed=0).plan(0), 3)
    moved = batch.to(torch.device("meta"))
    assert moved.translated_queries is moved.teacher_batch is None
    assert (moved.kind, moved.step) == ("x_x", 3)
    assert all(tensor.device.type == "meta" for tensor in tensors(moved))
    tokenized = TokenizedCorpus(corpus, encoder)
    batch = BatchBuilder(tokenized, TeacherTexts(tokenized, "en"))(TRANSLATED, 3).to(torch.device("meta"))
    sides = [
        batch.translated_queries,
        batch.translated_passages,
        batch.teacher_batch.queries,
        batch.teacher_batch.passages,
    ]
    assert {tensor.device.type for side in sides for tensor in (side.rows, side.pairs)} == {"meta"}
    assert {chunk.input_ids.device.type for chunk in batch.teacher_batch.chunks} == {"meta"}


def test_towers_of_their_own_get_chunks_of_their_own(corpus, encoder):
    """Shared weights take both roles in one chunk."""
    apart = Encoder(encoder.towers["query"].backbone, encoder.tokenizer, replace(encoder.settings, shared=False))
    plan = Sampler(corpus, X_Y, seed=0).plan(0)
    together, separate = (
        BatchBuilder(TokenizedCorpus(corpus, either))(plan, 0, overhead=10_000) for either in (encoder, apart)
    )
    assert (len(together.chunks), together.query_chunks) == (1, 1)
    assert (len(separate.chunks), separate.query_chunks) == (2, 1)
    assert len(separate.chunks[0].input_ids) == 4
    assert separate.workload.real_tokens == together.workload.real_tokens
    for side in ("queries", "candidates"):
        assert texts(encoder, separate, side) == texts(encoder, together, side)


def test_a_repeated_text_is_encoded_once(make_corpus, encoder):
    """Twelve items, four passages: LAReQA's queries share their paragraphs."""
    corpus = make_corpus(12)
    corpus = replace(corpus, passages=corpus.passages[[item // 3 for item in range(12)]])
    languages = np.ones(12, np.int64)
    plan = Plan("x_x", np.arange(12)[::-1].copy(), languages, languages)
    batch = BatchBuilder(TokenizedCorpus(corpus, encoder))(plan, 0)
    assert sum(len(chunk.input_ids) for chunk in batch.chunks) == 12 + 4
    assert texts(encoder, batch, "candidates") == [f"passage {item // 3} en" for item in range(12)][::-1]


def test_chunks_bound_tokens_and_change_no_text(corpus, encoder):
    plan = Sampler(corpus, replace(X_Y, batch_size=24), seed=0).plan(0)
    builder = BatchBuilder(TokenizedCorpus(corpus, encoder))
    whole = builder(plan, 0, overhead=10_000)
    split = builder(plan, 0, overhead=0, token_limit=30)
    assert len(whole.chunks) == 1
    assert max(chunk.input_ids.numel() for chunk in split.chunks) <= 30
    assert split.workload.padded_tokens == split.workload.real_tokens == whole.workload.real_tokens
    assert whole.workload.padded_tokens > whole.workload.real_tokens
    for side in ("queries", "candidates"):
        assert texts(encoder, whole, side) == texts(encoder, split, side)


def test_chunks_are_small_on_a_cpu_unless_their_size_is_set(corpus, encoder, monkeypatch):
    monkeypatch.setattr("babelbatch.batches.data_module.MOST_TOKENS_ON_CPU", 30)
    inputs = TrainingInputs(corpus, X_X, encoder, seed=0, steps=3)
    for limit, largest in ((None, 30), (60, 60), (10**6, 10**6)):
        data = PairData(inputs, validation_fraction=0, forward_overhead=10_000, chunk_tokens=limit)
        sizes = [chunk.input_ids.numel() for batch in data.train_dataloader() for chunk in batch.chunks]
        assert largest / 2 < max(sizes) <= largest or (largest == 10**6 and max(sizes) > 60)


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_share_a_batch(corpus, encoder, ranks):
    """Ten pairs on four ranks are three, three, two and two; hard negatives go with their query."""
    builder = BatchBuilder(TokenizedCorpus(corpus, encoder))
    for step in range(8):
        plan = Sampler(corpus, replace(HYBRID, batch_size=10), seed=0).plan(step)
        whole = builder(plan, step)
        shares = [builder(plan, step, rank=rank, ranks=ranks) for rank in range(ranks)]
        asked = [text for share in shares for text in texts(encoder, share, "queries")]
        assert asked == texts(encoder, whole, "queries")
        assert max(shares[0].query_counts) - min(shares[0].query_counts) <= 1
        candidates, keys = [], []
        for rank, share in enumerate(shares):
            assert len(share.queries) == share.query_counts[rank]
            assert len(share.candidates) == share.candidate_counts[rank]
            assert torch.equal(share.positive_keys, whole.positive_keys)
            assert torch.equal(share.candidate_keys, shares[0].candidate_keys)
            candidates += texts(encoder, share, "candidates")
            keys += share.candidate_keys.tolist()[: share.candidate_counts[rank]] if rank == 0 else []
        known = dict(zip(texts(encoder, whole, "candidates"), whole.candidate_keys.tolist(), strict=True))
        assert sorted(candidates) == sorted(texts(encoder, whole, "candidates"))
        assert shares[0].candidate_keys.tolist() == [known[text] for text in candidates]


def test_a_loader_goes_on_where_a_checkpoint_was(corpus, encoder):
    whole = list(data(corpus, encoder, steps=12).train_dataloader())
    for workers in (0, 2):
        module = data(corpus, encoder, steps=12, num_workers=workers)
        module.load_state_dict({"batches": 7})
        loader = module.train_dataloader()
        assert len(loader) == 12  # Lightning counts the done ones by itself
        for expected, found in zip(whole[7:], list(loader), strict=True):
            assert_same(expected, found)


def apart(corpus: Corpus) -> np.ndarray:
    return held_out(corpus.passage_keys, corpus.ids, 0.3)


def data(
    corpus: Corpus,
    encoder: Encoder,
    sampling: Sampling = HYBRID,
    seed: int = 0,
    steps: int = 30,
    supplied: Mapping[str, object] | None = None,
    **settings: object,
) -> PairData:
    inputs = TrainingInputs(corpus, sampling, encoder, seed, steps, **supplied or {})
    return PairData(inputs, **{"validation_fraction": 0.3, "validation_steps": 8} | settings)


def test_training_batches_are_the_plans(corpus, encoder):
    module = data(corpus, encoder, seed=5)
    rows = np.flatnonzero(~apart(corpus))
    sampler, builder = Sampler(corpus, HYBRID, 5, rows=rows), BatchBuilder(TokenizedCorpus(corpus, encoder))
    loader = module.train_dataloader()
    assert len(loader) == 30
    batches = list(loader)
    assert len(batches) == 30
    for step, batch in enumerate(batches):
        assert_same(batch, builder(sampler.plan(step), step))


def test_training_and_validation_are_disjoint(corpus, encoder):
    for seed in range(3):
        module = data(corpus, encoder, seed=seed)
        training = {key for batch in module.train_dataloader() for key in batch.positive_keys.tolist()}
        validation = {key for batch in module.val_dataloader() for key in batch.positive_keys.tolist()}
        assert training
        assert validation
        assert not training & validation


@pytest.mark.parametrize("source", ["own", "mined", "switched"])
def test_held_out_passages_are_not_trained_on(make_corpus, encoder, source, tmp_path, monkeypatch):
    """Each item has the passages of the ten items after it as negatives. Training has those that are not held out, the
    validation loss has them all, but for mined ones, which its items have none of."""
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "en-de.txt").write_text("passage stelle\n")
    plain = make_corpus(60, passage_keys=[item // 2 for item in range(60)])
    others = (np.arange(60)[:, None] + np.arange(2, 12)) % 60
    corpus = replace(
        plain,
        negatives=plain.passages[others].transpose(0, 2, 1),
        negative_keys=np.repeat(plain.passage_keys[others][:, None], 3, axis=1),
    )
    supplied = {}
    if source == "mined":
        items, languages, slots = (axis.ravel() for axis in np.indices(corpus.negatives.shape))
        scores = np.zeros(len(items), np.float32)
        supplied["mined"] = Mined(items, languages, corpus.negatives.ravel(), slots + 1, scores, scores)
        corpus = plain
    if source == "switched":
        supplied["transform"] = CodeSwitching(str(tmp_path), probability=1.0, copies=2)
    module = data(corpus, encoder, supplied=supplied)
    held = set(plain.passage_keys[apart(plain)].tolist())
    for batch in module.train_dataloader():
        items = batch.plan.items // (2 if source == "switched" else 1)
        expected = [key for item in items for key in plain.passage_keys[others[item]].tolist() if key not in held]
        assert batch.candidate_keys.tolist()[4:] == expected
        assert len(batch.candidates) == batch.candidate_counts[0] == 4 + len(expected) < 44
    for batch in module.val_dataloader():
        assert len(batch.candidates) == (4 if source == "mined" else 44)


def test_what_counts_as_a_held_out_passage(make_corpus):
    """By its row, though it has another item's key; by its key, though no item has it; not by being absent."""
    corpus = make_corpus(4, no_passage=[(1, "zh")])
    unseen = HeldOutPassages(corpus, np.arange(4) == 1)
    rows, keys = np.array([[3, 4, 5], [50, 6, ABSENT]]), np.array([[0, 1, 2], [1, ABSENT, ABSENT]])
    assert unseen(rows, keys).tolist() == [[True, True, False], [True, False, False]]
    assert not HeldOutPassages(corpus, np.zeros(4, bool))(rows, keys).any()


def test_validation_is_the_same_for_every_strategy_and_seed(corpus, encoder):
    expected = list(data(corpus, encoder).val_dataloader())
    assert [batch.kind for batch in expected].count("x_x") == 4
    assert len(expected) == 8
    for sampling, seed in product((X_X, X_Y, ENGLISH), (0, 1)):
        found = list(data(corpus, encoder, sampling, seed).val_dataloader())
        assert len(found) == 8
        for one, other in zip(expected, found, strict=True):
            assert_same(one, other)
    spoken = {text.split()[-1] for batch in expected for text in texts(encoder, batch, "queries")}
    assert spoken == {"de", "en", "zh"}


def test_validation_of_one_language_is_x_x(make_corpus, encoder):
    found = list(data(make_corpus(60, ("en",)), encoder, X_X).val_dataloader())
    assert {batch.kind for batch in found} == {"x_x"}


def test_validation_of_what_a_corpus_has(make_corpus, encoder):
    """Not parallel: no X-Y. Asked in German and answered in English alone: no X-X. In a mixture of one and the other,
    German has no X-X: its batches are in the other languages."""
    asked = range(60)
    apart = make_corpus(60, ("de", "en"), no_query=[(item, ("de", "en")[item % 2]) for item in asked])
    apart = replace(apart, passages=np.where(apart.queries == ABSENT, ABSENT, apart.passages))
    assert {batch.kind for batch in data(apart, encoder, X_X).val_dataloader()} == {"x_x"}

    crossing = {"no_query": [(item, "en") for item in asked], "no_passage": [(item, "de") for item in asked]}
    one_way = make_corpus(60, ("de", "en"), **crossing)
    assert {batch.kind for batch in data(one_way, encoder, X_Y).val_dataloader()} == {"x_y"}

    partly = make_corpus(60, no_passage=[(item, "de") for item in asked])
    batches = list(data(partly, encoder, X_Y).val_dataloader())
    assert {batch.kind for batch in batches} == {"x_x", "x_y"}
    same = [text for batch in batches if batch.kind == "x_x" for text in texts(encoder, batch, "queries")]
    assert {text.split()[-1] for text in same} == {"en", "zh"}


def test_a_validation_batch_is_no_larger_than_what_is_held_out(corpus, encoder):
    sampling = replace(HYBRID, batch_size=40)
    held_out = int(apart(corpus).sum())
    assert held_out < 40
    batches = data(corpus, encoder, sampling).val_dataloader()
    assert {len(batch.positive_keys) for batch in batches} == {held_out}


def test_no_validation(corpus, encoder):
    module = data(corpus, encoder, validation_fraction=0)
    assert module.val_dataloader() == []
    items = {key for batch in module.train_dataloader() for key in batch.positive_keys.tolist()}
    assert items == set(range(30))


def test_too_few_held_out(make_corpus, encoder):
    """A Chinese query is held out, but its passage is not there: no X-X batch in Chinese."""
    held_out = np.flatnonzero(apart(make_corpus(60))).tolist()
    corpus = make_corpus(60, no_passage=[(item, "zh") for item in held_out])
    message = (
        f"data.validation_fraction holds out {len(held_out)} of 60 items, too few for a batch in every language; "
        "raise it, leave small languages out of corpus.languages, or set it to 0 for no validation loss"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        data(corpus, encoder)


def test_workers_change_nothing(corpus, encoder):
    alone = data(corpus, encoder, steps=12)
    helped = data(corpus, encoder, steps=12, num_workers=2)
    for name in ("train_dataloader", "val_dataloader"):
        expected, found = list(getattr(alone, name)()), list(getattr(helped, name)())
        assert len(found) == len(expected) > 0
        for one, other in zip(expected, found, strict=True):
            assert_same(one, other)
    first, second, *_ = alone.train_dataloader()
    assert not same(first, second)


def test_a_validation_corpus_takes_the_place_of_what_is_held_out(corpus, encoder, make_corpus):
    """Trained on everything, validated on all of the other corpus, in its own languages, always in the same batches."""
    other = replace(make_corpus(20, ("en", "zh"), passage_keys=[100 + item for item in range(20)]), name="other")
    module = data(corpus, encoder, X_X, seed=3, supplied={"validation": other})
    trained = {key for batch in module.train_dataloader() for key in batch.positive_keys.tolist()}
    assert trained == set(range(30))
    batches = list(module.val_dataloader())
    assert [batch.kind for batch in batches].count("x_x") == len(batches) / 2 == 4
    assert {key for batch in batches for key in batch.positive_keys.tolist()} == set(range(100, 120))
    assert {text.split()[-1] for batch in batches for text in texts(encoder, batch, "candidates")} == {"en", "zh"}
    for again, seed in product((X_Y, ENGLISH), (0, 1)):
        for one, two in zip(
            batches, data(corpus, encoder, again, seed, supplied={"validation": other}).val_dataloader(), strict=True
        ):
            assert_same(one, two)


def test_training_does_not_depend_on_the_validation_corpus(corpus, encoder, make_corpus):
    plain = data(corpus, encoder, validation_fraction=0)
    validated = data(corpus, encoder, supplied={"validation": make_corpus(20, ("en",))})
    for one, two in zip(plain.train_dataloader(), validated.train_dataloader(), strict=True):
        assert_same(one, two)


def test_a_validation_corpus_with_too_few_items(corpus, encoder, make_corpus):
    small = make_corpus(3, no_query=[(0, "zh"), (1, "zh")])
    message = (
        "validation: the 3 items of hand-made are too few for a batch in every language; choose fewer languages in "
        "validation.languages, or another corpus@validation"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        data(corpus, encoder, supplied={"validation": small})
