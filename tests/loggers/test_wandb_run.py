"""W&B that is absent, unreachable, dying, silent, killed, frozen, or on a full disk: the training goes on.

The real client, a server on the loopback interface, and each run in a process of its own, forked from one that has
imported the libraries.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path

import pytest

from babelbatch.loggers import wandb_start
from commands import BIN, run_forked
from fake_wandb import Backend
from preloaded import Preloaded, run_preloaded, started_preloaded
from processes import PATIENCE, ended, python

SCRIPT = """
import json, logging, os, signal, sys, time
from types import SimpleNamespace
import numpy as np
from babelbatch.jobs.lightning_import import import_lightning
import_lightning()
from babelbatch.loggers import wandb_run, wandb_start

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
wandb_start.START_SECONDS, wandb_run._UPLOAD_SECONDS, wandb_run._END_SECONDS = map(int, sys.argv[1:])

def start(name, **settings):
    logger = wandb_run.wandb_logger(project="trial", save_dir=f"runs/{name}", name=name, group="g", **settings)
    logger.define_summaries(["b"])
    logger.log_hyperparams({"strategy": "hybrid", "alpha": 0.5, "seed": 3, "sampling": {"alpha": 0.5}})
    return logger

def steps(logger, first, last):
    for step in range(first, last):
        logger.log_metrics({"train/loss": 1 / (step + 1)}, step)

def result(logger, step):
    cells = {"map": np.array([[0.5, 0.25], [np.nan, 1.0]])}
    metrics = {"b/multilingual/map": 0.75, "b/multilingual/map/de": 0.5, "b/multilingual/map/en": 1.0}
    metrics |= {"b/crosslingual/map/de": 0.25, "b/crosslingual/map/de-en": 0.25}
    metrics |= {"b/multilingual/top10_share/de-de": 0.75, "b/multilingual/top10_share/de-en": 0.25}
    result = {"benchmark": "b", "metric": "map", "metrics": metrics, "languages": ("de", "en"), "matrices": cells}
    logger.log_result(SimpleNamespace(**result), step)

def done(logger, call):
    "Waits until the run has made a call."
    import threading
    made = threading.Event()
    logger._send(lambda run: (call(run), made.set()))
    assert made.wait(200)

def service(number):
    import wandb
    wandb.setup()._connection._proc._process.send_signal(number)
"""
COMMANDS = """
for line in sys.stdin:
    exec(line)
    print("ok", flush=True)
"""


class Job:
    """A process that logs.

    seconds: what W&B has to start, to upload what is left, and to end. Nobody waits for them where all is well; on a
    busy machine that may take long. Where it is not, they are short so that the tests are.
    """

    def __init__(
        self,
        folder: Path,
        seconds: tuple[int, int, int] = (200, 200, 300),
        limit: int | None = None,
        **environment: str,
    ) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        self._log = folder / "log"
        self._log.unlink(missing_ok=True)
        script = folder / "job.py"
        script.write_text(SCRIPT + COMMANDS)
        lines, self._stdin = Pipe(duplex=False)
        self._stdout, printed = Pipe(duplex=False)
        self._process = Preloaded(
            [str(script), *map(str, seconds)],
            folder,
            clean | {"HOME": str(folder)} | environment,
            [lines, printed, str(self._log)],
        )
        lines.close()
        printed.close()
        self._printed = open(self._stdout.fileno(), closefd=False)  # noqa: SIM115 - as long as the process
        if limit is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        self._watchdog = threading.Timer(PATIENCE, self._process.send_signal, [signal.SIGABRT])  # the log says where
        self._watchdog.daemon = True
        self._watchdog.start()

    def do(self, line: str) -> str:
        """Runs a line of code; returns what it printed."""
        os.write(self._stdin.fileno(), f"{line}\n".encode())
        printed = ""
        while (answer := self._printed.readline()) not in {"ok\n", ""}:
            printed += answer
        if not answer:
            self.end()
            raise AssertionError(f"{line!r} ended the process")
        return printed

    def end(self) -> str:
        """Waits for the end, which must be a success without a traceback; returns the log.

        (Exceptions in wandb's own threads do not count: some complain when their process is killed.)
        """
        self._stdin.close()
        self._process.communicate()
        self._printed.close()
        self._stdout.close()
        self._watchdog.cancel()
        log = self._log.read_text()
        assert self._process.returncode == 0, log
        ours = re.sub(
            r"^Exception in thread (NetStatThr|ChkStopThr|IntMsgThr).*", "", log, flags=re.DOTALL | re.MULTILINE
        )
        assert "Traceback" not in ours, log
        return log


def warnings(log: str) -> list[str]:
    return [line for line in log.splitlines() if line.startswith("WARNING")]


def inspected(folder: Path) -> dict:
    """A run on disk, read by W&B's own tool."""
    return json.loads(run_preloaded(BIN / "wandb", "leet", "inspect", "--summary", "--json", folder, cwd=folder).stdout)


def offline_run(folder: Path) -> Path:
    (run,) = (folder / "wandb").glob("offline-run-*")
    return run


NUMBERS = "the run goes on, and its numbers are in csv/metrics.csv and metrics.json"


def test_without_an_account_it_is_offline(tmp_path: Path) -> None:
    job = Job(tmp_path)
    for name in "ab":
        job.do(f"logger = start('{name}'); steps(logger, 0, 20); result(logger, 20); wandb_run.finish_wandb([logger])")
    assert warnings(job.end()) == []
    for name in "ab":
        run = inspected(offline_run(tmp_path / "runs" / name))
        assert run["run_id"] == (tmp_path / "runs" / name / "wandb_id").read_text().strip()
        assert run["summary"]["b/multilingual/map"] == 0.75
        assert run["summary"]["train/loss"] == {"min": 0.05, "last": 0.05}
    assert (tmp_path / "runs/a/wandb_id").read_text() != (tmp_path / "runs/b/wandb_id").read_text()


def test_online_without_a_key_does_not_ask(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.do("logger = start('a', mode='online'); steps(logger, 0, 3); wandb_run.finish_wandb([logger])")
    assert warnings(job.end()) == [
        "WARNING not logged in to W&B: this run is logged offline; `wandb login`, "
        "then `wandb sync --include-online runs/a/wandb/*run-*` uploads it"
    ]
    assert offline_run(tmp_path / "runs/a")


def test_the_environment_variable_switches_it_off(tmp_path: Path) -> None:
    job = Job(tmp_path, WANDB_MODE="disabled")
    job.do("logger = start('a'); steps(logger, 0, 3); result(logger, 3); wandb_run.finish_wandb([logger])")
    assert warnings(job.end()) == []
    assert not list(tmp_path.rglob("*run-*"))


def test_only_rank_0_has_a_run(tmp_path: Path) -> None:
    """The rank is known from the environment, before there is a trainer."""
    script = f"""{SCRIPT}
logger = start('a'); steps(logger, 0, 3); result(logger, 3); wandb_run.finish_wandb([logger])
print('wandb' in sys.modules, any('wandb' in line for line in os.environ))
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    done = python(script, "200", "200", "300", cwd=tmp_path, env=clean | {"LOCAL_RANK": "1"})
    assert done.stdout == "False False\n"
    assert warnings(done.stderr) == []
    assert not list(tmp_path.glob("runs"))


def test_an_online_run_arrives(tmp_path: Path) -> None:
    with Backend() as backend:
        job = Job(tmp_path, **backend.environment())
        job.do("logger = start('a', job_type='train', tags=['t']); steps(logger, 0, 20); result(logger, 20)")
        job.do("logger.log_metrics({'train/loss': 0.5, 'train/alpha': 0.5}, 20)")
        job.do("wandb_run.finish_wandb([logger])")
        log = job.end()
        ((name, run),) = backend.runs.items()
    assert name == (tmp_path / "runs/a/wandb_id").read_text().strip()
    assert f"INFO W&B: {backend.url}/us/trial/runs/{name}" in log.splitlines()
    assert warnings(log) == []
    assert (run.group, run.job_type, run.exit_code) == ("g", "train", 0)
    assert run.config["strategy"] == {"value": "hybrid"}
    assert run.config["sampling"] == {"value": {"alpha": 0.5}}
    assert [row["trainer/global_step"] for row in run.history] == [*range(21), 20, 20]
    assert [row["train/loss"] for row in run.history[:20]] == [1 / (step + 1) for step in range(20)]
    assert run.history[20]["b/multilingual/map"] == 0.75
    assert (run.history[21]["train/loss"], run.history[21]["train/alpha"]) == (0.5, 0.5)
    assert run.history[22]["b/cells"]["_type"] == "table-file"
    assert (run.summary["train/loss"], run.summary["train/alpha"]) == ({"min": 1 / 20, "last": 0.5}, 0.5)
    assert run.definitions() == {
        "trainer/global_step": (None, set()),
        "train/loss": ("trainer/global_step", {"min", "last"}),
        "train/alpha": ("trainer/global_step", set()),
        "b/*": ("trainer/global_step", set()),
    }


def table(backend: Backend, key: str) -> tuple[list[str], list[list]]:
    """The columns and rows of the table that was uploaded last under this key."""
    uploaded = json.loads(backend.files[f"{key}.table.json"])
    return uploaded["columns"], uploaded["data"]


def test_tables_and_heat_maps_have_the_same_keys_in_every_run(tmp_path: Path) -> None:
    """What the dashboard joins: key columns that say which cell, which language and which run a row is of."""
    with Backend() as backend:
        for name in "ab":
            job = Job(tmp_path, **backend.environment())
            job.do(f"logger = start('{name}'); result(logger, 20); wandb_run.finish_wandb([logger])")
            assert warnings(job.end()) == []
            of_run = ["run", "strategy", "alpha", "seed"]
            key = ["cell", "question language", "candidate language", "setting"]
            assert table(backend, "b/cells") == (
                [*key, *of_run, "map", "top10_share"],
                [
                    ["de-de", "de", "de", "monolingual", name, "hybrid", 0.5, 3, 0.5, 0.75],
                    ["de-en", "de", "en", "crosslingual", name, "hybrid", 0.5, 3, 0.25, 0.25],
                    ["en-de", "en", "de", "crosslingual", name, "hybrid", 0.5, 3, None, None],
                    ["en-en", "en", "en", "monolingual", name, "hybrid", 0.5, 3, 1.0, None],
                ],
            )
            assert table(backend, "b/languages") == (
                ["language", *of_run, "multilingual/map", "crosslingual/map"],
                [["de", name, "hybrid", 0.5, 3, 0.5, 0.25], ["en", name, "hybrid", 0.5, 3, 1.0, None]],
            )
    assert len(backend.runs) == 2
    for run in backend.runs.values():
        shown = {
            key: value["_type"] for key, value in run.summary.items() if isinstance(value, dict) and key[:2] == "b/"
        }
        assert shown == {
            "b/cells": "table-file",
            "b/languages": "table-file",
            "b/map_by_language": "image-file",
            "b/top10_share_by_language": "image-file",
        }
    pictures = {file for file in backend.files if file.endswith(".png")}
    assert {file.rpartition("/")[2].partition("_by_language_")[0] for file in pictures} == {"map", "top10_share"}
    assert all(backend.files[file].startswith(b"\x89PNG") for file in pictures)


def test_the_runs_of_a_team(tmp_path: Path) -> None:
    with Backend() as backend:
        job = Job(tmp_path, **backend.environment())
        job.do("logger = start('a', entity='team'); wandb_run.finish_wandb([logger])")
        job.end()
        (run,) = backend.runs.values()
    assert run.entity == "team"


def test_a_failed_run_is_marked(tmp_path: Path) -> None:
    with Backend() as backend:
        job = Job(tmp_path, **backend.environment())
        job.do("logger = start('a')")
        job.do(
            "exec('try:\\n  try: 1 / 0\\n  finally: wandb_run.finish_wandb([logger])\\nexcept ArithmeticError: pass')"
        )
        job.end()
        (run,) = backend.runs.values()
    assert run.exit_code == 1


def test_a_resumed_run_continues_its_curves(tmp_path: Path) -> None:
    with Backend() as backend:
        first = Job(tmp_path, **backend.environment())
        first.do("logger = start('a'); logger.log_metrics({'train/loss/x_x': 0.01}, 0); steps(logger, 1, 10)")
        first.do("wandb_run.finish_wandb([logger])")
        first.end()
        second = Job(tmp_path, **backend.environment())
        second.do("logger = start('a'); steps(logger, 8, 20); logger.log_metrics({'train/loss/x_x': 0.5}, 20)")
        second.do("wandb_run.finish_wandb([logger])")
        second.end()
        ((name, run),) = backend.runs.items()
    assert name == (tmp_path / "runs/a/wandb_id").read_text().strip()
    assert [row["_step"] for row in run.history] == list(range(23))
    assert [row["trainer/global_step"] for row in run.history] == [*range(10), *range(8, 21)]
    assert run.summary["train/loss"] == {"min": 1 / 20, "last": 1 / 20}
    assert run.summary["train/loss/x_x"] == {"min": 0.01, "last": 0.5}  # wandb alone would say 0.5


def test_offline_fragments_are_joined_by_wandb_sync(tmp_path: Path) -> None:
    for first, last in ((0, 10), (8, 20)):
        job = Job(tmp_path)
        job.do(f"logger = start('a'); steps(logger, {first}, {last}); wandb_run.finish_wandb([logger])")
        job.end()
    fragments = sorted((tmp_path / "runs/a/wandb").glob("offline-run-*"))
    assert len(fragments) == 2
    with Backend() as backend:
        run_preloaded(BIN / "wandb", "sync", *fragments, cwd=tmp_path, env=os.environ | backend.environment())
        ((name, run),) = backend.runs.items()
    assert name == (tmp_path / "runs/a/wandb_id").read_text().strip()
    assert [row["trainer/global_step"] for row in run.history] == [*range(10), *range(8, 20)]


@pytest.mark.parametrize("kind", ["dead port", "black hole"])
def test_an_unreachable_server_is_tried_once_and_the_run_is_kept(tmp_path: Path, kind: str) -> None:
    """`black hole`: connections are accepted by the kernel, and nobody ever reads them."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        port = 9 if kind == "dead port" else hole.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        job = Job(tmp_path, (6, 6, 300), WANDB_API_KEY="0" * 40, WANDB_BASE_URL=url)
        job.do("logger = start('a'); steps(logger, 0, 20); result(logger, 20); wandb_run.finish_wandb([logger])")
        job.do("logger = start('b'); steps(logger, 0, 20); wandb_run.finish_wandb([logger])")
        log = job.end()
        other = Job(tmp_path, (6, 6, 300), WANDB_API_KEY="0" * 40, WANDB_BASE_URL=url)
        other.do("logger = start('c'); wandb_run.finish_wandb([logger])")
        log += other.end()
    (warning,) = warnings(log)
    assert warning.startswith("WARNING W&B cannot be reached (Failed to get resume status for run")
    notice = "this run is logged offline; later `wandb sync --include-online runs/{}/wandb/*run-*` uploads it"
    assert notice.format("a") in log
    for name in "bc":
        assert re.search(rf"INFO W&B did not answer \d+ s ago: {re.escape(notice.format(name))}", log)
    with Backend() as backend:  # the server is back
        fragments = [offline_run(tmp_path / "runs" / name) for name in "ab"]
        run_preloaded(BIN / "wandb", "sync", *fragments, cwd=tmp_path, env=os.environ | backend.environment())
        for name in "ab":
            run = backend.runs[(tmp_path / "runs" / name / "wandb_id").read_text().strip()]
            assert [row["trainer/global_step"] for row in run.history][:20] == list(range(20))


Break = Callable[[Backend, Job], None]


def _refuse(backend: Backend, job: Job) -> None:
    backend.die()


def _hang(backend: Backend, job: Job) -> None:
    backend.fall_silent()


def _kill_the_client(backend: Backend, job: Job) -> None:
    job.do("service(signal.SIGKILL)")


def _freeze_the_client(backend: Backend, job: Job) -> None:
    job.do("service(signal.SIGSTOP)")


@pytest.mark.parametrize(
    ("break_it", "warning"),
    [
        (_refuse, r"W&B fails \(TimeoutError: Timed out finishing run\.\)"),
        (_hang, r"W&B fails \(TimeoutError: Timed out finishing run\.\)"),
        (_kill_the_client, r"W&B fails \((ConnectionResetError|BrokenPipeError): .*\)"),
        pytest.param(_freeze_the_client, "W&B hangs for 10 seconds", marks=pytest.mark.slow),
    ],
    ids=["refused", "silent", "killed", "frozen"],
)
def test_what_breaks_midway_costs_one_warning(tmp_path: Path, break_it: Break, warning: str) -> None:
    """No call raises, all return, the run ends, and the next run of the process is as if nothing had happened."""
    with Backend() as backend:
        job = Job(tmp_path, (200, 3, 10 if break_it is _freeze_the_client else 300), **backend.environment())
        job.do("logger = start('a'); steps(logger, 0, 50); done(logger, lambda run: None)")
        backend.wait_for_run()
        break_it(backend, job)
        seconds = job.do("at = time.monotonic(); steps(logger, 50, 5000); print(time.monotonic() - at)")
        job.do("wandb_run.finish_wandb([logger]); wandb_run._UPLOAD_SECONDS, wandb_run._END_SECONDS = 200, 300")
        job.do("next = start('b', mode='offline'); steps(next, 0, 5); wandb_run.finish_wandb([next])")
        log = job.end()
    assert float(seconds) < 30  # wandb's own call takes for ever when its process is frozen
    remedy = "`wandb sync --include-online runs/a/wandb/*run-*` uploads what W&B saved on disk"
    (line,) = warnings(log)
    assert re.fullmatch(f"WARNING {warning}{re.escape(f': {NUMBERS}; {remedy}')}", line)
    assert inspected(offline_run(tmp_path / "runs/b"))["summary"]["trainer/global_step"] == 4
    (kept,) = (tmp_path / "runs/a/wandb").glob("run-*")
    with Backend() as backend:
        arguments = ("sync", "--include-online", kept)
        environment = os.environ | backend.environment()
        with started_preloaded(BIN / "wandb", *arguments, cwd=tmp_path, env=environment) as syncing:
            ended(syncing)
        rows = [row["trainer/global_step"] for run in backend.runs.values() for row in run.history]
    if break_it in {_refuse, _hang}:
        assert rows == list(range(5000))


def test_whatever_a_call_raises(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.do("logger = start('a'); logger.log_metrics({'bad': object()}, 0); logger._send(lambda run: sys.exit(3))")
    job.do("logger.log_metrics({1: 2.0}, 0); steps(logger, 1, 5); wandb_run.finish_wandb([logger])")
    (warning,) = warnings(job.end())
    assert NUMBERS in warning
    assert inspected(offline_run(tmp_path / "runs/a"))["summary"]["trainer/global_step"] == 4


@pytest.mark.parametrize("what", ["a file in place of the folder", "a full disk"])
def test_a_bad_disk_costs_one_warning(tmp_path: Path, what: str) -> None:
    (tmp_path / "runs" / "a").mkdir(parents=True)
    if what == "a file in place of the folder":
        (tmp_path / "runs/a/wandb").write_text("in the way")
    job = Job(tmp_path, (6, 6, 300), limit=1 << 12 if what == "a full disk" else None)
    job.do("logger = start('a'); steps(logger, 0, 20); wandb_run.finish_wandb([logger])")
    (warning,) = warnings(job.end())
    assert warning.startswith("WARNING W&B cannot be used (")
    assert NUMBERS in warning


def test_a_disk_that_fills_up_costs_one_warning(tmp_path: Path) -> None:
    """wandb itself cuts its file short and says nothing."""
    limit = 1 << 17
    job = Job(tmp_path, limit=limit)
    job.do("logger = start('a'); done(logger, lambda run: None); steps(logger, 0, 3000)")
    job.do(f"wandb_start._NEEDED_BYTES = {limit + 1}")  # for the disk has room, only this process has not
    job.do("wandb_run.finish_wandb([logger])")
    (warning,) = warnings(job.end())
    assert warning.startswith("WARNING W&B fails (OSError: [Errno 27] File too large)")
    (file,) = offline_run(tmp_path / "runs/a").glob("*.wandb")
    assert file.stat().st_size == limit


@pytest.mark.slow
def test_training_does_not_notice_a_server_that_dies(tmp_path: Path) -> None:
    """The real command: exit code 0, complete results, and the weights of a run without W&B."""
    small = (
        "corpus.languages=[en,de]", "benchmarks.world_facts.languages=[en,de]", "encoder=tiny",
        "encoder.hidden_size=32", "encoder.vocab_size=1000", "sampling.batch_size=8", "trainer.max_steps=40",
        "trainer.val_check_interval=20", "trainer.log_every_n_steps=1", "data.validation_steps=2", "threads=1",
    )  # fmt: skip
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    run_forked("babelbatch-train", *small, "logger=none", "output_dir=without", cwd=tmp_path)
    with Backend() as backend:
        environment = clean | backend.environment()
        command = (BIN / "babelbatch-train", *small, "logger=wandb", "output_dir=with")
        with started_preloaded(*command, cwd=tmp_path, env=environment, merged=True) as process:
            backend.wait_for_run()
            backend.die()
            log, _ = ended(process)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert log.count("W&B fails") == 1
    name = "encoder/model.safetensors"
    assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    found, expected = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("with", "without"))
    scores = {key for key in expected if key.startswith("world_facts/")}
    assert len(scores) > 10
    assert {key: found[key] for key in scores} == {key: expected[key] for key in scores}
    rows = (tmp_path / "with/csv/metrics.csv").read_text().splitlines()
    place = rows[0].split(",").index("train/loss")
    assert sum(bool(row.split(",")[place]) for row in rows[1:]) == 40


def test_wandb_writes_below_the_run_where_the_home_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").touch()  # nothing can be created below a file
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "WANDB_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("WANDB_DATA_DIR", "theirs")
    wandb_start.write_below_run_if_home_is_read_only(tmp_path / "a")
    assert os.environ["WANDB_DATA_DIR"] == "theirs"
    assert os.environ["WANDB_CACHE_DIR"] == str(tmp_path / "a" / "wandb" / "cache")
    monkeypatch.delenv("WANDB_DATA_DIR")
    for run in ("a", "b"):
        wandb_start.write_below_run_if_home_is_read_only(tmp_path / run)
        for kind in ("data", "cache"):
            assert os.environ[f"WANDB_{kind.upper()}_DIR"] == str(tmp_path / run / "wandb" / kind)
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    wandb_start.write_below_run_if_home_is_read_only(tmp_path / "c")
    assert not {"WANDB_DATA_DIR", "WANDB_CACHE_DIR"} & os.environ.keys()
