"""The open questions: each section where its data is present, with numbers that agree with a direct computation."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy import stats

from babelbatch.report.analyses import Section, sections, subset
from babelbatch.report.comparisons import Study, study
from babelbatch.report.grouping import grouped
from babelbatch.report.heatmaps import cell_scores
from babelbatch.report.languages import DISTANCES, distance, distance_matrix, language
from babelbatch.report.runs import find_runs
from babelbatch.statistics import scores_of
from babelbatch.statistics.scores import macro
from run_folders import write_sweep

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
        "domain-shift", "resources-facts", "resources-other", "script-facts", "script-other", "seen-facts",
        "seen-other", "typology-facts", "typology-other",
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


def test_domain_shift_says_whether_the_order_holds(studies: list[Study], found: dict[str, Section]) -> None:
    same = studies[0].best(studies[0].measures[2]) == studies[1].best(studies[1].measures[2])
    said = "the same" if same else "not the same"
    assert found["domain-shift"].sentences == (f"The strategies come out in {said} order on facts and other.",)
    places = [row[3] for row in found["domain-shift"].data.rows if row[1] == "facts"]
    assert sorted(places) == [1, 2, 3]


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
    assert (language("th").own_name, language("th").script, language("th").resources) == ("ไทย", "Thai", 3)
    assert (language("tlh").name, language("tlh").script, language("tlh").resources) == ("tlh", None, None)
