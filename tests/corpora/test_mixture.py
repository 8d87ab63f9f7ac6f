"""Several corpora as one: the corpus that they make, and how often batches come from each."""

from __future__ import annotations

import math
import pickle
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chisquare

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.batches.validation_benchmark import validation_benchmark
from babelbatch.corpora.mixture import load_corpus
from babelbatch.encoder import Encoder, static
from babelbatch.records import ABSENT, Corpus, Mixture
from babelbatch.sampling import Sampler, Sampling
from babelbatch.sampling.proportional_schedule import ProportionalSchedule
from babelbatch.sampling.validation_split import held_out
from conftest import MakeCorpus
from plans import HYBRID, X_X, X_Y, plans, same


def distinct(corpus: Corpus, name: str) -> Corpus:
    """The same items with texts that no other corpus has."""
    queries, passages = (tuple(f"{name} {text}" for text in t) for t in (corpus.query_texts, corpus.passage_texts))
    return replace(corpus, name=name, query_texts=queries, passage_texts=passages)


@pytest.fixture(scope="module")
def parts(make_corpus: MakeCorpus) -> dict[str, Corpus]:
    """24 items in three languages, 48 in English only, 12 in Chinese and Turkish."""
    return {
        "many": distinct(make_corpus(24), "many"),
        "english": distinct(make_corpus(48, ("en",)), "english"),
        "two": distinct(make_corpus(12, ("zh", "tr")), "two"),
    }


@pytest.fixture(scope="module")
def mixture(parts: dict[str, Corpus]) -> Corpus:
    return load_corpus(parts)


def cells(corpus: Corpus) -> dict[tuple[str, str], tuple]:
    """Everything about each item in each language, in words: query, passage, negatives with what they answer."""
    key_of = dict(zip(corpus.passage_keys.tolist(), corpus.ids, strict=True))
    found = {}
    for item, id_ in enumerate(corpus.ids):
        for column, language in enumerate(corpus.languages):
            query, passage = corpus.queries[item, column], corpus.passages[item, column]
            wrong = [
                (corpus.passage_texts[row], key_of.get(key))
                for row, key in zip(
                    corpus.negatives[item, column].tolist(), corpus.negative_keys[item, column].tolist(), strict=True
                )
                if row != ABSENT
            ]
            if query != ABSENT or passage != ABSENT or wrong:
                texts = (
                    None if query == ABSENT else corpus.query_texts[query],
                    None if passage == ABSENT else corpus.passage_texts[passage],
                )
                found[id_, language] = (*texts, wrong)
    return found


def test_the_mixture_says_what_its_parts_say(make_corpus: MakeCorpus) -> None:
    """Gaps, hard negatives of different numbers, and one that answers another item."""
    one = distinct(make_corpus(6, no_query=[(2, "zh")], no_passage=[(3, "de")], negatives=2), "one")
    one.negatives[1, 0, 1] = one.passages[5, 0]
    one.negative_keys[1, 0, 1] = one.passage_keys[5]
    other = distinct(make_corpus(5, ("tr", "en"), negatives=1, passage_keys=[7, 7, 90, 3, 4]), "other")
    mixed = load_corpus({"a": one, "b": other}, exponent=0.5)
    assert mixed.languages == ("de", "en", "zh", "tr")
    assert mixed.mixture == Mixture(("a", "b"), (0, 6), 0.5)
    assert len(mixed) == 11
    assert mixed.ids[5:7] == ["a/item5", "b/item0"]
    expected = {}
    for name, corpus in (("a", one), ("b", other)):
        for (id_, language), (query, passage, wrong) in cells(corpus).items():
            wrong = [(text, key and f"{name}/{key}") for text, key in wrong]
            expected[f"{name}/{id_}", language] = (query, passage, wrong)
    assert cells(mixed) == expected
    assert ("one passage 5 de", "a/item5") in mixed_negatives(mixed, "a/item1", "de")
    assert mixed.negatives.shape == (11, 4, 2)
    assert [len(set(mixed.passage_keys[rows])) for rows in (slice(6), slice(6, 11), slice(11))] == [6, 4, 10]
    assert mixed.passage_keys[6] == mixed.passage_keys[7]
    for table in (mixed.queries, mixed.passages, mixed.negatives):
        assert table.dtype == np.int32
    assert mixed.passage_keys.dtype == mixed.negative_keys.dtype == np.int64


def mixed_negatives(corpus: Corpus, id_: str, language: str) -> list:
    return cells(corpus)[id_, language][2]


def test_a_passage_of_two_parts_has_one_key(make_corpus: MakeCorpus) -> None:
    """Texts of `make_corpus` are equal where item and language are: items 0 to 4 of both answer the same, as the two
    have German in common. Items 2 and 3 of the second share a key of their own, so that four items hang together."""
    one = make_corpus(8, ("de", "en"))
    other = make_corpus(5, ("zh", "de"), passage_keys=[50, 51, 52, 52, 54])
    keys = load_corpus({"one": one, "other": other}).passage_keys.tolist()
    first, second = keys[:8], keys[8:]
    assert first[2] == first[3] == second[2] == second[3]
    assert [first[item] == second[item] for item in range(5)] == [True] * 5
    assert len(set(keys)) == 7
    # What is held out of one part is held out of the other.
    mixed = load_corpus({"one": one, "other": other})
    apart = held_out(mixed.passage_keys, mixed.ids, 0.5)
    assert 0 < apart.sum() < 13
    assert apart[:5].tolist() == apart[8:].tolist()


def test_a_negative_that_another_part_answers_with_has_its_key(make_corpus: MakeCorpus) -> None:
    one = distinct(make_corpus(4, ("en",), negatives=1), "one")
    other = make_corpus(3, ("de", "en"))
    texts = list(one.passage_texts)
    texts[one.negatives[1, 0, 0]] = "passage 2 en"
    mixed = load_corpus({"one": replace(one, passage_texts=tuple(texts)), "other": other})
    english = mixed.languages.index("en")
    assert mixed.negative_keys[1, english, 0] == mixed.passage_keys[4 + 2]
    assert mixed.negative_keys[3, english, 0] == ABSENT


def test_keys_may_be_any_numbers(make_corpus: MakeCorpus) -> None:
    one = replace(distinct(make_corpus(3), "one"), passage_keys=np.array([10**15, 5, 10**15]))
    keys = load_corpus({"one": one, "other": distinct(make_corpus(2), "other")}).passage_keys
    assert keys[0] == keys[2]
    assert len(set(keys.tolist())) == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda corpus: {},
            "corpus.parts: nothing to mix; add corpora, such as +corpus@corpus.parts.mine=world_facts",
        ),
        (
            lambda corpus: {"a": corpus, "b": load_corpus({"c": corpus})},
            "corpus.parts.b: is a mixture itself; name its parts beside the others",
        ),
    ],
)
def test_no_mixture(make_corpus: MakeCorpus, make: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_corpus(make(make_corpus(2)))


def test_the_fingerprint_knows_the_parts(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(4)
    prints = [load_corpus({name: corpus}, exponent).fingerprint for name in ("a", "b") for exponent in (0.5, 1)]
    assert len({*prints, corpus.fingerprint}) == 5
    assert load_corpus({"a": corpus}, 1).fingerprint == prints[1]


@pytest.mark.parametrize("sampling", [HYBRID, X_X, X_Y, replace(HYBRID, alpha_draw="stratified")])
def test_a_mixture_of_one_is_that_corpus_bit_for_bit(make_corpus: MakeCorpus, sampling: Sampling) -> None:
    corpus = make_corpus(40, no_query=[(item, "zh") for item in range(0, 40, 2)])
    found = plans(Sampler(load_corpus({"one": corpus}), sampling, seed=3), 256)
    assert all(map(same, found, plans(Sampler(corpus, sampling, seed=3), 256)))
    assert {plan.part for plan in found} == {"one"}


@pytest.mark.parametrize("sampling", [HYBRID, X_X, X_Y, replace(X_X, same_language="pair")])
def test_a_batch_is_of_one_part_and_its_pairs_exist(mixture: Corpus, sampling: Sampling) -> None:
    spans = {name: (start, stop) for name, start, stop in mixture.mixture.spans(len(mixture))}
    assert spans == {"many": (0, 24), "english": (24, 72), "two": (72, 84)}
    drawn = Counter()
    for plan in plans(Sampler(mixture, sampling, seed=1), 500):
        start, stop = spans[plan.part]
        assert start <= plan.items.min()
        assert plan.items.max() < stop
        assert (mixture.queries[plan.items, plan.query_languages] != ABSENT).all()
        assert (mixture.passages[plan.items, plan.passage_languages] != ABSENT).all()
        assert ((plan.query_languages == plan.passage_languages) == (plan.kind == "x_x")).all()
        drawn[plan.part, plan.kind] += 1
    kinds = {plan.kind for plan in plans(Sampler(mixture, sampling, seed=1), 50)}
    expected = {(name, kind) for name in spans for kind in kinds} - {("english", "x_y")}
    assert drawn.keys() == expected


@pytest.mark.parametrize(
    ("exponent", "weights"), [(1.0, (24, 48, 12)), (0.5, (24**0.5, 48**0.5, 12**0.5)), (0, (1,) * 3)]
)
def test_parts_are_drawn_in_proportion(parts: dict[str, Corpus], exponent: float, weights: tuple) -> None:
    """X-X from all three; X-Y from those that are parallel, in proportion among themselves: 25 whole blocks, with the
    shares that they say, give or take less than two steps."""
    steps = 1_600
    corpus = load_corpus(parts, exponent)
    for sampling, names, of_these in (
        (X_X, list(parts), weights),
        (X_Y, ["many", "two"], (weights[0], weights[2])),
    ):
        drawn = Counter(plan.part for plan in plans(Sampler(corpus, sampling, seed=2), steps))
        assert list(drawn.keys() - set(names)) == []
        for name, weight in zip(names, of_these, strict=True):
            assert drawn[name] == pytest.approx(steps * weight / sum(of_these), abs=2)


def test_a_hybrid_draws_both_kinds_in_proportion(mixture: Corpus) -> None:
    """Whatever the draw of alpha: no kind of step meets one part only."""
    for draw in ("random", "stratified"):
        found = plans(Sampler(mixture, replace(HYBRID, alpha_draw=draw), seed=2), 4_000)
        counts = Counter((plan.part, plan.kind) for plan in found)
        x_x = [counts[name, "x_x"] for name in ("many", "english", "two")]
        x_y = [counts[name, "x_y"] for name in ("many", "two")]
        assert chisquare(x_x, np.array([24, 48, 12]) / 84 * sum(x_x)).pvalue > 1e-3
        assert chisquare(x_y, np.array([24, 12]) / 36 * sum(x_y)).pvalue > 1e-3


def test_parts_do_not_keep_step_with_kinds(parts: dict[str, Corpus]) -> None:
    """Two equal parts and alpha 0.5, both spread evenly: in turn, one part would be all of X-X and the other of X-Y."""
    corpus = load_corpus({"many": parts["many"], "other": distinct(parts["many"], "other")})
    for seed in range(3):
        found = plans(Sampler(corpus, replace(HYBRID, alpha_draw="stratified"), seed), 640)
        counts = Counter((plan.part, plan.kind) for plan in found)
        assert len(counts) == 4
        assert chisquare(list(counts.values())).pvalue > 1e-3


def test_the_parts_of_a_step_are_a_matter_of_chance(parts: dict[str, Corpus]) -> None:
    """Over seeds, any one step is of each part as often as its size says."""
    weights = {"x_x": [24.0, 48.0, 12.0]}
    for step in (0, 5, 63, 64, 1_000):
        counts = np.bincount([ProportionalSchedule(weights, seed).at("x_x", step)[0] for seed in range(1_500)])
        assert chisquare(counts, np.array([24, 48, 12]) / 84 * 1_500).pvalue > 1e-3


@given(
    weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=8),
    seed=st.integers(0, 2**32 - 1),
    blocks=st.integers(1, 6),
)
def test_the_places_of_a_part_are_counted_without_the_steps_before(
    weights: list[float], seed: int, blocks: int
) -> None:
    """Each part's places are 0, 1, 2 and so on, each once, over whole blocks; and as many as its share says."""
    schedule = ProportionalSchedule({"x_x": weights}, seed)
    steps = 64 * blocks
    found = [schedule.at("x_x", step) for step in range(steps)]
    for part, weight in enumerate(weights):
        places = sorted(place for own, place in found if own == part)
        assert places == list(range(len(places)))
        assert abs(len(places) - steps * weight / math.fsum(weights)) < 3
    assert schedule.at("x_x", 10**9) == ProportionalSchedule({"x_x": weights}, seed).at("x_x", 10**9)


@given(
    weights=st.lists(st.tuples(*[st.just(0.0) | st.floats(0.01, 100)] * 2), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_both_kinds_go_through_a_part_at_one_pace(weights: list[tuple[float, float]], seed: int) -> None:
    """Steps that would draw from a part, be they of the one kind or the other, have its places 0, 1, 2 and so on, each
    once, and no more of them than the kind with the larger share needs."""
    kinds = dict(zip(("x_x", "x_y"), map(list, zip(*weights, strict=True)), strict=True))
    assume(all(map(any, kinds.values())))
    schedule, steps = ProportionalSchedule(kinds, seed), 64 * 4
    found = [{kind: schedule.at(kind, step) for kind in kinds} for step in range(steps)]
    for part in range(len(weights)):
        shares = [own[part] / math.fsum(own) for own in kinds.values()]
        for kind, share in zip(kinds, shares, strict=True):
            assert abs(sum(step[kind][0] == part for step in found) - steps * share) < 3 * len(weights)
        places = [{place for own, place in step.values() if own == part} for step in found]
        taken = [place for of_step in places for place in of_step]
        assert sorted(taken) == list(range(len(taken)))
        assert abs(len(taken) - steps * max(shares)) < 3 * len(weights)


@pytest.mark.parametrize("sampling", [X_X, HYBRID, replace(X_X, same_language="pair")])
def test_an_epoch_of_a_part_holds_every_item_at_most_once(parts: dict[str, Corpus], sampling: Sampling) -> None:
    """The two parallel parts alone: all kinds and languages then share the order of a part. 24 items in batches of 4
    make an epoch of 6 places, 12 items one of 3; in X-X every place is drawn, so an epoch holds every item once."""
    corpus = load_corpus({"many": parts["many"], "other": distinct(parts["many"], "other")})
    corpus = replace(corpus, mixture=Mixture(("a", "b"), (0, 36), 1.0))
    sampler = Sampler(corpus, sampling, seed=1)
    drawn: dict[tuple[str, int], list[int]] = {}
    sizes = {"a": 36, "b": 12}
    for step in range(64 * 9):
        plan = sampler.plan(step)
        _, place = sampler._schedule.at(plan.kind, step)
        drawn.setdefault((plan.part, place // (sizes[plan.part] // 4)), []).extend(plan.items.tolist())
    assert len(drawn) > 20
    last = {part: max(epoch for own, epoch in drawn if own == part) for part in sizes}
    for (part, epoch), items in drawn.items():
        assert len(items) == len(set(items))
        if epoch < last[part]:
            assert len(items) == sizes[part]


@pytest.mark.parametrize("draw", ["random", "stratified"])
def test_no_item_twice_where_a_part_gives_one_kind_only(make_corpus: MakeCorpus, draw: str) -> None:
    """256 parallel items, 128 in English. Every X-Y step, and two in three of the X-X steps, are of the parallel part.
    It would be drawn from in every step, so that its epochs are those of a corpus of one piece: 64 steps, a block."""
    corpus = load_corpus(
        {"parallel": distinct(make_corpus(256), "parallel"), "english": distinct(make_corpus(128, ("en",)), "english")}
    )
    sampler = Sampler(corpus, replace(HYBRID, alpha_draw=draw), seed=0)
    batches = 0
    for epoch in range(50):
        found = [sampler.plan(step) for step in range(64 * epoch, 64 * epoch + 64)]
        items = [item for plan in found if plan.part == "parallel" for item in plan.items.tolist()]
        assert len(items) == len(set(items))
        batches += len(items) // 4
    assert batches == pytest.approx(64 * 50 * 5 / 6, rel=0.02)


@pytest.mark.parametrize("draw", ["random", "stratified"])
def test_a_step_of_a_hybrid_is_that_step_of_the_pure_strategy(parts: dict[str, Corpus], draw: str) -> None:
    """Where each part gives both kinds; else the parts of one kind change the pace of the others."""
    corpus = load_corpus({name: parts[name] for name in ("many", "two")})
    pure = {"x_x": Sampler(corpus, X_X, seed=6), "x_y": Sampler(corpus, X_Y, seed=6)}
    for step, plan in enumerate(plans(Sampler(corpus, replace(HYBRID, alpha_draw=draw), seed=6), 300)):
        assert same(plan, pure[plan.kind].plan(step))


@pytest.mark.parametrize(
    ("sampling", "parallel", "shares"),
    [
        (replace(X_X, languages=["en"]), 0, (100, 10)),
        (replace(X_X, languages=["en"], same_language="pair"), 0, (100, 10)),
        (X_X, 0, (100, 100)),
        (X_Y, 10, (100, 10)),
        (replace(X_Y, cross_language="x_en"), 10, (100, 10)),
        (HYBRID, 10, (100, 10)),
    ],
)
def test_a_part_weighs_what_can_be_drawn_from_it(
    make_corpus: MakeCorpus, sampling: Sampling, parallel: int, shares: tuple[int, int]
) -> None:
    """Part a has 100 items in English and German. Of the 100 of part b the first 10 are in English, the others in
    German, as are the first `parallel`."""
    without = {
        f"no_{text}": [(item, "de") for item in range(parallel, 10)] + [(item, "en") for item in range(10, 100)]
        for text in ("query", "passage")
    }
    b = make_corpus(100, ("de", "en"), **without)
    corpus = load_corpus({"a": distinct(make_corpus(100, ("de", "en")), "a"), "b": distinct(b, "b")})
    drawn = Counter((plan.kind, plan.part) for plan in plans(Sampler(corpus, sampling, seed=1), 64 * 40))
    kinds = {"x_x": (100, 100), "x_y": shares} if sampling.name == "hybrid" else {sampling.name: shares}
    for kind, (of_a, of_b) in kinds.items():
        steps = drawn[kind, "a"] + drawn[kind, "b"]
        # The kinds of a hybrid are drawn by chance.
        assert drawn[kind, "b"] == pytest.approx(steps * of_b / (of_a + of_b), abs=60 if len(kinds) > 1 else 2)


def test_items_of_a_small_part_come_equally_often(parts: dict[str, Corpus]) -> None:
    """Of 84 items, 12 are of the smallest part, a seventh of the batches: in 2,100 X-X steps 300 batches of it, 100
    times its three. An order that went on with the steps of all parts would leave it to chance."""
    found = plans(Sampler(load_corpus(parts), X_X, seed=4), 2_112)
    items = np.concatenate([plan.items for plan in found if plan.part == "two"])
    counts = np.bincount(items - 72)
    assert counts.max() - counts.min() <= 1
    assert counts.mean() == pytest.approx(2_112 * 4 / 84, abs=1)


@pytest.mark.parametrize("sampling", [HYBRID, replace(HYBRID, alpha_draw="stratified"), X_X])
def test_any_step_in_any_order(mixture: Corpus, sampling: Sampling) -> None:
    used = Sampler(mixture, sampling, seed=4)
    late, early = used.plan(10**9), used.plan(5)
    again = pickle.loads(pickle.dumps(Sampler(mixture, sampling, seed=4)))
    assert same(early, again.plan(5))
    assert same(late, again.plan(10**9))
    assert not all(map(same, plans(used, 20), plans(Sampler(mixture, sampling, seed=5), 20)))


def test_kinds_are_those_of_a_corpus_of_one_piece(mixture: Corpus) -> None:
    whole = Sampler(replace(mixture, mixture=None), HYBRID, seed=9)
    assert [plan.kind for plan in plans(Sampler(mixture, HYBRID, seed=9), 100)] == [
        plan.kind for plan in plans(whole, 100)
    ]


def test_rows_and_languages_restrict_parts(parts: dict[str, Corpus]) -> None:
    """Even rows: 12, 24 and 6 items are left. The third part has Chinese of the two languages, the second English."""
    corpus = load_corpus(parts)
    rows = np.arange(0, 84, 2)
    found = plans(Sampler(corpus, replace(X_X, languages=["zh", "en"]), 0, rows), 400)
    assert {int(item) for plan in found for item in plan.items} == set(rows.tolist())
    drawn = Counter(plan.part for plan in found)
    assert drawn["english"] == pytest.approx(400 * 24 / 42, abs=12)  # 6 blocks and a bit
    languages = {plan.part: set() for plan in found}
    for plan in found:
        languages[plan.part] |= {corpus.languages[n] for n in plan.query_languages}
    assert languages == {"many": {"en", "zh"}, "english": {"en"}, "two": {"zh"}}


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        (
            replace(X_X, batch_size=13),
            "an X-X batch in 'zh' from part 'two' needs 13 items, there are 12 to train on; lower sampling.batch_size "
            "or leave 'zh' out of that part",
        ),
        (
            replace(X_Y, batch_size=13),
            "an X-Y batch from part 'two' needs 13 items, there are 12 to train on; lower sampling.batch_size or leave "
            "the part out",
        ),
        (
            replace(HYBRID, languages=["de", "en"]),
            "part 'two' has nothing to train on in de, en; leave it out of corpus.parts, or add its languages to "
            "sampling.languages",
        ),
        (
            replace(X_Y, languages=["de", "tr"]),
            "no part of the mixture (many, two) has an item in two of the languages, as X-Y pairs need; set "
            "sampling=x_x or add a parallel corpus",
        ),
    ],
)
def test_small_parts_are_refused(parts: dict[str, Corpus], sampling: Sampling, message: str) -> None:
    chosen = {name: parts[name] for name in ("many", "two")}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Sampler(load_corpus(chosen), sampling, seed=0)


def test_a_part_that_has_no_batch_of_a_kind_gives_the_other(parts: dict[str, Corpus]) -> None:
    """X-Y alone: the English part is never drawn, and that is no error: a sweep over alpha has one corpus."""
    found = plans(Sampler(load_corpus(parts), X_Y, seed=0), 200)
    assert {plan.part for plan in found} == {"many", "two"}


def test_a_bitext_gives_x_y_alone(parts: dict[str, Corpus], make_corpus: MakeCorpus) -> None:
    """Questions in German, passages in English, as `corpora/bitext.py` has them: X-X passes over that part."""
    bitext = make_corpus(
        30,
        ("de", "en"),
        no_query=[(item, "en") for item in range(30)],
        no_passage=[(item, "de") for item in range(30)],
    )
    corpus = load_corpus({"many": parts["many"], "bitext": distinct(bitext, "bitext")})
    assert {plan.part for plan in plans(Sampler(corpus, X_X, seed=0), 100)} == {"many"}
    drawn = {(plan.part, plan.kind) for plan in plans(Sampler(corpus, HYBRID, seed=0), 200)}
    assert drawn == {("many", "x_x"), ("many", "x_y"), ("bitext", "x_y")}


def test_validation_is_over_all_parts_together(parts: dict[str, Corpus]) -> None:
    corpus = load_corpus({"many": parts["many"], "english": parts["english"]})
    encoder = static(corpus.query_texts, vocab_size=300, hidden_size=8)
    data = PairData(
        TrainingInputs(corpus, replace(HYBRID, batch_size=2), encoder, seed=0, steps=8), validation_fraction=0.3
    )
    apart = held_out(corpus.passage_keys, corpus.ids, 0.3)
    found = plans(data.validation.sampler, 60)
    assert {plan.part for plan in found} == {None}
    assert {int(item) for plan in found for item in plan.items} <= set(np.flatnonzero(apart).tolist())
    assert any((plan.items < 24).any() and (plan.items >= 24).any() for plan in found)
    trained = {int(item) for plan in plans(data.training.sampler, 200) for item in plan.items}
    assert trained <= set(np.flatnonzero(~apart).tolist())
    batches = [data.training.builder(data.training.sampler.plan(step), step) for step in range(8)]
    assert {batch.plan.part for batch in batches} == {"many", "english"}


def test_what_is_held_out_of_one_part_is_no_negative_in_another(make_corpus):
    """Part b has the German passages of part a as hard negatives, as texts of its own."""
    one, other = make_corpus(40, ("de",)), make_corpus(40, ("de",), negatives=2)
    own = (*(f"other {number}" for number in range(40)), *one.passage_texts, *one.passage_texts)
    other = replace(
        other, query_texts=tuple(f"asked {number}" for number in range(40)), passage_texts=own,
        negative_keys=np.full_like(other.negative_keys, ABSENT),
    )  # fmt: skip
    corpus = load_corpus({"a": one, "b": other})
    encoder = static([*one.passage_texts, *own], vocab_size=200, hidden_size=4)
    data = PairData(TrainingInputs(corpus, Sampling("x_x", 1.0, 8), encoder, 0, 40), validation_fraction=0.3)
    held = set(corpus.passage_keys[held_out(corpus.passage_keys, corpus.ids, 0.3)].tolist())
    parts = {"a": 0, "b": 0}
    for batch in data.train_dataloader():
        wrong = batch.candidate_keys.tolist()[8:]
        assert not held & set(wrong)
        parts[batch.plan.part] += len(wrong)
    assert parts["a"] == 0 < parts["b"]


def test_a_part_has_its_prompt(mixture: Corpus) -> None:
    """In training and in the validation benchmark."""
    corpus = mixture
    assert corpus.mixture is not None
    made = static([*corpus.query_texts, *corpus.passage_texts, "red green"], vocab_size=300)
    names = corpus.mixture.names
    settings = replace(made.settings, query_prefix="red ", query_prompts={names[1]: "green "})
    encoder = Encoder(made.tower("query").backbone, made.tokenizer, settings)
    tokens = TokenizedCorpus(corpus, encoder)._queries
    tasks = corpus.query_tasks()
    assert tasks is not None
    assert {*tasks} == {*names}
    for name, start, stop in corpus.mixture.spans(len(corpus)):
        prefix = "green " if name == names[1] else "red "
        for row in np.unique(corpus.queries[start:stop]):
            if row == ABSENT:
                continue
            assert tasks[row] == name
            text = prefix + corpus.query_texts[int(row)]
            ids = tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]]
            assert ids.tolist() == encoder.tokenizer(text, truncation=True, max_length=48)["input_ids"]
    benchmark = validation_benchmark(corpus, None, 500)
    assert benchmark is not None
    assert benchmark.query_tasks == tuple(id_.split("/")[0] for id_ in benchmark.query_ids)
