"""Intervals and tests beside numbers worked out by hand, scipy where it computes the same, and loops over all cases."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from babelbatch.evaluation.evaluation import score
from babelbatch.evaluation.ranks import Ranks, Top
from babelbatch.records import Benchmark
from babelbatch.statistics import Scores, clustered_spearman, compare, estimate, holm, non_inferior, scores_of
from babelbatch.statistics.scores import contributions, influence, macro
from babelbatch.statistics.variance import one_group, query_variance, spread


def full(table: np.ndarray, cells: tuple[str, ...] | None = None) -> Scores:
    """Every question once in every cell. table: (K, C) values."""
    names = cells or tuple(f"c{column}" for column in range(table.shape[1]))
    return Scores(tuple(f"q{row:04}" for row in range(len(table))), names, table, np.ones(table.shape, np.int64))


def with_gaps(random: np.random.Generator, counts: np.ndarray) -> Scores:
    return replace(full(random.random(counts.shape) * counts), counts=counts)


def gappy_counts(questions: int, cells: int) -> np.ndarray:
    counts = (np.random.default_rng(9).random((questions, cells)) < 0.6).astype(np.int64)
    counts[:, 0] = 1
    counts[0] = 1
    return counts


# --- scores


def test_scores_by_hand():
    """Question b twice in German; c has no value in English and none at all in Chinese."""
    rows = [("b", "de", 0.5), ("a", "en", 1.0), ("b", "de", 0.1), ("a", "de", 0.3), ("c", "en", None), ("c", "de", 0.1)]
    rows.append(("c", "zh", math.nan))
    found = scores_of(*zip(*rows, strict=True))
    assert found.clusters == ("a", "b", "c")
    assert found.cells == ("de", "en")
    assert found.sums == pytest.approx(np.array([[0.3, 1.0], [0.6, 0.0], [0.1, 0.0]]))
    assert found.counts.tolist() == [[1, 1], [2, 0], [1, 0]]
    assert macro(found) == pytest.approx((1.0 / 4 + 1.0 / 1) / 2)


@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_matter(order):
    rows = [(f"q{row % 5}", f"c{row % 2}", row / 8) for row in range(12)]  # eighths add up exactly
    straight = scores_of(*zip(*rows, strict=True))
    shuffled = scores_of(*zip(*(rows[place] for place in order), strict=True))
    assert (straight.clusters, straight.cells) == (shuffled.clusters, shuffled.cells)
    assert (straight.sums == shuffled.sums).all()
    assert (straight.counts == shuffled.counts).all()


def test_macro_is_the_number_of_the_evaluation():
    """From per_query rows to the macro scores in metrics.json, in all settings, with questions missing in languages."""
    random = np.random.default_rng(3)
    languages = ("de", "en", "zh")
    asked = [(id_, language) for id_ in range(20) for language in range(3) if random.random() < 0.7]
    answers = [[c for c in range(60) if c % 20 == id_ and (c // 20 != 2 or id_ < 15)] for id_, _ in asked]
    benchmark = Benchmark(
        name="few",
        languages=languages,
        query_ids=tuple(f"q{id_}" for id_, _ in asked),
        query_texts=tuple(f"{id_} {language}" for id_, language in asked),
        query_languages=np.array([language for _, language in asked], np.int16),
        candidate_ids=tuple(f"c{number:02}" for number in range(60)),
        candidate_texts=tuple(f"c{number:02}" for number in range(60)),
        candidate_languages=np.arange(60, dtype=np.int16) // 20,
        relevant_offsets=np.cumsum([0, *map(len, answers)]),
        relevant=np.concatenate(answers),
        protocol="made by hand",
    )
    pairs = len(benchmark.relevant)
    ranks = Ranks(random.integers(1, 21, pairs), random.permutation(pairs) + 1)
    places = (len(asked), 10)
    nothing = np.zeros((0, 2), np.int64), np.zeros((0, 2, 10), np.float32)
    result = score(benchmark, ranks, Top(random.integers(0, 60, places), np.zeros(places, np.float32), *nothing))
    for setting in ("monolingual", "crosslingual", "multilingual"):
        rows = [row for row in result.per_query.to_pylist() if row["setting"] == setting]
        cells = [
            f"{row['query_language']}-{row['candidate_language']}"
            if setting == "crosslingual"
            else row["query_language"]
            for row in rows
        ]
        for metric in ("map", "recall@10"):
            found = scores_of([row["query_id"] for row in rows], cells, [row[metric] for row in rows])
            assert macro(found) == pytest.approx(result.metrics[f"few/{setting}/{metric}"])


def test_influence_is_the_derivative():
    """Beside the change of the macro score when a question counts for slightly more."""
    run = with_gaps(np.random.default_rng(0), gappy_counts(30, 4))
    step = 1e-6
    for question in range(30):
        weights = np.ones((30, 1))
        weights[question] += step
        moved = ((weights * run.sums).sum(axis=0) / (weights * run.counts).sum(axis=0)).mean()
        assert influence(run)[question] == pytest.approx((moved - macro(run)) / step, abs=1e-6)
    assert influence(run).sum() == pytest.approx(0, abs=1e-12)
    assert contributions(run).sum() == pytest.approx(macro(run))


# --- intervals of a mean


def test_one_run_by_hand():
    """Questions with means 0.2, 0.4, 0.9 over two cells: mean 0.5, variance 0.13; t with two degrees of freedom. Their
    skewness is 0.012 / (0.26 / 3)^1.5 = 0.4703, which widens the interval by 3 * 0.4703^2 / 3."""
    found = estimate([full(np.array([[0.1, 0.3], [0.4, 0.4], [1.0, 0.8]]))])
    half = 4.30265 * math.sqrt(0.13 / 3) * (1 + 0.012**2 / (0.26 / 3) ** 3)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5 - half, 0.5 + half), rel=1e-5)
    assert (found.level, found.seeds, found.clusters, found.over) == (0.95, 1, 3, "queries")


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_one_run_is_a_t_interval_of_query_means_widened_by_their_skewness(level):
    table = np.random.default_rng(1).exponential(size=(40, 5))
    found = estimate([full(table)], level)
    expected = stats.ttest_1samp(table.mean(axis=1), 0).confidence_interval(level)
    widening = 1 + 3 * stats.skew(table.mean(axis=1)) ** 2 / 40
    half = (expected.high - expected.low) / 2 * widening
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))


def test_one_run_with_gaps_agrees_with_the_bootstrap():
    """scipy resamples whole questions and recomputes the mean of ratios."""
    run = with_gaps(np.random.default_rng(2), gappy_counts(150, 4))

    def macro_of(rows: np.ndarray) -> float:
        return float((run.sums[rows].sum(axis=0) / run.counts[rows].sum(axis=0)).mean())

    resampled = stats.bootstrap(
        (np.arange(150),), macro_of, n_resamples=4_000, vectorized=False, rng=np.random.default_rng(0)
    )
    assert math.sqrt(query_variance(influence(run))) == pytest.approx(resampled.standard_error, rel=0.05)


def test_seeds_alone_are_a_t_interval_of_runs():
    """All questions of a run score the same: only runs vary."""
    values = [0.3, 0.5, 0.4, 0.6]
    found = estimate([full(np.full((20, 3), value)) for value in values])
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.value, found.low, found.high) == pytest.approx((0.45, expected.low, expected.high))
    assert (found.seeds, found.over) == (4, "queries and seeds")


def test_equal_runs_are_one_run():
    run = full(np.random.default_rng(4).random((30, 3)))
    once, thrice = estimate([run]), estimate([run] * 3)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_variance_of_both_is_that_of_the_analysis_of_variance():
    """Mean squares of a two-way table with one number in each cell, by loops; V = (MS_S + MS_K - MS_E) / (S K)."""
    random = np.random.default_rng(5)
    seeds, questions = 4, 25
    table = random.normal(0, 0.3, (seeds, 1)) + random.normal(0, 1, questions) + random.normal(0, 1, (seeds, questions))
    rows, columns, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    of_seeds = questions * sum((row - mean) ** 2 for row in rows) / (seeds - 1)
    of_questions = seeds * sum((column - mean) ** 2 for column in columns) / (questions - 1)
    residual = sum((table[s, k] - rows[s] - columns[k] + mean) ** 2 for s in range(seeds) for k in range(questions))
    residual /= (seeds - 1) * (questions - 1)
    variance = (of_seeds + of_questions - residual) / (seeds * questions)
    counted = of_seeds / (seeds * questions) * (1 + 4 / 9)  # three degrees of freedom
    rest = variance - of_seeds / (seeds * questions)
    freedom = (counted + rest) ** 2 / (counted**2 / (seeds - 1))

    group = one_group([full(row[:, None]) for row in table])
    found = spread([group], query_variance(group.influences.mean(axis=0)))
    assert min(of_seeds, of_questions) > residual  # else the floor of the variance would hide the sum
    assert (found.variance, found.freedom) == pytest.approx((variance, freedom))


# --- comparisons


def test_one_run_each_is_a_paired_t_interval_and_an_exact_permutation_test():
    random = np.random.default_rng(6)
    a, b = random.random((10, 3)) + 0.1, random.random((10, 3))
    found = compare([full(a)], [full(b)])
    paired = stats.ttest_rel(a.mean(axis=1), b.mean(axis=1))
    interval = paired.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    expected = stats.permutation_test(
        (a.mean(axis=1), b.mean(axis=1)),
        lambda left, right: np.mean(left) - np.mean(right),
        permutation_type="samples",
        vectorized=False,
        n_resamples=np.inf,
    )
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.difference == pytest.approx(expected.statistic)
    assert (found.runs, found.clusters, found.over) == ((1, 1), 10, "queries")
    differences = (a - b).mean(axis=1)
    assert found.effect_size == pytest.approx(differences.mean() / differences.std(ddof=1))


def test_permutation_by_hand():
    """Differences 1, 2, 3: of eight changes of sign two reach 6; differences 3, -1, 1 give 3, reached by six."""
    zero = [full(np.zeros((3, 1)))]
    assert compare([full(np.array([[1.0], [2.0], [3.0]]))], zero).p_value == 2 / 8
    assert compare([full(np.array([[3.0], [-1.0], [1.0]]))], zero).p_value == 6 / 8


def test_many_questions_agree_with_the_t_test():
    random = np.random.default_rng(7)
    a, b = random.random((300, 2)) + 0.01, random.random((300, 2))
    expected = stats.ttest_rel(a.mean(axis=1), b.mean(axis=1)).pvalue
    assert 0.01 < expected < 0.5
    assert compare([full(a)], [full(b)]).p_value == pytest.approx(expected, abs=4 * math.sqrt(expected / 9_999))


def test_exchange_recomputes_the_macro_score():
    """Cells with different questions: exchanging labels for real, all 2**9 ways, gives the same p-value."""
    random = np.random.default_rng(8)
    counts = gappy_counts(9, 3)
    a, b = with_gaps(random, counts), with_gaps(random, counts)
    a = replace(a, sums=a.sums + 0.15 * counts)
    differences = []
    for swap in itertools.product([False, True], repeat=9):
        swapped = np.array(swap)[:, None]
        left = replace(a, sums=np.where(swapped, b.sums, a.sums))
        right = replace(b, sums=np.where(swapped, a.sums, b.sums))
        differences.append(macro(left) - macro(right))
    found = compare([a], [b])
    assert found.difference == pytest.approx(differences[0])
    expected = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    assert 0 < expected < 1
    assert found.p_value == pytest.approx(expected)


def test_seeds_alone_are_welchs_t_test():
    """Queries all differ by the same: only runs vary, more in one group than in the other."""
    a, b = [0.62, 0.50, 0.71], [0.41, 0.44, 0.40]
    found = compare([full(np.full((400, 2), value)) for value in a], [full(np.full((400, 2), value)) for value in b])
    welch = stats.ttest_ind(a, b, equal_var=False)
    interval = welch.confidence_interval()
    assert (found.difference, found.low, found.high) == pytest.approx((np.mean(a) - np.mean(b), *interval))
    assert found.p_value == pytest.approx(welch.pvalue, rel=0.2)  # its variance is taken about no difference
    assert (found.runs, found.over) == ((3, 3), "queries and seeds")


def test_unequal_numbers_of_seeds():
    """Satterthwaite's degrees of freedom, the variance of four runs counted 13 / 9 times and that of three twice."""
    a, b = [0.62, 0.50, 0.71, 0.66], [0.41, 0.44, 0.40]
    found = compare([full(np.full((400, 2), value)) for value in a], [full(np.full((400, 2), value)) for value in b])
    of_a, of_b = np.var(a, ddof=1) / 4, np.var(b, ddof=1) / 3
    freedom = (of_a * 13 / 9 + of_b * 2) ** 2 / ((of_a * 13 / 9) ** 2 / 3 + (of_b * 2) ** 2 / 2)
    assert (found.error, found.freedom) == pytest.approx((math.sqrt(of_a + of_b), freedom))
    assert found.high - found.difference == pytest.approx(stats.t.ppf(0.975, freedom) * math.sqrt(of_a + of_b))


def test_a_fixed_system_has_no_seed_variance():
    """Three runs beside one that no seed varies: a t test of the three against its score."""
    values = [0.62, 0.50, 0.71]
    trained = [full(np.full((400, 2), value)) for value in values]
    fixed = full(np.full((400, 2), 0.4))
    found = compare(trained, [fixed], fixed_b=True)
    expected = stats.ttest_1samp(values, 0.4)
    interval = expected.confidence_interval()
    assert (found.difference, found.low, found.high) == pytest.approx(
        (np.mean(values) - 0.4, interval.low - 0.4, interval.high - 0.4)
    )
    assert (found.runs, found.over) == ((3, 1), "queries and seeds")
    turned = compare([fixed], trained, fixed_a=True)
    assert (turned.low, turned.high, turned.p_value) == pytest.approx((-found.high, -found.low, found.p_value))


def test_runs_that_do_not_vary_are_compared_as_one_run_each():
    random = np.random.default_rng(10)
    a, b = full(random.random((60, 3)) + 0.02), full(random.random((60, 3)))
    once, thrice = compare([a], [b]), compare([a] * 3, [b] * 3)
    assert thrice.p_value == pytest.approx(once.p_value, abs=1e-12)
    assert (thrice.low, thrice.high, thrice.effect_size) == pytest.approx((once.low, once.high, once.effect_size))


def test_noise_of_training_is_no_difference():
    """Runs that scatter by 0.02 with no scatter over questions: on questions alone the difference looks certain."""
    a, b = [0.50, 0.54, 0.52], [0.51, 0.49, 0.53]
    shared = np.random.default_rng(11).random((100, 2))
    groups = [[full(shared + value) for value in values] for values in (a, b)]
    assert compare(groups[0][:1], groups[1][:1]).p_value < 0.001
    assert compare(*groups).p_value > 0.3


def three_and_three() -> tuple[list[Scores], list[Scores]]:
    random = np.random.default_rng(12)
    counts = gappy_counts(80, 3)
    a, b = ([with_gaps(random, counts) for _ in range(3)] for _ in "ab")
    return [replace(run, sums=run.sums + 0.03 * counts) for run in a], b


def test_order_and_labels_do_not_matter():
    a, b = three_and_three()
    found, reordered, exchanged = compare(a, b), compare(a[::-1], b), compare(b, a)
    assert 0.01 < found.p_value < 0.9
    for other, sign in ((reordered, 1), (exchanged, -1)):
        low, high = sorted((sign * other.low, sign * other.high))
        assert (sign * other.difference, low, high) == pytest.approx((found.difference, found.low, found.high))
        assert sign * other.effect_size == pytest.approx(found.effect_size)
        assert other.p_value == pytest.approx(found.p_value, abs=1e-9)


def test_no_difference_at_all():
    run = full(np.random.default_rng(13).random((20, 2)))
    found = compare([run], [run])
    assert (found.difference, found.low, found.high, found.p_value, found.effect_size) == (0, 0, 0, 1, 0)


def test_the_same_difference_everywhere_is_an_infinite_effect():
    table = np.random.default_rng(14).integers(0, 8, (20, 2)) / 8
    found = compare([full(table)], [full(table + 0.25)])
    assert (found.difference, found.effect_size) == (-0.25, -math.inf)


# --- non-inferiority


def test_non_inferior_is_a_shifted_one_sided_t_test():
    random = np.random.default_rng(15)
    a, b = random.random((50, 2)), random.random((50, 2))
    differences = (a - b).mean(axis=1)
    for margin in (0.01, 0.05, 0.1, 0.3):
        found = non_inferior([full(a)], [full(b)], margin)
        expected = stats.ttest_1samp(differences, -margin, alternative="greater")
        assert found.p_value == pytest.approx(expected.pvalue)
        assert found.bound == pytest.approx(expected.confidence_interval(0.95).low + 0)
        assert found.holds == (expected.pvalue < 0.05)
        assert (found.difference, found.margin, found.level) == (pytest.approx(differences.mean()), margin, 0.95)
    assert found.holds


def test_non_inferior_agrees_with_the_interval_of_twice_the_error():
    a, b = three_and_three()
    assert non_inferior(a, b, 0.1).bound == pytest.approx(compare(a, b, level=0.9).low)
    assert non_inferior(a, b, 0.1, higher_is_better=False).bound == pytest.approx(compare(a, b, level=0.9).high)


def test_non_inferior_where_less_is_better():
    """Rank distances: a has 5 more; within a margin of 20 that is no loss, and as a score it would be a gain."""
    random = np.random.default_rng(16)
    b = random.random((60, 2)) * 30 + 100
    a = b + 5 + random.standard_normal((60, 2)) * 10
    less = non_inferior([full(a)], [full(b)], 20, higher_is_better=False)
    mirrored = non_inferior([full(-a)], [full(-b)], 20)
    assert less.holds
    assert (less.bound, less.p_value) == pytest.approx((-mirrored.bound, mirrored.p_value))
    assert not non_inferior([full(a)], [full(b)], 3, higher_is_better=False).holds
    assert non_inferior([full(a)], [full(b)], 3).holds


def test_non_inferior_without_any_variance():
    """Every question scores 0.25 less in a."""
    table = np.random.default_rng(17).integers(0, 8, (16, 2)) / 8  # sums and means of these are exact
    a, b = [full(table)], [full(table + 0.25)]
    assert [non_inferior(a, b, margin).p_value for margin in (0.125, 0.25, 0.5)] == [1, 1, 0]
    assert [non_inferior(a, b, margin).holds for margin in (0.125, 0.25, 0.5)] == [False, False, True]


# --- many tests


def test_holm_by_hand():
    """0.005 times 4, 0.01 times 3, 0.03 times 2; 0.04 times 1 is less than what came before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.6, 0.5]) == [1, 1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closed_bonferroni_test(p_values):
    """A hypothesis is rejected if every set of hypotheses that holds it is rejected by Bonferroni's test of the set."""
    places = range(len(p_values))
    sets = [chosen for size in places for chosen in itertools.combinations(places, size + 1)]
    bonferroni = {chosen: min(1.0, len(chosen) * min(p_values[place] for place in chosen)) for chosen in sets}
    expected = [max(p_value for chosen, p_value in bonferroni.items() if place in chosen) for place in places]
    assert holm(p_values) == pytest.approx(expected)


# --- correlation with a distance


def crosslingual(languages: str, random: np.random.Generator, differences: np.ndarray, questions: int = 40):
    """One run each whose differences in the cells scatter over questions about `differences`, (L, L)."""
    pairs = [(row, column) for row in range(len(languages)) for column in range(len(languages)) if row != column]
    cells = tuple(f"{languages[row]}-{languages[column]}" for row, column in pairs)
    b = random.random((questions, len(pairs)))
    noise = random.standard_normal(b.shape)
    a = b + np.array([differences[pair] for pair in pairs]) + 0.3 * noise
    order = np.argsort(cells)
    return [full(table[:, order], tuple(sorted(cells))) for table in (a, b)]


def distances_of(size: int, random: np.random.Generator) -> np.ndarray:
    points = random.standard_normal((size, 2))
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def cell_differences(a: Scores, b: Scores, languages: str) -> dict[tuple[str, str], float]:
    means = dict(zip(a.cells, (a.sums - b.sums).mean(axis=0), strict=True))
    return {(row, column): means[f"{row}-{column}"] for row, column in itertools.permutations(languages, 2)}


def test_correlation_and_mantel_test_beside_scipy_and_loops():
    """Languages are given in another order than the cells', and one language of the scores is left out."""
    random = np.random.default_rng(18)
    distances = distances_of(5, random)
    a, b = crosslingual("dabec", random, 0.3 * np.pad(distances[1:, 1:], (0, 1)))
    languages = "ecab"
    distances = distances_of(4, random) + 0.3 * random.random((4, 4))  # from x to y is not quite from y to x
    differences = cell_differences(a, b, languages)

    def rho_of(order: tuple[int, ...]) -> float:
        pairs = list(itertools.permutations(range(4), 2))
        far = [distances[order[row], order[column]] for row, column in pairs]
        return stats.spearmanr([differences[languages[row], languages[column]] for row, column in pairs], far).statistic

    found = clustered_spearman([a], [b], tuple(languages), distances)
    rhos = [rho_of(order) for order in itertools.permutations(range(4))]
    assert found.rho == pytest.approx(rhos[0])
    assert found.p_value == pytest.approx(np.mean(np.abs(rhos) >= abs(rhos[0]) - 1e-12))
    assert (found.languages, found.pairs, found.runs, found.clusters) == (4, 12, (1, 1), 40)
    assert found.over == "languages and queries"


def test_correlation_interval_by_parts():
    """Beside a jackknife and a bootstrap by loops, of its own random numbers."""
    random = np.random.default_rng(19)
    distances = distances_of(8, random)
    languages = "abcdefgh"
    groups = [[], []]
    for _ in range(2):
        for group, run in zip(groups, crosslingual(languages, random, 0.2 * distances), strict=True):
            group.append(run)
    found = clustered_spearman(*groups, tuple(languages), distances, level=0.9)

    def z_of(rows: np.ndarray, runs: np.ndarray, without: int | None = None) -> float:
        kept = [place for place in range(8) if place != without]
        pairs = list(itertools.permutations(kept, 2))
        cells = groups[0][0].cells
        columns = [cells.index(f"{languages[row]}-{languages[column]}") for row, column in pairs]
        a, b = (np.mean([group[r].sums[rows][:, columns].mean(axis=0) for r in runs[g]], axis=0)
                for g, group in enumerate(groups))  # fmt: skip
        return float(np.arctanh(stats.spearmanr(a - b, [distances[pair] for pair in pairs]).statistic))

    all_rows, all_runs = np.arange(40), np.array([[0, 1], [0, 1]])
    left_out = [z_of(all_rows, all_runs, language) for language in range(8)]
    jackknife = 7 / 8 * sum((z - np.mean(left_out)) ** 2 for z in left_out)
    resampled = [z_of(random.integers(0, 40, 40), random.integers(0, 2, (2, 2))) for _ in range(400)]
    low, high = np.arctanh(found.low), np.arctanh(found.high)
    assert (low + high) / 2 == pytest.approx(z_of(all_rows, all_runs))
    variance = ((high - low) / 2 / stats.t.ppf(0.95, 7)) ** 2
    assert variance - jackknife == pytest.approx(np.var(resampled), rel=0.2)
    assert found.over == "languages, queries and seeds"


def test_correlation_that_is_there_and_one_that_is_not():
    random = np.random.default_rng(20)
    languages = "abcdefghij"
    distances = distances_of(10, random)
    a, b = crosslingual(languages, random, distances, questions=200)
    there = clustered_spearman([a], [b], tuple(languages), distances)
    assert there.low > 0.8
    assert there.p_value == 1 / 10_000
    absent = clustered_spearman([a], [b], tuple(languages), distances_of(10, random))
    assert absent.low < 0 < absent.high
    assert absent.p_value > 0.05


def test_correlation_by_seed():
    random = np.random.default_rng(21)
    languages = "abcdefghij"
    a, b = crosslingual(languages, random, np.zeros((10, 10)))
    distances = distances_of(10, random)
    first, same, other = (clustered_spearman([a], [b], tuple(languages), distances, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert (first.low, first.p_value) != (other.low, other.p_value)
    assert (first.rho, first.low, first.p_value) == pytest.approx((other.rho, other.low, other.p_value), abs=0.05)


# --- what is refused

TABLE = np.arange(12.0).reshape(4, 3) ** 1.5
RUN = full(TABLE)
ADVICE = "compare runs on the same version of the same benchmark"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            replace(RUN, clusters=("q0000", "q0001", "q0002", "q0009")),
            f"a[0] and b[0] have different clusters: 1 only in a[0] (such as 'q0003'), "
            f"1 only in b[0] (such as 'q0009'); {ADVICE}",
        ),
        (
            full(TABLE[:, :2]),
            f"a[0] and b[0] have different cells: 1 only in a[0] (such as 'c2'), 0 only in b[0]; {ADVICE}",
        ),
        (
            replace(RUN, counts=RUN.counts + np.diag([0, 1, 1, 0])[:, :3]),
            "a[0] and b[0] score different rows: cluster 'q0001' in cell 'c1' has 1 and 2 (2 such); "
            f"{ADVICE}, by a metric that is defined in the same rows",
        ),
    ],
)
def test_runs_that_cannot_be_compared(other, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        compare([RUN], [other])
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        non_inferior([RUN], [other], 0.1)
    with pytest.raises(
        ValueError, match=f"^{re.escape(message.replace('a[0]', 'runs[0]').replace('b[0]', 'runs[1]'))}$"
    ):
        estimate([RUN, other])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare([RUN] * 3, [RUN]), "a has 3 and b has 1 runs: a single run does not show how much training "
         "varies; give its group a second seed, or compare one run of each"),
        (lambda: compare([], [RUN]), "a is empty; at least one run is needed"),
        (lambda: estimate([]), "runs is empty; at least one run is needed"),
        (lambda: estimate([full(TABLE[:1])]),
         "there is one cluster of queries; to estimate how scores vary over queries takes at least two"),
        (lambda: estimate([RUN], 95), "level is 95; it must lie between 0 and 1, such as 0.95"),
        (lambda: compare([RUN], [RUN], 1), "level is 1; it must lie between 0 and 1, such as 0.95"),
        (lambda: compare([RUN] * 2, [RUN], fixed_a=True),
         "a has 2 runs of a fixed system; a system without a seed has one run"),
        (lambda: compare([RUN] * 2, [RUN] * 3, fixed_b=True),
         "b has 3 runs of a fixed system; a system without a seed has one run"),
        (lambda: non_inferior([RUN], [RUN], -0.1), "margin is -0.1; it must be positive, in the units of the metric"),
        (lambda: holm([0.5, 1.5]), "p-value 1 is 1.5; it must lie between 0 and 1"),
        (lambda: holm([math.nan]), "p-value 0 is nan; it must lie between 0 and 1"),
        (lambda: scores_of(["a"], ["de", "en"], [1.0]),
         "the columns differ in length: 1 clusters, 2 cells, 1 values"),
        (lambda: scores_of(["a", "b"], ["de", "de"], [None, math.nan]),
         "no row has a value: the metric is not defined in this setting, or nothing was scored"),
        (lambda: scores_of(["a", "b"], ["de", "en"], [None, math.inf]),
         "cluster 'b' in cell 'en' has an infinite value"),
    ],
)  # fmt: skip
def test_other_refusals(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def binary(size: int) -> np.ndarray:
    """Distances of 1 to and from the first language, and 0 between the others."""
    distances = np.zeros((size, size))
    distances[0], distances[:, 0] = 1, 1
    return distances


@pytest.mark.parametrize(
    ("languages", "distances", "message"),
    [
        ("aab", np.ones((3, 3)), "languages are a, a, b; each may come once"),
        ("abc", np.ones((3, 3)), "3 languages are too few to correlate over; at least 4 are needed"),
        ("abcd", np.ones((3, 3)), "distances are of shape (3, 3); 4 languages need (4, 4)"),
        ("abcz", np.ones((4, 4)), "no cell 'a-z' in the scores; leave out one of the two languages"),
        (
            "abcd",
            np.where(np.arange(16).reshape(4, 4) == 6, np.nan, 1),
            "no distance from b to c; leave out one of the two languages",
        ),
        ("abcd", np.ones((4, 4)), "the distances are equal in all 12 pairs; a correlation is not defined"),
        (
            "abcde",
            binary(5),
            "without a the distances or the differences are all equal: the correlation depends on one language",
        ),
    ],
)
def test_distances_that_cannot_be_correlated(languages, distances, message):
    a, b = crosslingual("abcde", np.random.default_rng(22), np.zeros((5, 5)))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        clustered_spearman([a], [b], tuple(languages), distances)


def test_differences_that_cannot_be_correlated():
    a, _ = crosslingual("abcd", np.random.default_rng(23), np.zeros((4, 4)))
    distances = distances_of(4, np.random.default_rng(24))
    message = "a minus b is equal in all 12 pairs; a correlation is not defined"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        clustered_spearman([a], [a], tuple("abcd"), distances)
    with pytest.raises(ValueError, match=r"^level is 2; it must lie between 0 and 1, such as 0\.95$"):
        clustered_spearman([a], [a], tuple("abcd"), distances, level=2)
