"""Whose mistake an error is: the user's, who gets one line, or that of a program, which gets a traceback."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from babelbatch.corpora.world_facts import load_corpus
from babelbatch.jobs.failures import is_user_error, run_reporting_failures
from babelbatch.jobs.outcome import Outcome
from babelbatch.storage import WaitedTooLong


def raised_by(call) -> BaseException:
    with pytest.raises((ValueError, KeyError)) as caught:
        call()
    return caught.value


def test_a_value_error_of_ours_is_the_users() -> None:
    assert is_user_error(raised_by(lambda: load_corpus(negatives=-1)))


def test_one_of_a_library_is_not() -> None:
    assert not is_user_error(raised_by(lambda: json.loads("{")))


def test_one_of_a_module_of_the_users_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "corpus_of_mine.py").write_text(
        "def load(last):\n"
        "    if last < 2:\n"
        "        raise ValueError(f'corpus.last: {last}; set 2 or more')\n"
        "    raise KeyError('a bug')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    load = importlib.import_module("corpus_of_mine").load
    assert is_user_error(raised_by(lambda: load(1)))
    assert not is_user_error(raised_by(lambda: load(3)))


def test_a_wait_that_ends_is_a_failure_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, as that of a rank that is stopped: the command is right, and may be typed again."""

    def work() -> Outcome:
        raise WaitedTooLong("worker 0 (pid 7) prepared no batch for 10 minutes")

    outcome = run_reporting_failures(work, tmp_path, lambda: "")
    assert (outcome.state, outcome.code) == ("failed", 1)
    assert capsys.readouterr().err.splitlines()[0] == f"babelbatch: {outcome.reason}"
    assert outcome.reason == "worker 0 (pid 7) prepared no batch for 10 minutes"
