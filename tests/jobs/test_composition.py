"""How often a command composes its configuration, and that each caller has a copy of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl

from babelbatch.cli import mine
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.composition import composing_once
from commands import exit_code


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The overrides of every configuration that Hydra really composes."""
    register()
    found: list[list[str]] = []
    hydras = ConfigLoaderImpl._load_configuration_impl

    def record(loader: ConfigLoaderImpl, **arguments: object) -> object:
        found.append(list(arguments["overrides"]))
        return hydras(loader, **arguments)

    monkeypatch.setattr(ConfigLoaderImpl, "_load_configuration_impl", record)
    return found


def test_equal_overrides_are_composed_once(composed: list[list[str]]) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"), composing_once():
        first = compose("train", ["seed=3", "sampling=x_y"])
        first.seed = 4
        second = compose("train", ["seed=3", "sampling=x_y"])
        assert (first.seed, second.seed) == (4, 3)
        assert compose("train", ["seed=3", "sampling=x_x"]).sampling.alpha == 1
        assert compose("mine", ["threads=1"]).name == "mine"
        with pytest.raises(Exception, match="sed"):
            compose("train", ["sed=3"])
    assert composed == [["seed=3", "sampling=x_y"], ["seed=3", "sampling=x_x"], ["threads=1"], ["sed=3"]]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("train", ["seed=3", "sampling=x_y"]).seed == 3
    assert len(composed) == 5


def test_a_mistake_is_found_after_one_composition(
    composed: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It looks for a sweep of the experiment, and checks the configuration."""
    monkeypatch.chdir(tmp_path)
    typed = [f"encoder.name_or_path={tmp_path}", "corpus=world_facts"]
    monkeypatch.setattr("sys.argv", ["babelbatch-mine", *typed])
    assert exit_code(mine) == 2  # there is no model in the folder
    assert len(composed) == 1


def test_a_run_is_composed_once(composed: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hydra asks for it again, with its own mode of running; what it gets is what it would have composed."""
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydras = compose("train", ["seed=3", "hydra.mode=RUN"], return_hydra_config=True)
        with composing_once():
            compose("train", ["seed=3"])
            ours = compose("train", ["seed=3", "hydra.mode=RUN"], return_hydra_config=True)
            assert compose("train", ["seed=3"], return_hydra_config=True).hydra.mode is None
    assert ours == hydras
    assert composed == [["seed=3", "hydra.mode=RUN"], ["seed=3"]]
