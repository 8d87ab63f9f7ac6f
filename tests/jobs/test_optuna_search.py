"""`hydra/sweeper=optuna`: its front and determinism on made-up scores, what it refuses, and searches of small runs."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from commands import BIN, SMALL, job, metrics, run_forked
from outcomes import states
from processes import ended, started, until

pytest.importorskip("optuna", reason="the extra `optuna` is not installed")

from babelbatch.configuration.rules import problems_of_sweeper
from babelbatch.jobs.optuna_search import Settings, distributions, front, make_study
from babelbatch.jobs.search_space import Interval, Options, Space

MONO, POOL = "validation/monolingual/map", "validation/multilingual/map"
SPACE = Space(
    (),
    {
        "alpha": Interval("alpha", 0.0, 1.0, log=False, whole=False),
        "lr": Interval("lr", 1e-5, 1e-1, log=True, whole=False),
        "kind": Options("kind", ("x", "y", "z"), ordered=False),
    },
)
FINITE = Space((), {"steps": Options("steps", ("1", "2", "3", "4"), ordered=True), "kind": SPACE.dimensions["kind"]})


def settings(sampler: str = "tpe", seed: int = 0, n_jobs: int = 1) -> Settings:
    return Settings((MONO, POOL), ("maximize", "minimize"), 12, n_jobs, seed, sampler, 4, 4, 0)


def searched(
    given: Settings, space: Space, score: Callable[[Mapping[str, str]], list[float]]
) -> tuple[Any, list[dict[str, str]]]:
    """The study and the settings of each trial, in batches as a search has them."""
    study, texts = make_study(given, space), []
    while len(texts) < given.n_trials:
        trials = [study.ask(distributions(space)) for _ in range(given.n_jobs)]
        new = [space.texts(trial.params) for trial in trials]
        texts += new
        for trial, each in zip(trials, new, strict=True):
            study.tell(trial, score(each))
    return study, texts


def coarse(texts: Mapping[str, str]) -> list[float]:
    """Scores with ties: better in one where it is worse in the other, and some settings bad in both."""
    alpha = float(texts.get("alpha", texts.get("steps", 0)))
    return [round(alpha, 1), round(alpha**2, 1) + {"x": 0.0, "y": 0.3, "z": 0.6}[texts["kind"]]]


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "random", "grid"])
def test_the_front_is_that_of_every_pair_compared(sampler: str) -> None:
    space = FINITE if sampler == "grid" else SPACE
    study, texts = searched(settings(sampler), space, coarse)
    scores = [coarse(each) for each in texts]

    def beats(a: list[float], b: list[float]) -> bool:  # more of the first is better, and less of the second
        return a[0] >= b[0] and a[1] <= b[1] and a != b

    best = [number for number, own in enumerate(scores) if not any(beats(other, own) for other in scores)]
    expected = [number for number in best if texts[number] not in texts[:number]]
    assert front(study, texts) == expected
    assert {trial.number for trial in study.best_trials} >= set(expected)
    assert 0 < len(expected) < len(texts)
    if sampler == "grid":
        assert len({tuple(each.values()) for each in texts}) == 12


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_trials_are_a_function_of_seed_and_scores(sampler: str, n_jobs: int) -> None:
    given = settings(sampler, n_jobs=n_jobs)
    _, first = searched(given, SPACE, coarse)
    assert searched(given, SPACE, coarse)[1] == first
    assert searched(settings(sampler, 1, n_jobs), SPACE, coarse)[1] != first
    _, others = searched(given, SPACE, lambda texts: [-each for each in coarse(texts)])
    assert others[:3] == first[:3]  # before the first score
    assert others != first


CFG = {
    "benchmarks": {"world_facts": {"_target_": "x"}},
    "data": {"_target_": "babelbatch.batches.data_module.PairData"},
    "evaluation": {"metrics": {"mine": {"_target_": "x"}}},
    "validation": None,
}
HERE = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}
SWEEPER = {"objectives": [MONO, POOL], "n_trials": 5, "n_jobs": 1, "sampler": "tpe", "max_failures": 0}


def problems(sweeper: dict[str, object], data: dict[str, object] | None = None, schema: str = "train") -> list[str]:
    cfg = CFG | {"data": CFG["data"] | (data or {})}
    return list(problems_of_sweeper(cfg, schema, SWEEPER | sweeper, HERE))


def test_nothing_is_wrong_with_the_shipped_settings() -> None:
    assert problems({}) == []
    assert problems({"objectives": ["validation/multilingual/mine"], "directions": ["minimize"]}) == []


@pytest.mark.parametrize(
    ("sweeper", "problem"),
    [
        ({"objectives": ["world_facts/multilingual/map", POOL]},
         "hydra.sweeper.objectives: world_facts/multilingual/map is a score on a benchmark; what is chosen by it looks "
         "better there than it is; name the score on validation items, validation/multilingual/map"),
        ({"objectives": ["xquad_r/multilingual/map"]},
         "hydra.sweeper.objectives: 'xquad_r/multilingual/map' is no validation score; name one, such as"),
        ({"objectives": ["validation/loss"]},
         "hydra.sweeper.objectives: 'validation/loss' is no validation score (a loss is not comparable between"),
        ({"objectives": []}, "hydra.sweeper.objectives: nothing to search for; name validation scores, such as"),
        ({"objectives": [POOL, POOL]}, "hydra.sweeper.objectives: one is listed twice; name each once"),
        ({"objectives": ["validation/multilingual/mine"]},
         "hydra.sweeper.directions: validation/multilingual/mine is of your own; set maximize or minimize"),
        ({"directions": ["maximize"]}, "hydra.sweeper.directions: 1 for 2 objectives; give each one, or null"),
        ({"directions": ["maximize", "up"]}, "hydra.sweeper.directions: 'up' is neither maximize nor minimize; set"),
        ({"directions": ["maximize", "minimize"]},
         "hydra.sweeper.directions: minimize validation/multilingual/map, of which the opposite is better; set max"),
        ({"sampler": "cmaes"}, "hydra.sweeper.sampler: 'cmaes' is none of tpe, nsgaii, random, grid; set one of them"),
        ({"population_size": 5}, "hydra.sweeper.population_size: it is for sampler=nsgaii alone; leave it out"),
        ({"n_startup_trials": 0}, "hydra.sweeper.n_startup_trials: 0 is less than 1; raise it"),
        ({"n_trials": 0}, "hydra.sweeper.n_trials: 0 is less than 1; raise it"),
        ({"n_trials": None}, "hydra.sweeper.n_trials: tpe has no end of its own; set a number"),
        ({"max_failures": -1}, "hydra.sweeper.max_failures: -1 is less than 0; raise it"),
        ({"n_jobs": 2}, "hydra.sweeper.n_jobs: 2 trials at once, and the launcher runs 1; set hydra/launcher=jo"),
    ],
)  # fmt: skip
def test_what_is_refused(sweeper: dict[str, object], problem: str) -> None:
    (found,) = problems(sweeper)
    assert found.startswith(problem)


def test_without_validation_items_there_is_nothing_to_choose_by(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems({}, {"validation_fraction": 0}) == [
        "data.validation_fraction: no items are held out for the objectives of hydra.sweeper; raise it, such as "
        "data.validation_fraction=0.05"
    ]
    assert problems({}, {"validation_queries": 0}) == [
        "data.validation_queries: no validation items are scored for the objectives of hydra.sweeper; raise it, "
        "such as data.validation_queries=500"
    ]
    (found,) = problems({}, schema="evaluate")
    assert found.startswith("hydra/sweeper: optuna chooses by validation scores, which only babelbatch-train has")
    monkeypatch.setenv("WORLD_SIZE", "2")
    (found,) = problems({})
    assert found.startswith("hydra/sweeper: optuna starts jobs from one process, and this is one of several ranks")


TINY = [*SMALL, "logger=none", "trainer.max_steps=4", "trainer.val_check_interval=4", "sampling=hybrid"]
SEARCH = [
    "-m", *TINY, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_startup_trials=2",
    "sampling.alpha=interval(0,1)", "optimizer.lr=tag(log,interval(1e-4,1e-1))", "output_dir=out",
]  # fmt: skip
TRIAL = re.compile(r"trial (\d) of (\d): ((?:[\w.]+=[^ /]+ ?)+)(?:, as trial \d)?$", re.MULTILINE)


def scores(sweep: Path) -> dict[str, tuple[float, float]]:
    """Folder of each finished run -> its two objectives."""
    found = {file.parent.name: metrics(file.parent) for file in sweep.glob("*/metrics.json")}
    return {name: (each[MONO], each[POOL]) for name, each in found.items()}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    place = tmp_path_factory.mktemp("search")
    return place / "out", run_forked("babelbatch-train", *SEARCH, cwd=place)


@pytest.mark.slow
def test_a_search_shows_every_trial_and_the_front(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    sweep, command = done
    said = command.stderr
    assert "searching sampling.alpha, optimizer.lr with TPE for the front of validation/monolingual/map and" in said
    assert ": 3 trials, 1 at once, the first 2 at random" in said
    asked = [texts.strip() for _, _, texts in TRIAL.findall(said)]
    assert len(set(asked)) == 3
    found = scores(sweep)
    assert len(found) == 3
    by_trial = {}
    for number, texts in enumerate(asked, 1):
        alpha, lr = (part.partition("=")[2] for part in texts.split())
        name = job(sweep, sampling__alpha=float(alpha), optimizer__lr=float(lr)).name
        mono, pool = by_trial[number] = found[name]
        assert (
            f"trial {number} of 3: validation/monolingual/map={mono:.4f} validation/multilingual/map={pool:.4f};"
            in said
        )
    best = [
        number
        for number, own in by_trial.items()
        if not any(a >= own[0] and b >= own[1] and (a, b) != own for a, b in by_trial.values())
    ]
    shown = command.stdout.partition("The front on validation, of 3 trials:\n")[2].partition("\n\n")[0]
    assert [int(number) for number in re.findall(r"^  trial (\d): ", shown, re.MULTILINE)] == best
    assert set(states(command.stdout).values()) == {"finished"}
    with (sweep / "report" / "data" / "selection.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    reported = {(float(row[MONO]), float(row[POOL])) for row in rows if row["on the front"] in ("True", "yes")}
    assert reported == {by_trial[number] for number in best}
    assert len(rows) == 3


@pytest.mark.slow
def test_a_killed_search_goes_on_as_if_it_had_not_been(
    done: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """The trials are the same in another process, and finished ones are not run again."""
    sweep = tmp_path / "out"
    with started(BIN / "babelbatch-train", *SEARCH, cwd=tmp_path) as command:
        until(lambda: len(list(sweep.glob("*/config.yaml"))) == 2, command)
        os.kill(command.pid, signal.SIGKILL)
        ended(command)
    (first,) = sweep.glob("*/metrics.json")
    written = first.stat().st_mtime_ns
    again = run_forked("babelbatch-train", *SEARCH, cwd=tmp_path)
    assert scores(sweep) == scores(done[0])
    assert TRIAL.findall(again.stderr) == TRIAL.findall(done[1].stderr)
    assert first.stat().st_mtime_ns == written
    assert again.stderr.count(" (finished earlier)") == 1
    ends = [
        text.partition("The front on validation")[2].partition("\n\n")[0] for text in (again.stdout, done[1].stdout)
    ]
    assert ends[0] == ends[1] != ""


@pytest.mark.slow
def test_several_trials_at_once(done: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """The first ones are drawn at random, so they are those of a search one by one, with the same scores."""
    at_once = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_jobs=2", "hydra.sweeper.n_trials=2"]
    command = run_forked("babelbatch-train", *SEARCH, *at_once, cwd=tmp_path)
    found = scores(tmp_path / "out")
    assert len(found) == 2
    assert found.items() < scores(done[0]).items()
    assert [each[2] for each in TRIAL.findall(command.stderr)] == [each[2] for each in TRIAL.findall(done[1].stderr)][
        :2
    ]
    assert set(states(command.stdout).values()) == {"finished"}


@pytest.mark.slow
def test_a_failed_trial(tmp_path: Path) -> None:
    """It ends the search, unless that many failures are allowed; then it has no part in the front."""
    arguments = [
        "-m", *TINY, "hydra/sweeper=optuna", "hydra.sweeper.sampler=grid", "hydra.sweeper.n_trials=null",
        "hydra.sweeper.objectives=[validation/multilingual/map]", "sampling.batch_size=choice(5000,16)",
        "output_dir=out",
    ]  # fmt: skip
    stopped = run_forked("babelbatch-train", *arguments, cwd=tmp_path, code=2)
    assert (
        "hydra.sweeper.max_failures: 1 failed, so the search ends here; type the same command again" in stopped.stderr
    )
    assert list(states(stopped.stdout).values()) == ["failed"]
    assert "Traceback" not in stopped.stderr
    passed = run_forked("babelbatch-train", *arguments, "hydra.sweeper.max_failures=1", cwd=tmp_path, code=2)
    assert list(states(passed.stdout).values()) == ["failed", "finished"]
    (own,) = [metrics(file.parent)[POOL] for file in (tmp_path / "out").glob("*/metrics.json")]
    assert (
        f"The best on validation, of 1 trials (1 more failed):\n  trial 2: sampling.batch_size=16: {POOL}={own:.4f}\n"
        in (passed.stdout)
    )


def test_mistakes_are_said_before_anything_runs(tmp_path: Path) -> None:
    typed = ["-m", *TINY, "hydra/sweeper=optuna", "output_dir=out"]

    def refused(*more: str) -> str:
        return run_forked("babelbatch-train", *typed, *more, cwd=tmp_path, code=2).stderr

    objectives = "hydra.sweeper.objectives=[world_facts/multilingual/map]"
    said = refused("sampling.alpha=interval(0,1.5)", objectives, "data.validation_fraction=0")
    assert "sampling.alpha: 1.5 " in said
    assert "hydra.sweeper.objectives: world_facts/multilingual/map is a score on a benchmark" in said
    assert "data.validation_fraction: no items are held out for the objectives of hydra.sweeper" in said
    assert "hydra.sweeper.trials: Key 'trials' is not in struct" in refused("hydra.sweeper.trials=3")
    assert "hydra.sweeper.n_trials: 20 trials of 2 settings; set 2 or less" in refused("sampling.alpha=0.5,1")
    assert not list(tmp_path.glob("out/*"))
    single = run_forked("babelbatch-train", *typed[1:], cwd=tmp_path, code=2)
    assert "hydra/sweeper: optuna runs several jobs; add -m, or leave it out" in single.stderr
