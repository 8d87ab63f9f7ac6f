"""docs/study.md: its results are what its stored scores give."""

from __future__ import annotations

import csv
import json
import math
import re
import tarfile
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from babelbatch.configuration.shipped import CONF
from commands import run
from pages import DOCS

STUDY = DOCS / "study" / "six_layers"
SECTIONS = {"six_layers": "A weaker start: six layers", "twelve_layers": "Primary contrasts, repeated"}
"""The sections of the page whose numbers come from stored scores, by the folder of these."""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fixed(value: str, digits: int) -> str:
    return f"{float(value):,.{digits}f}"


def facts_of(scores: Path) -> dict[Path, dict]:
    """metrics.json of each folder of stored scores."""
    return {file.parent: json.loads(file.read_text(encoding="utf-8")) for file in scores.glob("*/*/metrics.json")}


@pytest.fixture(scope="module", params=SECTIONS)
def stored(request: pytest.FixtureRequest) -> Path:
    """The folder that has scores.tar.xz and the report made of it."""
    return DOCS / "study" / request.param


@pytest.fixture(scope="module")
def scores(stored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stored scores by query."""
    place = tmp_path_factory.mktemp("study")
    with tarfile.open(stored / "scores.tar.xz") as archive:
        archive.extractall(place, filter="data")
    return place / "scores"


def test_the_planned_seeds_of_each_arm_are_stored(stored: Path, scores: Path) -> None:
    """Five of the primary arms, three of the others, each kind of one commit."""
    trained = [each for each in facts_of(scores).values() if "alpha" in each]
    primary = [each for each in trained if each["alpha"] in (0.0, 0.5, 1.0)]
    others = [each for each in trained if each not in primary]
    curve = (0.25, 0.75) if stored == STUDY else ()
    for runs, alphas, seeds in ((primary, (0.0, 0.5, 1.0), range(5)), (others, curve, range(3))):
        assert sorted((each["alpha"], each["seed"]) for each in runs) == [(a, seed) for a in alphas for seed in seeds]
        assert len({each["commit"] for each in runs}) == min(1, len(alphas))


@pytest.mark.parametrize("stored", ["twelve_layers"], indirect=True)
def test_the_repeated_runs_are_those_of_the_plan(stored: Path, scores: Path) -> None:
    """With the encoder before training, as it is and with LIR."""
    facts = facts_of(scores)
    assert {each["commit"][:7] for each in facts.values()} == {"1c11834"}
    untrained = []
    for folder, each in facts.items():
        cfg = OmegaConf.load(folder / "config.yaml")
        assert cfg.evaluation.precision == "float32"
        if "alpha" in each:
            assert (cfg.trainer.precision, cfg.trainer.max_steps) == ("32-true", 100)
            assert cfg.loss.temperature == (0.05 if cfg.sampling.alpha == 1 else 0.02)
        else:
            untrained.append(cfg.evaluation.debias)
    assert sorted(untrained) == ["lir", "none"]


def test_stored_scores_are_small() -> None:
    study = DOCS / "study"
    assert 0 < sum(path.stat().st_size for path in study.rglob("scores.tar.xz")) < 10_000_000
    assert sum(path.stat().st_size for path in study.rglob("*") if path.is_file()) < 16_000_000


@pytest.mark.slow
def test_the_report_is_made_of_the_stored_scores(stored: Path, scores: Path, tmp_path: Path) -> None:
    plan = CONF / "experiment" / "study" / "settings.yaml"
    run("babelbatch-report", f"runs={scores}", "plan=0.005", f"contrasts={plan}", "output=report", cwd=tmp_path)
    report, made = stored / "report", tmp_path / "report"
    names = [path.relative_to(report) for path in sorted(report.rglob("*")) if path.is_file()]
    assert [path.relative_to(made) for path in sorted(made.rglob("*")) if path.is_file()] == names
    tables = [name for name in names if name.suffix == ".csv"]
    assert len(tables) > 20
    for name in tables:
        for found, expected in zip(rows(made / name), rows(report / name), strict=True):
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                assert same(found[key], value), f"{name}, {key}: {found[key]} instead of {value}"


def same(found: str, expected: str) -> bool:
    """Equal texts, or numbers that differ by rounding."""
    try:
        return math.isclose(float(found), float(expected), rel_tol=1e-6, abs_tol=1e-9)
    except ValueError:
        return found == expected


def test_the_page_shows_the_numbers_of_the_report(stored: Path) -> None:
    """Means and intervals of each strategy, and the planned contrasts in their order."""
    text = (DOCS / "study.md").read_text(encoding="utf-8")
    section = text.partition(f"## {SECTIONS[stored.name]}")[2].partition("\n## ")[0]
    assert section
    digits = {"map": 3, "rank_distance": 0}
    for each in rows(stored / "report" / "data" / "results.csv"):
        if each["metric"] in digits:
            value, low, high = (fixed(each[key], digits[each["metric"]]) for key in ("value", "low", "high"))
            assert f"{value} [{low}, {high}]" in section, each
    planned = rows(stored / "report" / "data" / "planned.csv")
    lines = re.findall(r"^\| [123456] \|.*$", section, re.MULTILINE)
    assert len(lines) == len(planned) == 7
    for line, each in zip(lines, planned, strict=True):
        difference = float(each["a minus b"])
        shown = f"{difference:+,.1f}" if each["metric"] == "rank_distance" else f"{difference:+.3f}"
        assert shown in line, (line, each)
        p = float(each["p by Holm"])
        assert ("< 0.001" if p < 0.001 else f"{p:.2g}") in line, (line, each)


def test_what_training_and_lir_gain_is_in_the_comparisons() -> None:
    """The differences and p-values of the sentences on the encoder before training."""
    text = (DOCS / "study.md").read_text(encoding="utf-8")
    section = " ".join(text.partition("## Primary contrasts, repeated")[2].partition("\n## ")[0].split())
    before, lir, hybrid = "me5-small debias=none untrained", "me5-small debias=lir untrained", "hybrid alpha=0.5"
    compared = {
        (each["a"], each["b"], each["setting"], each["metric"]): (float(each["a minus b"]), float(each["p by Holm"]))
        for each in rows(DOCS / "study" / "twelve_layers" / "report" / "data" / "comparisons.csv")
    }
    assert len(compared) == 40
    for a, b, sentence, shown in (
        (hybrid, before, "hybrid gains 0.283 over the pool and 0.066 across languages", (0.283, 0.066)),
        (lir, before, "It adds 0.244 over the pool and 0.040 across languages", (0.244, 0.040)),
        (
            hybrid,
            lir,
            "ahead of it over the pool by 0.039 and 0.043, across languages by 0.026 and 0.025",
            (0.039, 0.026),
        ),
        (
            "X-Y",
            lir,
            "ahead of it over the pool by 0.039 and 0.043, across languages by 0.026 and 0.025",
            (0.043, 0.025),
        ),
    ):
        assert sentence in section
        pool, across = (compared[a, b, setting, "map"] for setting in ("multilingual", "crosslingual"))
        assert (round(pool[0], 3), round(across[0], 3)) == shown
        assert max(pool[1], across[1], compared[a, b, "multilingual", "rank_distance"][1]) < 0.001
    for a, b, shown in (
        (hybrid, before, "-0.001 [-0.008, 0.007], p = 1.00"),
        ("X-X", before, "X-X loses 0.014 (p = 0.026)"),
        ("X-Y", before, "X-Y does not differ significantly (-0.012, p = 0.071)"),
        (lir, before, "costs 0.005 within a language (p = 0.016)"),
    ):
        assert shown in section
        difference, p = compared[a, b, "monolingual", "map"]
        assert f"{abs(difference):.3f}" in shown
        assert f"p = {p:.3f}" in shown or f"p = {p:.2f}" in shown
    assert (
        min(compared["X-X", lir, setting, "map"][1] for setting in ("monolingual", "crosslingual", "multilingual"))
        > 0.7
    )


def test_the_page_shows_the_numbers_of_the_other_arms() -> None:
    text = (DOCS / "study.md").read_text(encoding="utf-8")
    section = text.partition("## The other arms, six layers")[2].partition("\n## ")[0]
    primary = {each["group"] for each in rows(STUDY / "report" / "data" / "results.csv")}
    digits = {"map": 3, "rank_distance": 0}
    found = set()
    for each in rows(DOCS / "study" / "six_layers_all" / "data" / "results.csv"):
        if each["metric"] in digits and each["group"] not in primary:
            value, low, high = (fixed(each[key], digits[each["metric"]]) for key in ("value", "low", "high"))
            assert f"{value} [{low}, {high}]" in section, each
            found.add(each["group"])
    assert len(found) == 8


def test_the_page_shows_the_numbers_of_centring_and_lir() -> None:
    """All nine rows, and each p-value and difference of the sentences is in the table of comparisons."""
    text = (DOCS / "study.md").read_text(encoding="utf-8")
    section = text.partition("## Centring and LIR after training, six layers")[2].partition("\n## ")[0]
    data = DOCS / "study" / "six_layers_debiased" / "data"
    digits = {"map": 3, "rank_distance": 0}
    found = set()
    for each in rows(data / "results.csv"):
        if each["metric"] in digits:
            value, low, high = (fixed(each[key], digits[each["metric"]]) for key in ("value", "low", "high"))
            assert f"{value} [{low}, {high}]" in section, each
            found.add(each["group"])
    assert len(found) == 9
    compared = {
        (each["a"], each["b"], each["setting"], each["metric"]): (float(each["a minus b"]), float(each["p by Holm"]))
        for each in rows(data / "comparisons.csv")
    }
    assert len(compared) == 144
    hybrid, best = "hybrid alpha=0.5", "X-X debias=lir"
    for other, gain in ((hybrid, 0.033), ("X-Y", 0.022), ("X-X", 0.064)):
        difference, p = compared[other, best, "multilingual", "map"]
        assert (round(-difference, 3), p < 0.001) == (gain, True)
        assert compared[other, best, "multilingual", "rank_distance"][1] < 0.001
        assert compared[other, best, "crosslingual", "map"][1] > 0.05
    for group in (hybrid, "X-Y", "X-X"):
        for setting in ("monolingual", "crosslingual", "multilingual"):
            difference, p = compared[f"{group} debias=centre", f"{group} debias=lir", setting, "map"]
            assert difference < 0
            assert p < 0.001
