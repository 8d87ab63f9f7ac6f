"""How one job ends: what is told, what is kept, what is let go. The work itself is replaced by small functions."""

import gc
import json
import logging
import re
import signal
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs import job
from babelbatch.jobs.job import run_in_process, save_config
from babelbatch.jobs.outcome import FINISHED, FINISHED_EARLIER, RESUMED, Outcome
from babelbatch.runs.lock import locked
from babelbatch.runs.stopping import Stopped


@pytest.fixture(scope="module")
def cfg() -> DictConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("train", ["logger=none"])
    OmegaConf.set_struct(composed, False)
    return composed


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """Sets what stands in for training."""

    def instead(function: Callable[[DictConfig, Path], None]) -> None:
        monkeypatch.setattr(job, "_entry", lambda root: function)

    return instead


def finish(cfg: DictConfig, folder: Path) -> None:
    (folder / "metrics.json").write_text(json.dumps({"config_hash": config_hash(cfg)}))


def never(cfg: DictConfig, folder: Path) -> None:
    raise AssertionError("must not run")


def test_a_finished_job_is_not_run_again(cfg: DictConfig, work: Callable, tmp_path: Path) -> None:
    seen = []
    work(lambda cfg, folder: (seen.append((cfg.output_dir, "hydra" in cfg)), finish(cfg, folder)))
    assert run_in_process("train", cfg, tmp_path / "run") == FINISHED
    assert seen == [(str(tmp_path / "run"), False)]
    work(never)
    assert run_in_process("train", cfg, tmp_path / "run") == FINISHED_EARLIER
    relocated = OmegaConf.merge(cfg, {"name": "other", "data": {"num_workers": 3}})
    assert run_in_process("train", relocated, tmp_path / "run") == FINISHED_EARLIER


@pytest.mark.parametrize("marker", ["{}", '{"config_hash": "another"}', '{"config_ha'])
def test_results_of_something_else_are_no_finish(marker: str, cfg: DictConfig, work: Callable, tmp_path: Path) -> None:
    save_config(cfg, tmp_path)
    (tmp_path / "metrics.json").write_text(marker)

    def unmarked(cfg: DictConfig, folder: Path) -> None:
        assert not (folder / "metrics.json").exists()  # a kill from here on must not leave the old one
        finish(cfg, folder)

    work(unmarked)
    assert run_in_process("train", cfg, tmp_path) == FINISHED


def test_a_cut_run_goes_on(cfg: DictConfig, work: Callable, tmp_path: Path) -> None:
    def cut(cfg: DictConfig, folder: Path) -> None:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "step-00000001.ckpt").touch()
        raise Stopped(signal.SIGTERM)

    work(cut)
    assert run_in_process("train", cfg, tmp_path) == Outcome("interrupted", 143, stopped=signal.SIGTERM)
    work(finish)
    assert run_in_process("train", cfg, tmp_path) == RESUMED


def test_the_best_weights_are_no_checkpoint_to_go_on_from(cfg: DictConfig, work: Callable, tmp_path: Path) -> None:
    save_config(cfg, tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    work(finish)
    assert run_in_process("train", cfg, tmp_path) == FINISHED


def test_another_run_s_folder_is_refused_with_the_differences(
    cfg: DictConfig, work: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work(finish)
    run_in_process("train", cfg, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    work(never)
    other = OmegaConf.merge(cfg, {"seed": 3, "sampling": {"alpha": 0.25}})
    end = run_in_process("train", other, tmp_path)
    taken = f"output_dir: {tmp_path} has another run in it; choose another folder, or remove that one"
    assert end == Outcome("failed", 2, taken)
    assert capsys.readouterr().err == (
        "babelbatch: the configuration cannot be run:\n"
        f"  - {taken}\n"
        "  - sampling.alpha: 0.5 there, 0.25 here\n"
        "  - seed: 0 there, 3 here\n"
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "config.yaml").unlink()
    assert run_in_process("train", cfg, tmp_path).state == "was finished already"
    assert run_in_process("train", other, tmp_path).code == 2
    assert "its config.yaml cannot be read: " in capsys.readouterr().err


def test_a_run_that_left_nothing_does_not_hold_its_folder(cfg: DictConfig, work: Callable, tmp_path: Path) -> None:
    save_config(cfg, tmp_path)
    work(finish)
    assert run_in_process("train", OmegaConf.merge(cfg, {"seed": 3}), tmp_path) == FINISHED
    assert OmegaConf.load(tmp_path / "config.yaml").seed == 3


def test_a_job_that_runs_elsewhere(
    cfg: DictConfig, work: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work(never)
    with locked(tmp_path):
        end = run_in_process("train", cfg, tmp_path)
    assert (end.state, end.code) == ("running elsewhere", 75)
    assert re.fullmatch(
        rf"babelbatch: {re.escape(str(tmp_path))} is in use by another run: pid \d+ on .*\n", capsys.readouterr().err
    )


class Model:
    """Stands for something large."""


def test_a_failed_job_keeps_its_reason_and_lets_its_memory_go(
    cfg: DictConfig, work: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models: list[weakref.ref] = []
    handler = logging.FileHandler(tmp_path / "train.log", delay=True)
    logging.getLogger().addHandler(handler)

    def fail(cfg: DictConfig, folder: Path) -> None:
        model = Model()
        models.append(weakref.ref(model))
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("out of memory\nwith details") from error

    work(fail)
    gc.disable()
    try:
        end = run_in_process("train", cfg, tmp_path)
        assert models[0]() is None
    finally:
        gc.enable()
        logging.getLogger().removeHandler(handler)
        handler.close()
    assert end == Outcome("failed", 1, "RuntimeError: out of memory")
    kept = (tmp_path / "traceback.txt").read_text()
    assert kept.startswith("RuntimeError: out of memory\n\nTraceback")
    assert "KeyError: 'inner'" in kept
    assert "RuntimeError: out of memory\nwith details" in (tmp_path / "train.log").read_text()
    assert "Traceback" in capsys.readouterr().err
    work(finish)
    assert run_in_process("train", cfg, tmp_path) == FINISHED  # failed ones are tried again
    assert not (tmp_path / "traceback.txt").exists()


def test_a_finished_job_lets_its_memory_go(cfg: DictConfig, work: Callable, tmp_path: Path) -> None:
    models: list[weakref.ref] = []

    def train(cfg: DictConfig, folder: Path) -> None:
        model = Model()
        model.trainer = model  # as a trainer and its model refer to each other
        models.append(weakref.ref(model))
        finish(cfg, folder)

    work(train)
    gc.disable()  # by itself it may come after the next job, or the one after that
    try:
        assert run_in_process("train", cfg, tmp_path) == FINISHED
        assert models[0]() is None
    finally:
        gc.enable()


def test_interrupted_from_the_keyboard(
    cfg: DictConfig, work: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def as_lightning_does(cfg: DictConfig, folder: Path) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemExit(1)  # noqa: B904

    def plainly(cfg: DictConfig, folder: Path) -> None:
        raise KeyboardInterrupt

    for function in (as_lightning_does, plainly):
        work(function)
        assert run_in_process("train", cfg, tmp_path) == Outcome("interrupted", 130, stopped=signal.SIGINT)
        assert capsys.readouterr().err == (
            f"babelbatch: interrupted (SIGINT); {tmp_path} is not finished; run the same command again to resume\n"
        )


def test_an_interruption_in_a_folder_of_another_run_does_not_promise_to_resume(
    cfg: DictConfig, work: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work(finish)
    other = OmegaConf.merge(cfg, {"seed": 7})
    for each, state in (
        (other, "has another run in it, which is unchanged; choose another folder for this one"),
        (cfg, "was finished already"),
    ):
        assert run_in_process("train", cfg, tmp_path) in (FINISHED, FINISHED_EARLIER)
        before = sorted(tmp_path.iterdir())

        @contextmanager
        def stopped_while_waiting(folder: Path) -> Iterator[None]:
            raise Stopped(signal.SIGTERM)
            yield

        with monkeypatch.context() as patch:
            patch.setattr(job, "locked", stopped_while_waiting)
            outcome = run_in_process("train", each, tmp_path)
        assert outcome == Outcome("interrupted", 143, stopped=signal.SIGTERM)
        assert capsys.readouterr().err.endswith(f"babelbatch: interrupted (SIGTERM); {tmp_path} {state}\n")
        assert sorted(tmp_path.iterdir()) == before


def test_a_rank_above_0_writes_nothing(
    cfg: DictConfig, work: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    two = OmegaConf.merge(cfg, {"trainer": {"devices": 2, "strategy": "ddp"}})
    seen: list[str] = []
    work(lambda cfg, folder: seen.append(cfg.output_dir))
    with locked(tmp_path):  # by rank 0
        before = set(tmp_path.iterdir())
        assert run_in_process("train", two, tmp_path) == FINISHED
        assert set(tmp_path.iterdir()) == before
    assert seen == [str(tmp_path)]
