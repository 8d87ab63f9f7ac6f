"""The open questions: each section where its data is present, with numbers that agree with a direct computation."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy import stats

from babelbatch.report.analyses import sections
from babelbatch.report.comparisons import Study, study
from babelbatch.report.grouping import grouped
from babelbatch.report.heatmaps import cell_scores
from babelbatch.report.interactions import Interaction, sentences
from babelbatch.report.languages import DISTANCES, distance, distance_matrix, language
from babelbatch.report.runs import find_runs
from babelbatch.report.section import Section
from babelbatch.statistics import Comparison, scores_of, subset
from babelbatch.statistics.scores import macro
from run_folders import write_run, write_sweep

EIGHT = ("ar", "de", "en", "es", "hi", "ru", "th", "zh")
LEVELS = {0.0: {"crosslingual": 0.5}, 0.5: {"crosslingual": 0.4}, 1.0: {"crosslingual": 0.1}}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[Study]:
    place = tmp_path_factory.mktemp("analyses")
    trained = {"languages/corpus": ["ar", "en", "zh"]}
    write_sweep(place, LEVELS, seeds=2, benchmarks=("facts", "other"), languages=EIGHT, facts=trained)
    groups = grouped(find_runs([place]).runs)
    return [study(name, groups) for name in ("facts", "other")]


@pytest.fixture(scope="module")
def found(studies: list[Study]) -> dict[str, Section]:
    return {section.anchor: section for section in sections(studies)}


def test_every_section_is_there_once(found: dict[str, Section]) -> None:
    assert sorted(found) == [
        "domain-shift", "pair-regression-facts", "pair-regression-other", "resources-facts", "resources-other",
        "script-facts", "script-other", "seen-facts", "seen-other", "typology-facts", "typology-other",
    ]  # fmt: skip


def test_typology_is_spearmans_correlation_over_pairs(studies: list[Study], found: dict[str, Section]) -> None:
    xy, _, xx = studies[0].groups
    off_diagonal = ~np.eye(len(EIGHT), dtype=bool)
    difference = (cell_scores(studies[0], xy) - cell_scores(studies[0], xx))[off_diagonal]
    for row in found["typology-facts"].data.rows[:4]:
        far = distance_matrix(row[3], studies[0].languages)[off_diagonal]
        assert row[1:4] == ("X-Y", "X-X", row[3])
        assert row[6] == pytest.approx(stats.spearmanr(difference, far).statistic, abs=1e-9)
        assert row[7] <= row[6] <= row[8]


def test_by_resource_class(studies: list[Study], found: dict[str, Section]) -> None:
    section = found["resources-facts"]
    assert [(label, below) for label, below, _ in section.grid.rows] == [
        ("class 3", "th"), ("class 4", "hi, ru"), ("class 5", "ar, de, en, es, zh"),
    ]  # fmt: skip
    row = next(row for row in section.data.rows if row[1:4] == ("class 4", "hi ru", "X-Y"))
    means = []
    for run in studies[0].groups[0].runs:
        table = run.per_query.filter(pc.field("benchmark") == "facts").filter(pc.field("setting") == "multilingual")
        for code in ("hi", "ru"):
            means.append(pc.mean(table.filter(pc.field("query_language") == code)["map"]).as_py())
    assert row[4] == pytest.approx(np.mean(means), abs=1e-12)
    assert row[7] == pytest.approx(row[4] - next(r for r in section.data.rows if r[1:4:2] == ("class 4", "X-X"))[4])


def test_seen_and_unseen(found: dict[str, Section]) -> None:
    section = found["seen-facts"]
    assert [row[1] for row in section.grid.rows] == ["ar, en, zh", "de, es, hi, ru, th"]
    assert section.note.endswith("Trained on ar, en, zh.")


def test_domain_shift_is_a_difference_of_differences(studies: list[Study], found: dict[str, Section]) -> None:
    """Both benchmarks have the same scores, so no difference depends on which it is; nothing is said of the order."""
    section = found["domain-shift"]
    assert len(section.sentences) == 2
    for sentence in section.sentences:
        assert re.fullmatch(
            r"The difference of (X-Y|hybrid alpha=0\.5) from X-X is not significantly different on facts and on other "
            r"\(95\s% interval \[.*\], p\s=\s1\.00\)\.",
            sentence,
        )
    assert "place" not in str(section.grid)


def of_two(place: Path, gains: Mapping[str, float], **settings) -> list[Study]:
    """Three seeds of X-X and of hybrid on `facts` and `other`; hybrid gains so much there, or in a language."""
    for seed in range(3):
        for strategy, alpha, more in (("x_x", 1.0, {}), ("hybrid", 0.5, gains)):
            folder, both = place / f"{strategy}{seed}", ("facts", "other")
            level = {"crosslingual": alpha / 2}  # other noise in each strategy
            write_run(
                folder, strategy, alpha, seed, level=level, benchmarks=both, languages=EIGHT, gains=more, **settings
            )
    groups = grouped(find_runs([place]).runs)
    return [study(name, groups) for name in ("facts", "other")]


def section_of(studies: list[Study], anchor: str) -> Section:
    return next(section for section in sections(studies) if section.anchor == anchor)


def test_a_gain_on_one_benchmark_is_an_interaction(tmp_path: Path) -> None:
    studies = of_two(tmp_path, {"facts": 0.05})
    (sentence,) = section_of(studies, "domain-shift").sentences
    assert re.fullmatch(
        r"The difference of hybrid alpha=0\.5 from X-X is 0\.05\d higher on facts than on other "
        r"\(95\s% interval \[\+0\.04\d, \+0\.05\d\], p\s<\s0\.001\)\.",
        sentence,
    )
    macros = {
        (name, group.label): np.mean([run.metrics[f"{name}/multilingual/map"] for run in group.runs])
        for name in ("facts", "other")
        for group in studies[0].groups
    }
    xx, hybrid = "X-X", "hybrid alpha=0.5"
    expected = macros["facts", hybrid] - macros["facts", xx] - macros["other", hybrid] + macros["other", xx]
    assert f"is {expected:.3f} higher" in sentence


def test_low_resource_is_an_interaction(tmp_path: Path) -> None:
    """A gain in all languages is none for small ones in particular; a gain in Thai (class 3) is."""
    everywhere = of_two(tmp_path / "everywhere", dict.fromkeys(EIGHT, 0.05))
    (same,) = section_of(everywhere, "resources-facts").sentences
    assert re.match(
        r"The difference of hybrid alpha=0\.5 from X-X does not depend significantly on the resource class \(95", same
    )
    small = section_of(of_two(tmp_path / "small", {"th": 0.06, "hi": 0.03, "ru": 0.03}), "resources-facts")
    assert re.fullmatch(
        r"The difference of hybrid alpha=0\.5 from X-X is higher for languages with less data: it changes by "
        r"−0\.03\d for each class up \(95\s% interval \[−0\.0\d\d, −0\.0\d\d\], p\s<\s0\.001\)\.",
        small.sentences[0],
    )
    slope = next(row for row in small.data.rows if row[1] == "per class")
    differences = {row[1]: row[7] for row in small.data.rows if row[3] == "hybrid alpha=0.5" and row[7] is not None}
    of_language = [differences["class 3"], *[differences["class 4"]] * 2, *[differences["class 5"]] * 5]
    assert slope[10] == pytest.approx(np.polyfit([3, 4, 4, 5, 5, 5, 5, 5], of_language, 1)[0])


def test_scripts_are_compared_with_the_others(tmp_path: Path) -> None:
    studies = of_two(tmp_path, {"th": 0.06})
    found = section_of(studies, "script-facts").sentences
    (thai,) = [sentence for sentence in found if "Thai" in sentence]
    assert thai.startswith("The difference of hybrid alpha=0.5 from X-X is 0.06")
    assert " higher in Thai script than in the others (95" in thai
    equal = section_of(of_two(tmp_path / "equal", {}), "script-facts").sentences
    assert [sentence.partition(" (smallest p")[0] for sentence in equal] == [
        "The difference of hybrid alpha=0.5 from X-X is not significantly different between the scripts"
    ]


def test_of_two_kinds_each_has_the_difference_from_the_other(tmp_path: Path) -> None:
    """Hybrid gains .1 over X-X in English alone: seen minus unseen is +.1, unseen minus seen is -.1."""
    facts = {"languages/corpus": ["en"]}
    for seed in range(3):
        write_run(tmp_path / f"x{seed}", "x_x", 1.0, seed, facts=facts)
        write_run(tmp_path / f"h{seed}", "hybrid", 0.5, seed, facts=facts, gains={"en": 0.1})
    section = section_of([study("facts", grouped(find_runs([tmp_path]).runs))], "seen-facts")
    rows = {row[1]: row[10:] for row in section.data.rows if row[3] == "hybrid alpha=0.5"}
    difference, low, high, p_value = rows["seen"]
    assert difference == pytest.approx(0.1, abs=0.02)
    assert low < difference < high
    assert rows["unseen"] == (-difference, -high, -low, p_value)


def test_evaluations_that_do_not_record_their_languages_do_not_hide_them(tmp_path: Path) -> None:
    write_run(tmp_path / "x", "x_x", 1.0, facts={"languages/corpus": ["en", "hi"]})
    write_run(tmp_path / "old", "hybrid", 0.5)
    section = section_of([study("facts", grouped(find_runs([tmp_path]).runs))], "seen-facts")
    assert section.note.endswith("Trained on en, hi; not recorded for hybrid alpha=0.5.")


def test_seen_languages_are_those_that_batches_are_drawn_from(tmp_path: Path) -> None:
    """The corpus has three languages, and sampling.languages takes one of them."""
    facts = {"languages/corpus": ["ar", "en", "zh"]}
    for name, strategy, alpha in (("a", "hybrid", 0.5), ("b", "x_x", 1.0)):
        settings = {"sampling": {"name": strategy, "alpha": alpha, "languages": ["en"]}}
        write_run(tmp_path / name, strategy, alpha, languages=EIGHT, facts=facts, settings=settings)
    section = section_of([study("facts", grouped(find_runs([tmp_path]).runs))], "seen-facts")
    assert [row[1] for row in section.grid.rows] == ["en", "ar, de, es, hi, ru, th, zh"]
    assert section.note.endswith("Trained on en.")
    (sentence,) = section.sentences
    assert sentence.startswith("The difference of the run of hybrid alpha=0.5 from the run of X-X is not significantly")


def test_gains_by_distance_with_level_script_and_class_held_constant(studies: list[Study]) -> None:
    section = section_of(studies, "pair-regression-facts")
    assert [label for label, *_ in section.grid.rows] == [
        "syntactic", "X-X level", "other script", "class of the language with less data",
    ]  # fmt: skip
    for sentence, group in zip(section.sentences, ("X-Y", "hybrid alpha=0.5"), strict=True):
        assert sentence.startswith(
            f"With X-X level, other script and class of the language with less data equal, the difference of {group} "
            "from X-X is not significantly related to syntactic distance (standardised coefficient "
        )
    xy, _, xx = studies[0].groups
    off = ~np.eye(len(EIGHT), dtype=bool)
    base = cell_scores(studies[0], xx)
    gain = cell_scores(studies[0], xy) - base
    known = [language(code) for code in EIGHT]
    predictors = [
        distance_matrix("syntactic", EIGHT),
        base,
        np.array([[float(a.script != b.script) for b in known] for a in known]),
        np.array([[float(min(a.resources, b.resources)) for b in known] for a in known]),
    ]
    columns = [(each[off] - each[off].mean()) / each[off].std() for each in (gain, *predictors)]
    expected = np.linalg.lstsq(np.column_stack([np.ones(56), *columns[1:]]), columns[0], rcond=None)[0][1:]
    assert [row[5] for row in section.data.rows[:4]] == pytest.approx(expected)


def test_sections_without_data_stay_away(tmp_path: Path) -> None:
    write_sweep(tmp_path, {0.0: {}, 1.0: {}}, seeds=1, languages=("en", "de"))
    only = study("facts", grouped(find_runs([tmp_path]).runs))
    assert [section.anchor for section in sections([only])] == []


def test_a_subset_leaves_out_questions_that_have_no_row_there() -> None:
    scores = scores_of(["a", "a", "b"], ["de", "en", "en"], np.array([1.0, 0.5, 0.0]))
    part = subset(scores, [scores.cells.index("de")])
    assert (part.clusters, part.cells, macro(part)) == (("a",), ("de",), 1.0)


def test_distances_are_symmetric_and_zero_to_oneself() -> None:
    codes = [code for code in EIGHT if distance("syntactic", code, code) is not None]
    assert codes == list(EIGHT)
    for kind in DISTANCES:
        matrix = distance_matrix(kind, EIGHT)
        np.testing.assert_array_equal(matrix, matrix.T)
        assert np.diag(matrix).max() < 1e-3  # angles, rounded
        assert matrix.min() >= 0
        assert matrix.max() <= 1
    assert distance("syntactic", "en", "fr") == pytest.approx(0.4204)
    assert distance("syntactic", "en", "tlh") is None


def test_languages_are_known_or_called_by_their_code() -> None:
    """Outside the table name and script are those of the CLDR."""
    assert (language("th").own_name, language("th").script, language("th").resources) == ("ไทย", "Thai", 3)
    assert (language("tlh").name, language("tlh").script, language("tlh").resources) == ("Klingon", None, None)
    assert (language("qqq").name, language("qqq").script, language("qqq").resources) == ("qqq", None, None)


def test_kinds_that_differ_are_not_said_not_to(studies: list[Study]) -> None:
    """One significant place, and what is said of the others of its group."""
    _, group, reference = studies[0].groups
    by = Comparison(0.05, 0.03, 0.07, 0.95, 0.01, 40.0, 0.001, 1.0, (2, 2), 40, "queries and seeds")
    found = [
        Interaction(group, reference, f"in {script} script than in the others", by, p_value)
        for script, p_value in (("Greek", 0.001), ("Thai", 0.4), ("Latin", 0.3))
    ]
    words = {"elsewhere": "between the scripts", "others": "for the other scripts"}
    higher, rest = sentences(found, 0.95, **words)
    assert higher.startswith("The difference of hybrid alpha=0.5 from X-X is 0.050 higher in Greek script than in the")
    assert rest.endswith("is not significantly different for the other scripts (smallest p\xa0=\xa00.30).")
    (alone,) = sentences(found[1:], 0.95, **words)
    assert alone.endswith("is not significantly different between the scripts (smallest p\xa0=\xa00.30).")
