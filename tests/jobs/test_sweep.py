"""The jobs of a command: exit codes, and what folders tell of jobs that ran elsewhere."""

import pickle
from pathlib import Path

import pytest

from babelbatch.jobs.outcome import (
    FINISHED,
    FINISHED_EARLIER,
    NOT_STARTED,
    RESUMED,
    Outcome,
    command_exit_code,
    outcome_from_folder,
)
from babelbatch.jobs.sweep import JobRunner
from babelbatch.report.terminal import print_states
from babelbatch.runs.lock import locked
from processes import python

MISTAKE, BUG, BUSY = Outcome("failed", 2, "a"), Outcome("failed", 1, "b"), Outcome("running elsewhere", 75, "c")
CTRL_C, TERMINATED = Outcome("interrupted", 130, stopped=2), Outcome("interrupted", 143)


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ([FINISHED, FINISHED_EARLIER, RESUMED], 0),
        ([FINISHED, BUSY], 75),
        ([FINISHED, BUSY, BUG], 1),
        ([BUG, MISTAKE, FINISHED], 2),
        ([MISTAKE, CTRL_C, NOT_STARTED], 130),
        ([TERMINATED, NOT_STARTED], 143),
        ([], 0),
    ],
)
def test_exit_code(ends: list[Outcome], code: int) -> None:
    assert command_exit_code(ends) == code


@pytest.mark.parametrize(
    ("ends", "kept"),
    [
        ([FINISHED, FINISHED_EARLIER], FINISHED),
        ([BUG, FINISHED], FINISHED),
        ([BUG, MISTAKE], MISTAKE),
        ([FINISHED, BUG], FINISHED),
        ([BUSY, FINISHED_EARLIER, BUG], FINISHED_EARLIER),
    ],
)
def test_the_outcome_of_a_job_that_comes_again(ends: list[Outcome], kept: Outcome) -> None:
    """A search may try the settings of a failed trial again, and learn from the scores that it then has."""
    runner = JobRunner("train")
    for end in ends:
        runner.register(Path("run"), end)
    assert runner.outcomes == {Path("run"): kept}


def test_what_a_folder_tells(tmp_path: Path) -> None:
    assert outcome_from_folder(tmp_path / "gone", "h") == NOT_STARTED
    folder = tmp_path / "run"
    folder.mkdir()
    assert outcome_from_folder(folder, "h") == NOT_STARTED
    (folder / "traceback.txt").write_text("too small\n\nTraceback ...")
    assert outcome_from_folder(folder, "h") == Outcome("failed", 1, "too small")
    with locked(folder):
        assert outcome_from_folder(folder, "h").state == "running elsewhere"
    (folder / "metrics.json").write_text('{"config_hash": "h"}')
    assert outcome_from_folder(folder, "h") == FINISHED
    assert outcome_from_folder(folder, "other") == Outcome("failed", 1, "too small")


def test_jobs_that_are_called_in_another_process_bring_their_resolvers(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_bytes(pickle.dumps(JobRunner("train")))
    script = (
        "import pickle, sys\nfrom omegaconf import OmegaConf\n"
        "jobs = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(jobs.root, jobs.outcomes, OmegaConf.has_resolver('job_folder'), 'torch' in sys.modules)"
    )
    assert python(script, tmp_path / "jobs").stdout == "train {} True False\n"


def test_states_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_states(tmp_path, [("finished", "x_x_1", ""), ("failed", "x_y_2", "too small")])
    assert capsys.readouterr().out == f"\n2 jobs in {tmp_path}:\n  finished  x_x_1\n  failed    x_y_2: too small\n"
