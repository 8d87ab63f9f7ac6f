"""Schedules of alpha, and which language pairs X-Y batches hold."""

from __future__ import annotations

import math
import pickle
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import chisquare, norm

from babelbatch.records import ABSENT, Corpus, Plan
from babelbatch.sampling import Sampler, Sampling, describe_alpha
from babelbatch.sampling.alpha import Alpha, alpha_schedule
from conftest import MakeCorpus
from plans import X_X, X_Y, plans, ragged_corpus, same

LINEAR = Sampling(name="schedule", alpha=1.0, batch_size=4, schedule="linear", alpha_end=0.0)
COSINE = replace(LINEAR, schedule="cosine")
SEQUENTIAL = Sampling(name="sequential", alpha=1.0, batch_size=4, schedule="switch", alpha_end=0.0, switch_at=0.5)
STEPS = Sampling(name="steps", alpha=0.9, batch_size=4, schedule="steps", alpha_steps=[[0.25, 0.5], [0.5, 0.0]])
ENGLISH_CENTRED = replace(X_Y, name="centred", cross_language="english")
X_EN = replace(X_Y, name="x_en", cross_language="x_en")
EN_X = replace(X_Y, name="en_x", cross_language="en_x")
BY_SIZE = replace(X_Y, name="by_size", pair_exponent=1.0)
MIXED = Sampling(name="mixed", alpha=1.0, batch_size=4, same_language="pair", language_exponent=0.5)
SCHEDULES = [pytest.param(each, id=each.name) for each in (LINEAR, COSINE, SEQUENTIAL, STEPS)]
WEIGHTED = [pytest.param(each, id=each.name) for each in (ENGLISH_CENTRED, X_EN, EN_X, BY_SIZE, MIXED)]


@pytest.fixture(scope="module")
def ragged(make_corpus: MakeCorpus) -> Corpus:
    return ragged_corpus(make_corpus, no_passage=[(item, "en") for item in range(0, 40, 4)])


def test_a_line_by_hand() -> None:
    alpha = alpha_schedule(LINEAR, 4)
    assert [alpha.at(step) for step in range(6)] == [0.875, 0.625, 0.375, 0.125, 0, 0]
    assert [alpha.sum_before(step) for step in range(7)] == [0, 0.875, 1.5, 1.875, 2, 2, 2]
    rising = alpha_schedule(replace(LINEAR, alpha=0.2, alpha_end=0.6), 4)
    assert [rising.at(step) for step in (0, 3, 4)] == pytest.approx([0.25, 0.55, 0.6])
    assert rising.sum_before(6) == pytest.approx(4 * 0.4 + 2 * 0.6)
    assert (alpha.mean, rising.mean) == (0.5, pytest.approx(0.4))


def test_a_cosine_is_its_formula() -> None:
    """0.2 + (0.8 - 0.2) (1 + cos(pi t)) / 2, and the numerical integral of that."""
    alpha = alpha_schedule(replace(COSINE, alpha=0.8, alpha_end=0.2), 10)

    def formula(step: float) -> float:
        return 0.2 + 0.3 * (1 + math.cos(math.pi * step / 10))

    for step in range(10):
        assert alpha.at(step) == pytest.approx(formula(step + 0.5))
        assert alpha.sum_before(step) == pytest.approx(quad(formula, 0, step)[0])
    assert alpha.mean == pytest.approx(alpha.sum_before(10) / 10)
    assert alpha.at(11) == pytest.approx(0.2)
    assert alpha.sum_before(12) == pytest.approx(alpha.sum_before(10) + 0.4)


def test_stairs_by_hand() -> None:
    alpha = alpha_schedule(STEPS, 8)
    assert [alpha.at(step) for step in range(10)] == [0.9] * 2 + [0.5] * 2 + [0.0] * 6
    assert [alpha.sum_before(step) for step in (0, 1, 2, 3, 4, 8, 10)] == pytest.approx(
        [0, 0.9, 1.8, 2.3, 2.8, 2.8, 2.8]
    )
    assert alpha.mean == pytest.approx(2.8 / 8)
    one = alpha_schedule(STEPS, 1)  # too short for its steps: round(0.25) and round(0.5) are 0
    assert (one.at(0), one.values, one.mean) == (0.0, (0.0,), 0.0)


@pytest.mark.parametrize("draw", ["random", "stratified"])
@pytest.mark.parametrize(("fraction", "first"), [(0.5, 15), (0.3, 9), (0.05, 2)])
def test_sequential_is_x_x_and_then_x_y(ragged: Corpus, draw: str, fraction: float, first: int) -> None:
    """To the bit: until the switch the batches of X-X, after it those of X-Y. 0.05 * 30 steps is 1.5, rounded."""
    sampling = replace(SEQUENTIAL, switch_at=fraction, alpha_draw=draw)
    for seed in range(3):
        found = plans(Sampler(ragged, sampling, seed, steps=30), 40)
        x_x, x_y = (plans(Sampler(ragged, pure, seed), 40) for pure in (X_X, X_Y))
        assert all(map(same, found, x_x[:first] + x_y[first:]))
        other_way = plans(Sampler(ragged, replace(sampling, alpha=0.0, alpha_end=1.0), seed, steps=30), 40)
        assert all(map(same, other_way, x_y[:first] + x_x[first:]))


@pytest.mark.parametrize("draw", ["random", "stratified"])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize(("alpha", "pure"), [(1.0, X_X), (0.0, X_Y)])
def test_a_schedule_that_stays_is_the_pure_strategy(
    ragged: Corpus, draw: str, schedule: str, alpha: float, pure: Sampling
) -> None:
    sampling = replace(LINEAR, schedule=schedule, alpha=alpha, alpha_end=alpha, alpha_draw=draw)
    assert all(map(same, plans(Sampler(ragged, sampling, 2, steps=60), 80), plans(Sampler(ragged, pure, 2), 80)))


@pytest.mark.parametrize("sampling", SCHEDULES)
@pytest.mark.parametrize("draw", ["random", "stratified"])
def test_a_step_of_a_schedule_is_that_step_of_the_pure_strategy(ragged: Corpus, sampling: Sampling, draw: str) -> None:
    sampler = Sampler(ragged, replace(sampling, alpha_draw=draw), seed=6, steps=100)
    pure = {"x_x": Sampler(ragged, X_X, seed=6), "x_y": Sampler(ragged, X_Y, seed=6)}
    found = plans(sampler, 120)
    assert {plan.kind for plan in found} == {"x_x", "x_y"}
    assert all(same(plan, pure[plan.kind].plan(step)) for step, plan in enumerate(found))
    # Any step alone, and by a worker that was sent a copy.
    copied = pickle.loads(pickle.dumps(sampler))
    assert all(same(copied.plan(step), found[step]) for step in (99, 7, 119, 50))


fractions = st.floats(0, 1)
schedules = st.one_of(
    st.builds(lambda a, b: replace(LINEAR, alpha=a, alpha_end=b), fractions, fractions),
    st.builds(lambda a, b: replace(COSINE, alpha=a, alpha_end=b), fractions, fractions),
    st.builds(
        lambda a, b, at: replace(SEQUENTIAL, alpha=a, alpha_end=b, switch_at=at), fractions, fractions,
        st.floats(0.01, 0.99),
    ),
    st.builds(
        lambda a, changes: replace(STEPS, alpha=a, alpha_steps=[list(change) for change in sorted(changes)]),
        fractions,
        st.lists(st.tuples(st.floats(0.01, 0.99), fractions), min_size=1, max_size=4, unique_by=lambda pair: pair[0]),
    ),
)  # fmt: skip


@given(sampling=schedules, steps=st.integers(1, 200), seed=st.integers(0, 2**32 - 1))
def test_stratified_holds_the_integral_of_alpha_in_every_window(
    parallel: Corpus, sampling: Sampling, steps: int, seed: int
) -> None:
    sampler = Sampler(parallel, replace(sampling, alpha_draw="stratified"), seed, steps=steps)
    kinds = [sampler.is_same_language(step) for step in range(steps + 20)]
    counted = np.concatenate([[0], np.cumsum(kinds)])
    expected = np.array([sampler.alpha.sum_before(step) for step in range(len(counted))])
    # The sum of alpha in the middle of each step: a cosine bends within one.
    middles = np.concatenate([[0], np.cumsum([sampler.alpha.at(step) for step in range(len(kinds))])])
    assert np.abs(expected - middles).max() < (1e-9 if sampling.schedule != "cosine" else 0.15)
    assert sampler.alpha.mean * steps == pytest.approx(expected[steps])
    off = counted - expected
    assert off.max() - off.min() < 1 + 1e-9


@pytest.mark.parametrize("sampling", SCHEDULES)
def test_random_draws_follow_alpha(parallel: Corpus, sampling: Sampling) -> None:
    """In each eighth of the run the count of X-X steps is within 4.5 standard deviations of the sum of alpha."""
    sampler = Sampler(parallel, sampling, seed=3, steps=8_000)
    for first in range(0, 8_000, 1_000):
        alphas = np.array([sampler.alpha.at(step) for step in range(first, first + 1_000)])
        count = sum(sampler.is_same_language(step) for step in range(first, first + 1_000))
        deviation = math.sqrt((alphas * (1 - alphas)).sum())
        assert abs(count - alphas.sum()) <= norm.isf(3e-6) * deviation + 1e-9


def test_alpha_in_words() -> None:
    def described(sampling: Sampling) -> str:
        alpha: Alpha = alpha_schedule(sampling, 100)
        return describe_alpha(sampling, alpha)

    assert described(X_X) == "1"
    assert described(LINEAR) == "1 to 0, linear, 0.5 on average"
    assert described(replace(SEQUENTIAL, switch_at=0.25)) == "1 to 0, switch, 0.25 on average"
    assert described(STEPS) == "0.9 to 0.5 to 0, steps, 0.35 on average"


def test_a_schedule_needs_the_length_of_the_run(parallel: Corpus) -> None:
    with pytest.raises(ValueError, match=r"^sampling.schedule: linear needs to know how many steps there are$"):
        Sampler(parallel, LINEAR, seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"schedule": "linear"},
            "sampling.alpha_end: schedule linear goes there; set it to a number between 0 and 1",
        ),
        (
            {"schedule": "switch", "alpha_end": 0},
            "sampling.switch_at: schedule switch needs it; set it to a fraction of the batches, such as 0.5",
        ),
        (
            {"schedule": "steps"},
            "sampling.alpha_steps: schedule steps needs them; set them to [fraction, alpha] pairs, such as [[0.5,0]]",
        ),
        (
            {"alpha_end": 0.5},
            "sampling.alpha_end: schedule constant does not go there; set sampling.schedule=linear, or leave it out "
            "(null)",
        ),
        (
            {"schedule": "cosine", "alpha_end": 0.5, "switch_at": 0.5},
            "sampling.switch_at: schedule cosine has no switch; set sampling.schedule=switch, or leave it out (null)",
        ),
        (
            {"schedule": "linear", "alpha_end": 0.5, "alpha_steps": [[0.5, 0]]},
            "sampling.alpha_steps: schedule linear does not follow them; set sampling.schedule=steps, or leave them "
            "out",
        ),
        ({"schedule": "linear", "alpha_end": 1.5}, "sampling.alpha_end: 1.5 is not between 0 and 1"),
        (
            {"schedule": "switch", "alpha_end": 0, "switch_at": 1},
            "sampling.switch_at: 1 is not a fraction between 0 and 1",
        ),
        (
            {"schedule": "steps", "alpha_steps": [[0.5]]},
            "sampling.alpha_steps: [[0.5]] is not a list of [fraction, alpha] pairs, such as [[0.5,0]]",
        ),
        (
            {"schedule": "steps", "alpha_steps": [[0.5, 0], [0.4, 1]]},
            "sampling.alpha_steps: the fractions [0.5, 0.4] are not in order between 0 and 1; up to the first, "
            "sampling.alpha holds",
        ),
        (
            {"schedule": "steps", "alpha_steps": [[0, 0.5], [0.5, 2]]},
            "sampling.alpha_steps: the fractions [0, 0.5] are not in order between 0 and 1; up to the first, "
            "sampling.alpha holds; sampling.alpha_steps: alpha 2 is not between 0 and 1",
        ),
    ],
)
def test_a_schedule_that_its_numbers_do_not_make(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Sampling("mine", 1.0, **options)


def pairs_of(found: list[Plan]) -> Counter:
    return Counter(
        pair
        for plan in found
        for pair in zip(plan.query_languages.tolist(), plan.passage_languages.tolist(), strict=True)
    )


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (ENGLISH_CENTRED, {(0, 1), (2, 1), (1, 0), (1, 2)}),
        (X_EN, {(0, 1), (2, 1)}),
        (EN_X, {(1, 0), (1, 2)}),
    ],
)
def test_pairs_with_english_are_even(parallel: Corpus, sampling: Sampling, expected: set) -> None:
    counts = pairs_of(plans(Sampler(parallel, sampling, seed=5), 1_000))
    assert counts.keys() == expected
    assert chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize("sampling", WEIGHTED)
def test_weighted_pairs_exist_and_need_no_neighbour(ragged: Corpus, sampling: Sampling) -> None:
    sampler = Sampler(ragged, sampling, seed=8)
    found = plans(sampler, 300)
    for step, plan in enumerate(found):
        assert plan.kind == ("x_x" if sampling.alpha else "x_y")
        assert (ragged.queries[plan.items, plan.query_languages] != ABSENT).all()
        assert (ragged.passages[plan.items, plan.passage_languages] != ABSENT).all()
        if step % 97 == 0:
            assert same(plan, Sampler(ragged, sampling, seed=8).plan(step))
    for query, passage in pairs_of(found):
        assert (query == passage) == (sampling is MIXED)
        assert sampling.cross_language not in {"x_en", "english"} or 1 in (query, passage)
    assert len(pairs_of(found)) == {"centred": 4, "x_en": 2, "en_x": 2, "by_size": 6, "mixed": 3}[sampling.name]


@pytest.mark.parametrize("sampling", WEIGHTED)
def test_gaps_in_other_languages_change_nothing(make_corpus: MakeCorpus, sampling: Sampling) -> None:
    sampling = replace(sampling, languages=["de", "en", "zh"])
    whole = Sampler(make_corpus(40), sampling, seed=3)
    gap = make_corpus(40, ("de", "en", "zh", "xx"), no_query=[(5, "xx")])
    assert all(map(same, plans(whole, 100), plans(Sampler(gap, sampling, seed=3), 100)))


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_pair_exponent_by_hand(make_corpus: MakeCorpus, exponent: float) -> None:
    """8 items in German and English, the first 4 in Chinese as well. So 8 items can cross between German and English,
    either way, and 4 between one of them and Chinese: an item of all three takes a pair of the first kind 2 ** exponent
    times as often. The other four have no choice but the direction."""
    chinese = [(item, "zh") for item in range(4, 8)]
    corpus = make_corpus(8, no_query=chinese, no_passage=chinese)
    found = plans(Sampler(corpus, replace(BY_SIZE, pair_exponent=exponent), seed=1), 3_000)
    counts = np.zeros((2, 3, 3))
    for plan in found:
        np.add.at(counts, ((plan.items >= 4).astype(int), plan.query_languages, plan.passage_languages), 1)
    weights = np.array([[0, 8, 4], [8, 0, 4], [4, 4, 0]]) ** exponent
    off = ~np.eye(3, dtype=bool)
    expected = weights[off] / weights[off].sum() * counts[0].sum()
    assert chisquare(counts[0][off], expected).pvalue > 1e-3
    assert counts[1][0, 1] + counts[1][1, 0] == counts[1].sum()


def test_exponents_of_a_parallel_corpus_are_even(parallel: Corpus) -> None:
    counts = pairs_of(plans(Sampler(parallel, BY_SIZE, seed=5), 1_000))
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_language_exponent_of_mixed_batches(make_corpus: MakeCorpus, exponent: float) -> None:
    """12 items in German and English, 3 of them in Chinese: those take Chinese 4 ** exponent times less often."""
    corpus = make_corpus(12, no_passage=[(item, "zh") for item in range(3, 12)])
    found = plans(Sampler(corpus, replace(MIXED, language_exponent=exponent), seed=1), 3_000)
    languages = np.concatenate([plan.query_languages[plan.items < 3] for plan in found])
    weights = np.array([12, 12, 3]) ** exponent
    assert chisquare(np.bincount(languages), weights / weights.sum() * len(languages)).pvalue > 1e-3


def test_x_en_draws_what_has_an_english_passage(make_corpus: MakeCorpus) -> None:
    """Items 0 to 5 have no English passage, items 6 to 8 only an English query: 3 are left, an epoch each step."""
    corpus = make_corpus(
        12,
        no_passage=[(item, "en") for item in range(6)],
        no_query=[(item, language) for item in range(6, 9) for language in ("de", "zh")],
    )
    found = plans(Sampler(corpus, replace(X_EN, batch_size=3), seed=1), 50)
    assert all(sorted(plan.items) == [9, 10, 11] for plan in found)
    message = "an X-Y batch needs 4 items, there are 3 to train on; "
    with pytest.raises(ValueError, match=f"^{message}"):
        Sampler(corpus, X_EN, seed=1)


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        (
            ("de", "zh"),
            "sampling.cross_language: x_en pairs languages with English, but 'hand-made' is trained on in de, zh; set "
            "sampling.cross_language=any",
        ),
        (("en",), "X-Y pairs need two languages, there is only 'en'; set sampling=x_x"),
    ],
)
def test_x_en_needs_english_and_another(make_corpus: MakeCorpus, languages: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Sampler(make_corpus(12, languages), X_EN, seed=0)


def test_x_en_says_so_where_nothing_crosses(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(4, ("de", "en"), no_passage=[(item, "en") for item in range(4)])
    message = (
        "no item exists in two languages that sampling.cross_language=x_en pairs: X-Y pairs need the same id in more "
        "than one language"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Sampler(corpus, X_EN, seed=0)
