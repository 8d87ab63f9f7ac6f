"""Sweeps through each launcher: the weights of a sweep in one process, the same end, and jobs that fail or are stopped.

Slurm itself: `bench/slurm_sweep.sh`.
"""

from __future__ import annotations

import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from commands import BIN, SMALL, job, run, run_forked, weights
from outcomes import states
from processes import alive, descendants, ended, started, until

pytestmark = pytest.mark.slow

TINY = [*SMALL, "logger=none", "trainer.max_steps=2", "trainer.val_check_interval=2", "sampling=x_x,x_y"]
LONG = [*SMALL, "logger=none", "trainer.max_steps=100000", "seed=0,1,2"]


def needs(library: str, extra: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(library) is None, reason=f"needs {library}: pip install -e '.[{extra}]'")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("here")
    run_forked("babelbatch-train", "-m", *TINY, "output_dir=out", cwd=place)
    return place / "out"


@pytest.mark.parametrize(
    "launcher",
    [
        "joblib",
        pytest.param("submitit_local", marks=needs("submitit", "slurm")),
        pytest.param("ray", marks=needs("ray", "ray")),
    ],
)
def test_a_sweep_ends_as_in_one_process(launcher: str, here: Path, tmp_path: Path) -> None:
    arguments = ["-m", *TINY, f"hydra/launcher={launcher}", "output_dir=out"]
    done = run("babelbatch-train", *arguments, cwd=tmp_path)
    for alpha in (0, 1):
        there = job(tmp_path / "out", sampling__alpha=alpha)
        assert weights(there) == weights(job(here, sampling__alpha=alpha))
        assert states(done.stdout)[there.name] == "finished"
    assert done.stdout.count("│ x_") == 2
    assert (tmp_path / "out" / "comparison.md").exists()
    assert (tmp_path / "out" / "report" / "report.html").exists()
    again = run_forked("babelbatch-train", *arguments, cwd=tmp_path)  # starts nothing
    assert set(states(again.stdout).values()) == {"was finished already"}


def test_a_mistake_in_one_job(tmp_path: Path) -> None:
    """Each outcome comes back with its reason and its exit code."""
    arguments = [*TINY, "sampling=x_x", "sampling.batch_size=16,5000", "hydra/launcher=joblib", "output_dir=out"]
    done = run("babelbatch-train", "-m", *arguments, cwd=tmp_path, code=2)
    assert sorted(states(done.stdout).values()) == ["failed", "finished"]
    assert " needs 5000 items, there are " in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("at_once", [1, 2])  # one: without processes of joblib's
def test_a_signal_reaches_the_jobs_of_joblib(at_once: int, tmp_path: Path) -> None:
    """The one that runs saves a checkpoint, the others do not start, and no process is left."""
    arguments = ["-m", *LONG, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={at_once}", "output_dir=out"]
    with started(BIN / "babelbatch-train", *arguments, cwd=tmp_path) as sweep:
        until(lambda: any("step 6 of" in log.read_text() for log in (tmp_path / "out").glob("*/train.log")), sweep)
        workers = descendants(sweep.pid)
        sweep.send_signal(signal.SIGTERM)
        stdout, stderr = ended(sweep)
    assert sweep.returncode == 143, stderr
    assert list(states(stdout).values()) == at_once * ["interrupted"] + (3 - at_once) * ["not started"]
    assert list((tmp_path / "out").glob("*/checkpoints/step-*.ckpt"))
    until(lambda: not any(map(alive, workers)))
