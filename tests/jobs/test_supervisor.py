"""Processes under a supervisor: small ones, so that what is tested is how they are started, told and ended."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from babelbatch.jobs.supervisor import WorkerExit, supervise
from babelbatch.jobs.workers import _suspended_outcome
from processes import alive, started, until

WORKER = """
import json, os, signal, sys, time
rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
folder = json.loads(sys.stdin.readline())["folder"]
def until(*names):
    while not all(os.path.exists(f"{folder}/{name}") for name in names): time.sleep(0.05)
def stop(signum, frame):
    print("told", signum, flush=True)
    raise SystemExit(128 + signum)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
about = {"pid": os.getpid(), "group": os.getpgrp(), **os.environ}
open(f"{folder}/now{rank}", "w").write(json.dumps(about))
os.rename(f"{folder}/now{rank}", f"{folder}/ready{rank}")
"""
FOREVER = WORKER + "\nwhile True: time.sleep(0.05)"


def run(script: str, processes: int, folder: Path, grace: float = 30.0) -> WorkerExit:
    return supervise([sys.executable, "-c", script], processes, folder, {"folder": str(folder)}, grace=grace)


def reported(folder: Path, rank: int) -> dict:
    return json.loads((folder / f"ready{rank}").read_text())


def ready(folder: Path) -> bool:
    """Whether ranks 0 and 1 are."""
    return all((folder / f"ready{rank}").exists() for rank in (0, 1))


def test_ranks_know_their_place_and_log_apart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(WORKER + "\nprint('this is rank', rank)", 3, tmp_path) == WorkerExit(0, 0, 0)
    environments = [reported(tmp_path, rank) for rank in range(3)]
    for rank, environment in enumerate(environments):
        assert environment["RANK"] == environment["LOCAL_RANK"] == str(rank)
        assert environment["WORLD_SIZE"] == environment["LOCAL_WORLD_SIZE"] == "3"
        assert (environment["MASTER_ADDR"], environment["NODE_RANK"]) == ("127.0.0.1", "0")
        assert environment["group"] == environment["pid"]  # out of reach of a terminal's Ctrl-C
    assert len({environment["MASTER_PORT"] for environment in environments}) == 1
    assert capfd.readouterr().out == "this is rank 0\n"
    assert [(tmp_path / f"rank{rank}.log").read_text() for rank in (1, 2)] == ["this is rank 1\n", "this is rank 2\n"]


def test_one_process_is_no_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert run(WORKER + "\nsys.exit(3)", 1, tmp_path) == WorkerExit(3, 0, 0)
    assert not {"RANK", "WORLD_SIZE", "MASTER_PORT"} & reported(tmp_path, 0).keys()


def test_what_slurm_said_is_not_passed_on_to_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "1")
    assert run(WORKER, 2, tmp_path).code == 0
    assert "SLURM_NTASKS" not in reported(tmp_path, 0)


@pytest.mark.parametrize(("end", "code"), [("sys.exit(5)", 5), ("os.kill(os.getpid(), signal.SIGKILL)", 137)])
def test_the_others_end_when_one_fails(end: str, code: int, tmp_path: Path) -> None:
    script = f"{WORKER}\nif rank == 1:\n    until('ready0', 'ready2')\n    {end}\nwhile True: time.sleep(0.05)"
    assert run(script, 3, tmp_path, grace=1.0) == WorkerExit(code, 1, 0)
    assert (tmp_path / "rank2.log").read_text() == "told 15\n"


def test_who_does_not_heed_the_first_signal_is_killed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    deaf = WORKER + (
        "\nif rank == 1:\n    until('deaf')\n    sys.exit(5)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(f'{folder}/deaf', 'w').close()\nwhile True: time.sleep(0.05)"
    )
    assert run(deaf, 2, tmp_path, grace=0.2) == WorkerExit(5, 1, 0)
    assert not alive(reported(tmp_path, 0)["pid"])
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_every_rank_once(signum: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def send() -> None:
        until(lambda: ready(tmp_path))
        os.kill(os.getpid(), signum)

    thread = threading.Thread(target=send)
    before = signal.getsignal(signum)
    thread.start()
    outcome = run(FOREVER, 2, tmp_path)
    thread.join()
    assert (outcome.code, outcome.signum) == (128 + signum, signum)
    assert capfd.readouterr().out == f"told {int(signum)}\n"
    assert (tmp_path / "rank1.log").read_text() == f"told {int(signum)}\n"
    assert signal.getsignal(signum) is before


def test_ranks_that_are_stopped_may_take_their_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Rank 0 is still writing its checkpoint when rank 1 has long gone: it has four times the grace."""
    slow = FOREVER.replace("raise SystemExit", 'time.sleep(1.5 if rank == 0 else 0); print("saved"); raise SystemExit')

    def send() -> None:
        until(lambda: ready(tmp_path))
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=send)
    thread.start()
    assert run(slow, 2, tmp_path, grace=1.0).code == 143
    thread.join()
    assert capfd.readouterr().out == "told 15\nsaved\n"


def test_orphans_of_a_killed_supervisor_end(tmp_path: Path) -> None:
    """The real worker's watch on its standard input, in a process with a child of its own."""
    orphan = (
        "import subprocess, sys, threading, time\n"
        "from babelbatch.jobs.worker import _end_with_supervisor, _first_line\n"
        "import json, os\n"
        "folder = json.loads(_first_line())['folder']\n"
        "threading.Thread(target=_end_with_supervisor, daemon=True).start()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "rank = os.environ['RANK']\n"
        "open(f'{folder}/now{rank}', 'w').write(json.dumps([os.getpid(), child.pid]))\n"
        "os.rename(f'{folder}/now{rank}', f'{folder}/ready{rank}')\n"
        "time.sleep(600)\n"
    )
    supervisor = (
        "import sys\nfrom pathlib import Path\nfrom babelbatch.jobs.supervisor import supervise\n"
        "supervise([sys.executable, '-c', sys.argv[1]], 2, Path(sys.argv[2]), {'folder': sys.argv[2]})\n"
    )
    with started(sys.executable, "-c", supervisor, orphan, tmp_path) as process:
        until(lambda: ready(tmp_path), process)
        process.send_signal(signal.SIGKILL)
    orphans = [pid for rank in (0, 1) for pid in json.loads((tmp_path / f"ready{rank}").read_text())]
    until(lambda: not any(map(alive, orphans)))


def test_a_rank_that_is_stopped_for_too_long_ends_all(tmp_path: Path) -> None:
    """The others would wait for it without end. Where all are stopped, somebody lets them go on later."""
    seen: list[bool] = []

    def stop() -> None:
        until(lambda: ready(tmp_path))
        pids = [reported(tmp_path, rank)["pid"] for rank in (0, 1)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3.5)
        seen.append(all(map(alive, pids)))
        os.kill(pids[0], signal.SIGCONT)

    thread = threading.Thread(target=stop)
    thread.start()
    ended = supervise([sys.executable, "-c", FOREVER], 2, tmp_path, {"folder": str(tmp_path)}, suspended=2)
    thread.join()
    assert seen == [True]
    assert ended == WorkerExit(137, 1, 0, suspended=True)
    assert not any(alive(reported(tmp_path, rank)["pid"]) for rank in (0, 1))


def test_a_job_with_a_stopped_rank_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = _suspended_outcome(1, 10.0, tmp_path)
    reason = (
        "rank 1 was stopped (SIGSTOP) for 10 minutes (trainer.stuck_minutes) while others were not, so all were ended; "
        "run the same command again to resume"
    )
    assert (outcome.state, outcome.code, outcome.reason) == ("failed", 1, reason)
    assert capsys.readouterr().err == f"babelbatch: {tmp_path}: {reason}\n"
