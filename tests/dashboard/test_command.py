"""The saved workspace: its panels, saving it twice, and the messages where it cannot be saved.

The real command and the real clients, in a process of their own, against a server on the loopback interface.
"""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from babelbatch.dashboard.runs import read_runs
from commands import BIN, SMALL
from fake_wandb import Backend
from preloaded import run_preloaded
from processes import python

LANGUAGE_BIAS = {  # logged all together, or by an evaluation without the language bias suite not at all
    "multilingual/language_preference",
    "multilingual/same_language_lift@10",
    "multilingual/mrc@10",
    "multilingual/peer@100",
    "top10_share_by_language",
}
READING, SAVING = "babelbatch: reading the runs\n", "babelbatch: saving the workspace\n"  # what goes on, line by line
GOLDEN = Path(__file__).parent / "dashboard_golden.json"  # made by: babelbatch-dashboard benchmarks=b dry_run=true


def dashboard(cwd: Path, *arguments: str, code: int = 0, **environment: str) -> CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    env = clean | {"HOME": str(cwd)} | environment
    done = run_preloaded(BIN / "babelbatch-dashboard", *arguments, cwd=cwd, env=env, code=code)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(READING)
    return CompletedProcess(done.args, done.returncode, done.stdout, done.stderr.removeprefix(READING))


def finished_run(folder: Path, benchmarks: list[str], **wandb: str) -> Path:
    """A run as `read_runs` sees it."""
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"benchmarks": benchmarks}))
    (folder / "config.yaml").write_text(yaml.safe_dump({"logger": {"csv": {}, "wandb": wandb}}))
    return folder


def shown(spec: object) -> set[str]:
    """Every string in a workspace, the keys of summary, history and configuration that its panels name among them."""
    if isinstance(spec, dict):
        return set().union(*(shown(value) for value in spec.values()))
    if isinstance(spec, list):
        return set().union(*(shown(value) for value in spec))
    return {spec} if isinstance(spec, str) else set()


def test_the_workspace_is_the_golden_one(tmp_path: Path) -> None:
    done = dashboard(tmp_path, "benchmarks=b", "dry_run=true")
    assert json.loads(done.stdout) == json.loads(GOLDEN.read_text())
    assert done.stderr == ""


def test_the_golden_one_has_the_panels_that_the_question_needs() -> None:
    sections = json.loads(GOLDEN.read_text())["spec"]["section"]["panelBankConfig"]["sections"]
    kinds = {section["name"]: [panel["viewType"] for panel in section["panels"]] for section in sections}
    assert kinds == {
        "b: alpha": ["Scatter Plot"] * 4,
        "b: trade-offs": ["Parallel Coordinates Plot"],
        "b: language bias": ["Scatter Plot"] * 5 + ["Media Browser", "Weave"],
        "b: cells": ["Media Browser", "Weave"],
        "Learning curves": ["Run History Line Plot"] * 9,
        "Runs": ["Run Comparer"],
    }
    plots = [panel["config"] for section in sections for panel in section["panels"] if panel["viewType"][0] == "S"]
    assert {plot["xAxis"] for plot in plots} == {"config:alpha.value"}
    assert [plot["yAxis"] for plot in plots[:5]] == [
        "summary:b/monolingual/map",
        "summary:b/crosslingual/map",
        "summary:b/multilingual/map",
        "summary:b/multilingual/rank_distance",
        "summary:b/multilingual/rank_distance_normalised",
    ]
    ids = [panel["__id__"] for section in sections for panel in section["panels"]]
    assert len(set(ids)) == len(ids)


def test_it_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom babelbatch.dashboard import main\n"
        "assert main(['benchmarks=b', 'dry_run=true']) == 0\n"
        "assert not {'torch', 'pytorch_lightning', 'transformers'} & set(sys.modules)"
    )
    python(code, cwd=tmp_path)


def test_without_the_extra_it_names_the_command(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['wandb_workspaces'] = None\n"
        "from babelbatch.dashboard import main\nsys.exit(main(['benchmarks=b']))"
    )
    done = python(code, cwd=tmp_path, code=2)
    first, *rest = done.stderr.splitlines()
    assert first == "babelbatch: the dashboard needs wandb-workspaces: pip install 'babelbatch[dashboard]'"
    assert any("babelbatch-report runs=multirun" in line for line in rest)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    done = dashboard(tmp_path, "entty=me", "benchmarks", "name=a", "name=b", "dry_run=maybe", code=2)
    assert done.stderr.splitlines() == [
        "babelbatch: mistakes in the arguments:",
        "  - entty: no such argument, did you mean 'entity'? "
        "(arguments: entity, project, name, benchmarks, runs, dry_run)",
        "  - benchmarks: no value; write benchmarks=...",
        "  - name: given twice; give it once",
        "  - dry_run: 'maybe' is neither true nor false; write one of them",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "babelbatch: benchmarks: no finished run in multirun to take them from; name them "
            "(benchmarks=xquad_r,mlqa_r) or the folder of the runs (runs=<folder>)",
        ),
        (["benchmarks=b", "name=🙂"], "babelbatch: name: W&B does not allow emoji or symbols in '🙂'; choose another"),
    ],
    ids=["no benchmarks", "an emoji"],
)
def test_what_it_cannot_know_or_do(tmp_path: Path, arguments: list[str], message: str) -> None:
    assert dashboard(tmp_path, *arguments, code=2).stderr == f"{message}\n"


def test_the_runs_name_benchmarks_project_and_entity(tmp_path: Path) -> None:
    finished_run(tmp_path / "multirun/sweep/a", ["x", "y"], project="mine", entity="team")
    finished_run(tmp_path / "multirun/sweep/b", ["y", "z"], project="mine")
    (tmp_path / "multirun/sweep/unfinished").mkdir()
    workspace = json.loads(dashboard(tmp_path, "dry_run=true", WANDB_PROJECT="other", WANDB_ENTITY="other").stdout)
    assert (workspace["entity"], workspace["project"], workspace["name"]) == ("team", "mine", "babelbatch")
    names = [section["name"] for section in workspace["spec"]["section"]["panelBankConfig"]["sections"]]
    assert [name for name in names if "alpha" in name] == ["x: alpha", "y: alpha", "z: alpha"]
    done = dashboard(tmp_path, "dry_run=true", "entity=me", "project=p", "name=n", "benchmarks=[x, y]")
    workspace = json.loads(done.stdout)
    assert (workspace["entity"], workspace["project"], workspace["name"]) == ("me", "p", "n")
    assert "z/multilingual/map" not in done.stdout
    workspace = json.loads(
        dashboard(tmp_path, "runs=no", "benchmarks=x", "dry_run=true", WANDB_PROJECT="q", WANDB_ENTITY="e").stdout
    )
    assert (workspace["entity"], workspace["project"]) == ("e", "q")


def test_a_run_a_sweep_and_a_folder_of_sweeps(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "multirun/sweep/a", ["x"], project="mine")
    for place in (run, run.parent, run.parent.parent):
        assert read_runs(place).folders == (run,)
        assert read_runs(place).projects == ("mine",)
    assert read_runs(tmp_path / "absent").folders == ()


def test_runs_of_several_projects_and_damaged_files(tmp_path: Path) -> None:
    finished_run(tmp_path / "multirun/s/a", ["x"], project="mine")
    finished_run(tmp_path / "multirun/s/b", ["x"], project="yours")
    expected = "babelbatch: project: the runs log to several W&B projects (mine, yours); choose one with project=...\n"
    assert dashboard(tmp_path, code=2).stderr == expected
    (tmp_path / "multirun/s/b/metrics.json").write_text("{")
    message = dashboard(tmp_path, code=2).stderr
    assert message.startswith("babelbatch: multirun/s/b/metrics.json cannot be read (")
    assert message.endswith("); remove the folder or repeat its run\n")


def test_a_benchmark_is_shown_by_its_own_metric(tmp_path: Path) -> None:
    run = tmp_path / "multirun" / "sweep" / "a"
    run.mkdir(parents=True)
    facts = {"benchmarks": ["miracl", "xquad_r"], "metric/miracl": "ndcg@10", "metric/xquad_r": "map"}
    (run / "metrics.json").write_text(json.dumps(facts))
    shown = dashboard(tmp_path, "dry_run=true", "entity=me").stdout
    assert "miracl/monolingual/ndcg@10" in shown
    assert "miracl/ndcg@10_by_language" in shown
    assert "miracl: monolingual nDCG@10 by alpha" in shown
    assert "xquad_r/monolingual/map" in shown
    assert "miracl/monolingual/map" not in shown


def test_saved_twice_it_is_one_workspace(tmp_path: Path) -> None:
    """What a person added or set in the app stays."""
    arguments = ("project=trial", "benchmarks=b")
    with Backend() as backend:
        first = dashboard(tmp_path, *arguments, **backend.environment())
        (view,) = backend.views.values()
        spec = json.loads(view["spec"])
        url = re.fullmatch(r"created the workspace 'babelbatch': (\S+)\n", first.stdout)[1]
        assert url == f"{backend.url}/us/trial?nw={view['name'][3:-2]}"  # stored as nw-<11 characters>-v
        assert (view["entityName"], view["displayName"], view["type"]) == ("us", "babelbatch", "project-view")
        golden = json.loads(GOLDEN.read_text())["spec"]
        assert spec == golden

        bank = spec["section"]["panelBankConfig"]
        bank["sections"] = [{**bank["sections"][0], "name": "mine"}, *bank["sections"][1:]]
        spec["section"]["settings"]["smoothingWeight"] = 7
        view["spec"] = json.dumps(spec)
        second = dashboard(tmp_path, *arguments, **backend.environment())
        assert second.stdout == f"updated the workspace 'babelbatch': {url}\n"
        (view,) = backend.views.values()
        changed = json.loads(view["spec"])["section"]
        expected = golden["section"]["panelBankConfig"]["sections"]
        assert changed["panelBankConfig"]["sections"][:-1] == expected
        assert changed["panelBankConfig"]["sections"][-1]["name"] == "mine"
        assert changed["settings"]["smoothingWeight"] == 7

        other = dashboard(tmp_path, *arguments, "name=other", **backend.environment())
        assert other.stdout.startswith("created the workspace 'other'")
        assert sorted(view["displayName"] for view in backend.views.values()) == ["babelbatch", "other"]


def test_a_project_that_has_no_runs_yet(tmp_path: Path) -> None:
    with Backend() as backend:
        message = dashboard(tmp_path, "project=empty", "benchmarks=b", code=2, **backend.environment()).stderr
        assert backend.views == {}
    assert message.startswith(f"{SAVING}babelbatch: the dashboard is not saved: Project `us/empty` not found.")
    assert "The first run that logs to it creates it." in message


@pytest.mark.parametrize(
    "trouble",
    [
        "no key",
        "wrong key",
        *(pytest.param(it, marks=pytest.mark.slow) for it in ("dead port", "silent", "black hole")),
    ],
)
def test_where_it_cannot_be_saved_it_names_alternatives(tmp_path: Path, trouble: str) -> None:
    """`black hole`: connections are accepted by the kernel, and nobody ever reads them."""
    run = finished_run(tmp_path / "multirun/s/a", ["b"], project="trial")
    (run / "wandb").mkdir()
    with Backend() as backend, socket.create_server(("127.0.0.1", 0)) as hole:
        environment = backend.environment()
        if trouble == "no key":
            del environment["WANDB_API_KEY"]
        elif trouble == "wrong key":
            backend.knows_the_key = False
        elif trouble == "silent":
            backend.fall_silent()
        else:
            port = 9 if trouble == "dead port" else hole.getsockname()[1]
            environment["WANDB_BASE_URL"] = f"http://127.0.0.1:{port}"
        done = dashboard(tmp_path, code=2, **environment)
    reason = "not logged in to W&B; " if trouble == "no key" else "W&B cannot be reached or does not accept the key ("
    first, *rest = done.stderr.removeprefix(SAVING).splitlines()
    assert first.startswith(f"babelbatch: the dashboard is not saved: {reason}")
    assert rest == [
        "Without it, look at the runs with:",
        "  wandb leet multirun/s/a/wandb    a run's curves in the terminal",
        "  babelbatch-report runs=multirun    an HTML page of all runs",
        "  babelbatch-dashboard ... dry_run=true    the workspace as JSON",
    ]
    assert done.stdout == ""


def test_an_earlier_workspace_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    arguments = ("project=trial", "benchmarks=b")
    with Backend() as backend:
        dashboard(tmp_path, *arguments, **backend.environment())
        (view,) = backend.views.values()
        for damaged, reason in (
            ("{}", "the earlier workspace http.* cannot be read (1 validation error.*); choose another name="),
            ('{"version": 99}', "W&B refused (SpecVersionError: .*)"),
        ):
            view["spec"] = damaged
            message = dashboard(tmp_path, *arguments, code=2, **backend.environment()).stderr.splitlines()[1]
            pattern = re.escape(reason).replace(r"\.\*", ".*")
            assert re.fullmatch(f"babelbatch: the dashboard is not saved: {pattern}", message)
            assert [view["spec"] for view in backend.views.values()] == [damaged]


def test_a_client_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """wandb's own calls have no end when the process that it keeps beside ours is frozen."""
    code = (
        "import signal, sys, wandb\n"
        "from babelbatch.dashboard import main, saving\n"
        "wandb.setup(wandb.Settings(silent=True)).ensure_service()._proc._process.send_signal(signal.SIGSTOP)\n"
        "saving._SECONDS = 3\n"
        "sys.exit(main(['project=trial', 'benchmarks=b']))"
    )
    with Backend() as backend:
        done = python(code, cwd=tmp_path, env=os.environ | backend.environment(), code=2)
    expected = f"{SAVING}babelbatch: the dashboard is not saved: W&B did not answer within 3 seconds\n"
    assert done.stderr.startswith(expected)


@pytest.mark.slow
def test_it_shows_what_a_sweep_logs(tmp_path: Path) -> None:
    """A real sweep: its runs are one group, and every column and curve of the workspace is there."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    arguments = ("-m", "sampling=hybrid", "sampling.alpha=0.25,0.75", "logger=wandb", "logger.wandb.project=trial")
    with Backend() as backend:
        run_preloaded(
            BIN / "babelbatch-train", *arguments, *SMALL, "trainer.log_every_n_steps=1", "output_dir=multirun/ratio",
            cwd=tmp_path, env=clean | backend.environment(),
        )  # fmt: skip
        dashboard(tmp_path, **backend.environment())
        (view,) = backend.views.values()
    assert len(backend.runs) == 2
    assert {(run.group, run.job_type, run.exit_code) for run in backend.runs.values()} == {("ratio", "train", 0)}
    named = shown(json.loads(view["spec"]))
    config = {name.removeprefix("config:").removesuffix(".value") for name in named if name.startswith("config:")}
    assert config == {"strategy", "alpha", "seed", "optimizer.value.lr"}
    for run in backend.runs.values():
        assert {"strategy", "alpha", "seed"} <= run.config.keys()
        assert run.config["optimizer"]["value"]["lr"] > 0
    logged = {key for run in backend.runs.values() for row in (run.summary, *run.history) for key in row}
    summaries = {name.removeprefix("summary:") for name in named if name.startswith("summary:")}
    curves = {name for name in named if name.startswith(("train/", "validation/"))}
    media = {name for name in named if re.fullmatch(r"world_facts/\w+", name)}
    assert (len(summaries), len(curves), len(media)) == (9, 13, 4)
    absent = (summaries | curves | media) - logged
    assert absent == set()
