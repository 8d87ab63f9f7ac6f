"""Sweeps as a user types them, again and again, at once and killed: real processes, real training, on CPU."""

import os
import re
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from commands import BIN, SMALL, job, metrics, run, run_forked, weights
from outcomes import states
from preloaded import Preloaded, started_preloaded
from processes import alive, descendants, ended, python, until
from processes import started as started_process

pytestmark = pytest.mark.slow

TINY = [*SMALL, "logger=none", "trainer.max_steps=2", "trainer.val_check_interval=2"]
LONG = [*SMALL, "logger=none", "trainer.max_steps=100000"]


def started(*arguments: str, cwd: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    return started_process(BIN / "babelbatch-train", *arguments, cwd=cwd)


def forked(*arguments: str, cwd: Path) -> AbstractContextManager[Preloaded]:
    return started_preloaded(BIN / "babelbatch-train", *arguments, cwd=cwd)


def training(log: Path) -> bool:
    return log.exists() and "step 6 of" in log.read_text()


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_typed_again_extended_and_retried(tmp_path: Path) -> None:
    """Finished jobs are kept to the byte, and by name, in a longer sweep and alone; failed ones are retried."""
    done = run_forked("babelbatch-train", "-m", *TINY, "sampling=x_x,x_y", "name=mine", cwd=tmp_path)
    place = tmp_path / "multirun" / "mine"
    assert set(states(done.stdout).values()) == {"finished"}
    names = set(states(done.stdout))
    before = {name: stamps(place / name) for name in names}

    again = run_forked("babelbatch-train", "-m", *TINY, "sampling=x_x,x_y", "name=mine", cwd=tmp_path)
    assert states(again.stdout) == dict.fromkeys(names, "was finished already")
    assert again.stdout.count("│ x_") == 2  # the table shows them all the same
    too_large = "sampling.batch_size=5000,16"
    longer = run_forked(
        "babelbatch-train", "-m", *TINY, "sampling=x_y,x_x", too_large, "name=mine", cwd=tmp_path, code=2
    )
    assert sorted(states(longer.stdout).values()) == [
        "failed",
        "failed",
        "was finished already",
        "was finished already",
    ]
    failed = {name for name, state in states(longer.stdout).items() if state == "failed"}
    alone = run_forked("babelbatch-train", *TINY, "sampling=x_x", "name=mine", cwd=tmp_path)
    (name,) = (name for name in names if name.startswith("x_x_"))
    assert f"{place / name} was finished already; to run it again, remove it or set another output_dir" in alone.stdout
    assert {name: stamps(place / name) for name in names} == before

    retried = run_forked(
        "babelbatch-train", "-m", *TINY, "sampling=x_y,x_x", too_large, "name=mine", cwd=tmp_path, code=2
    )
    assert {name for name, state in states(retried.stdout).items() if state == "failed"} == failed
    for name in failed:
        assert (place / name / "mine.log").read_text().count("the job failed") == 2


def test_skipping_needs_no_torch(tmp_path: Path) -> None:
    arguments = ["-m", *TINY, "sampling=x_x", "output_dir=out"]
    run_forked("babelbatch-train", *arguments, cwd=tmp_path)
    script = (
        "import sys\nfrom babelbatch.cli import train\n"
        "try:\n    train()\n"
        "except SystemExit as stop:\n    print(stop.code, {'torch', 'pytorch_lightning'} & sys.modules.keys())\n"
    )
    assert python(script, *arguments, cwd=tmp_path).stdout.endswith("\n0 set()\n")


def test_an_evaluation_typed_again_is_skipped(tmp_path: Path) -> None:
    run_forked("babelbatch-train", *TINY, "output_dir=out", cwd=tmp_path)
    arguments = ["checkpoint=out", "benchmarks.world_facts.languages=[en,de]", "logger=none"]
    first = run_forked("babelbatch-evaluate", *arguments, cwd=tmp_path)
    second = run_forked("babelbatch-evaluate", *arguments, cwd=tmp_path)
    assert "was finished already" not in first.stdout
    assert "was finished already; to run it again, remove it or set another output_dir" in second.stdout
    table = re.compile(r"multilingual .*")
    assert table.findall(first.stdout) == table.findall(second.stdout) != []


def test_fresh_processes_change_nothing_but_the_process(tmp_path: Path) -> None:
    for place, launcher, started_by in (("here", "basic", run_forked), ("apart", "fresh", run)):
        started_by(
            "babelbatch-train", "-m", *TINY, "sampling=x_x,x_y", f"hydra/launcher={launcher}", f"output_dir={place}",
            cwd=tmp_path,
        )  # fmt: skip
    for alpha in (0, 1):
        here, apart = (job(tmp_path / place, sampling__alpha=alpha) for place in ("here", "apart"))
        assert weights(here) == weights(apart)
        assert here.name == apart.name
        assert {path.name for path in here.iterdir()} == {path.name for path in apart.iterdir()}
        log = (apart / "train.log").read_text()
        assert log.count("evaluating the weights of step 2") == 1


def test_a_killed_job_does_not_take_the_sweep_along(tmp_path: Path) -> None:
    arguments = ["-m", *LONG, "seed=0", "trainer.max_steps=100000,6", "hydra/launcher=fresh", "output_dir=out"]
    with forked(*arguments, cwd=tmp_path) as sweep:
        until(lambda: any(map(training, (tmp_path / "out").glob("*/train.log"))), sweep)
        (worker,) = descendants(sweep.pid)
        os.kill(worker, signal.SIGKILL)
        stdout, stderr = ended(sweep)
    assert sweep.returncode == 1, stderr
    killed, whole = (job(tmp_path / "out", trainer__max_steps=steps) for steps in (100000, 6))
    assert states(stdout) == {killed.name: "failed", whole.name: "finished"}
    assert f"{killed.name}: killed by SIGKILL (out of memory?)" in stdout
    assert not (killed / "metrics.json").exists()
    assert metrics(whole)["steps"] == 6


def test_orphans_end_with_their_supervisor_and_the_lock_with_them(tmp_path: Path) -> None:
    arguments = [*LONG, "hydra/launcher=fresh", "output_dir=out"]
    with started(*arguments, cwd=tmp_path) as parent:
        until(lambda: training(tmp_path / "out" / "train.log"), parent)
        (worker,) = descendants(parent.pid)
        busy = run_forked("babelbatch-train", *arguments, cwd=tmp_path, code=75)
        assert re.search(rf"babelbatch: {tmp_path}/out is in use by another run: pid \d+ on \S+ since ", busy.stderr)
        parent.send_signal(signal.SIGKILL)
    until(lambda: not alive(worker))
    log = tmp_path / "out" / "train.log"
    before = log.read_text().count("training hybrid")
    with forked(*arguments, cwd=tmp_path) as again:  # nobody holds the lock any more
        until(lambda: log.read_text().count("training hybrid") > before, again)
        again.send_signal(signal.SIGTERM)
        ended(again)
    assert again.returncode == 143


@pytest.mark.parametrize(
    ("signum", "launcher"), [(signal.SIGTERM, "basic"), (signal.SIGTERM, "fresh"), (signal.SIGINT, "fresh")]
)
def test_a_signal_stops_the_whole_sweep(signum: signal.Signals, launcher: str, tmp_path: Path) -> None:
    arguments = ["-m", *LONG, "seed=0,1", f"hydra/launcher={launcher}", "output_dir=out"]
    with forked(*arguments, cwd=tmp_path) as sweep:
        until(lambda: any(map(training, (tmp_path / "out").glob("*/train.log"))), sweep)
        workers = descendants(sweep.pid)
        sweep.send_signal(signum)
        stdout, stderr = ended(sweep)
    assert sweep.returncode == 128 + signum, stderr
    assert list(states(stdout).values()) == ["interrupted", "not started"]
    assert stderr.count(f"babelbatch: interrupted ({signum.name}); ") == 1
    assert "Traceback" not in stderr
    assert len(workers) == (launcher == "fresh")
    assert not any(map(alive, workers))


def test_two_commands_at_once_run_each_job_once(tmp_path: Path) -> None:
    long = ["trainer.max_steps=60", "trainer.val_check_interval=60"]
    arguments = ["-m", *SMALL, *long, "logger=none", "seed=0,1,2", "output_dir=out"]
    with forked(*arguments, cwd=tmp_path) as one, forked(*arguments, cwd=tmp_path) as two:
        outputs = [ended(process) for process in (one, two)]
    codes = {one.returncode, two.returncode}
    assert codes <= {0, 75}, outputs
    seen = [states(stdout) for stdout, _ in outputs]
    for seed in range(3):
        folder = job(tmp_path / "out", seed=seed)
        assert (folder / "train.log").read_text().count("training hybrid") == 1
        assert [state[folder.name] for state in seen].count("finished") == 1
        assert {state[folder.name] for state in seen} <= {"finished", "was finished already", "running elsewhere"}
    elsewhere = [any(state == "running elsewhere" for state in of.values()) for of in seen]
    assert [process.returncode for process in (one, two)] == [75 if there else 0 for there in elsewhere]


def test_two_ranks(tmp_path: Path) -> None:
    """Both start, agree about the world, and end; rank 0 alone writes the run."""
    ranks = [*TINY, "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
    done = run_forked("babelbatch-train", *ranks, "output_dir=out", cwd=tmp_path)
    out = tmp_path / "out"
    assert "GLOBAL_RANK: 0, MEMBER: 1/2" in (out / "train.log").read_text()
    assert "GLOBAL_RANK: 1, MEMBER: 2/2" in (out / "rank1.log").read_text()
    assert done.stdout.count("│ hybrid") == 1
    assert metrics(out)["steps"] == 2
    again = run_forked("babelbatch-train", *ranks, "output_dir=out", cwd=tmp_path)
    assert f"{out} was finished already" in again.stdout
    bad = run_forked("babelbatch-train", *ranks, "sampling.batch_size=5000", "output_dir=bad", cwd=tmp_path, code=2)
    assert "Traceback" not in bad.stderr
    assert bad.stderr.count(" needs 5000 items, there are ") == 1
