"""Folders that cannot be written are reported in one line, before anything is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from babelbatch.configuration.schema import ConfigError
from babelbatch.jobs.output import refuse_unwritable
from processes import finished, typed


def refused(folders: list[Path], *, multirun: bool) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        refuse_unwritable(folders, multirun=multirun)
    return caught.value.problems


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run, other = tmp_path / "file" / "run", tmp_path / "ok" / "run"
    message = "cannot be written (Not a directory); set output_dir to another folder"
    assert refused([run], multirun=False) == [f"output_dir: {run} {message}"]
    jobs = [tmp_path / "file" / "sweep" / "a", tmp_path / "file" / "sweep" / "b", other]
    assert refused(jobs, multirun=True) == [f"output_dir: {tmp_path / 'file' / 'sweep'} {message}"]
    refuse_unwritable([other], multirun=True)
    assert not other.exists()  # a job makes its own
    other.touch()
    assert refused([other], multirun=True)[0].startswith(f"output_dir: {other} cannot be written (File exists); ")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    assert refused([tmp_path / "run"], multirun=False) == [
        f"output_dir: {tmp_path / 'run'} cannot be written (No space left on device); set output_dir to another folder"
    ]


@pytest.mark.parametrize("arguments", [["output_dir=/dev/null/run"], ["-m", "seed=0,1", "output_dir=/dev/null/sweep"]])
def test_as_typed(arguments: list[str], tmp_path: Path) -> None:
    done = finished(*typed("train", *arguments), cwd=tmp_path, code=2)
    assert done.stderr.splitlines() == [
        "babelbatch: checking the configuration",
        "babelbatch: the configuration cannot be run:",
        f"  - output_dir: {arguments[-1].partition('=')[2]} cannot be written (Not a directory); set output_dir to "
        "another folder",
    ]
