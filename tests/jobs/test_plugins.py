"""An installed plugin of Hydra's that is broken is named, with its package and the remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from processes import finished, typed

BROKEN = """
from dataclasses import dataclass

class Client:
    pass

Client.__hash__ = None

@dataclass
class Config:
    client: Client = Client()
"""
REASON = (
    "ValueError: mutable default <class 'hydra_plugins.hydra_axe_sweeper.config.Client'> for field client is not "
    "allowed: use default_factory"
)


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """A sweeper's package whose module fails as that of Ax does with its version 1.2.0."""
    module = tmp_path / "site" / "hydra_plugins" / "hydra_axe_sweeper"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "config.py").write_text(BROKEN)
    about = tmp_path / "site" / "hydra_axe_sweeper-1.2.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hydra-axe-sweeper\nVersion: 1.2.0\n")
    (about / "RECORD").write_text(
        "hydra_plugins/hydra_axe_sweeper/__init__.py,,\nhydra_plugins/hydra_axe_sweeper/config.py,,\n"
    )
    return os.environ | {"PYTHONPATH": f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}"}


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("train", ["-m", "seed=0,1"]), ("evaluate", ["--help"]), ("search", ["top=1"]), ("data", ["corpus=nq"]),
        ("fetch", ["--dry-run"]),
    ],
)  # fmt: skip
def test_its_package_and_the_remedy_are_named(
    command: str, arguments: list[str], installed: dict[str, str], tmp_path: Path
) -> None:
    done = finished(*typed(command, *arguments), cwd=tmp_path, env=installed, code=2)
    lines = [line for line in done.stderr.splitlines() if line != "babelbatch: checking the configuration"]
    assert lines == [
        "babelbatch: the configuration cannot be run:",
        f"  - the Hydra plugin hydra-axe-sweeper is broken ({REASON}); pip install --upgrade "
        "hydra-axe-sweeper, or pip uninstall hydra-axe-sweeper",
    ]
    assert done.stdout == ""


def test_an_option_of_ours_wins_over_that_of_a_plugin(tmp_path: Path) -> None:
    """hydra-submitit-launcher, as earlier versions needed it: its schema lacks keys of our file."""
    module = tmp_path / "site" / "hydra_plugins" / "hydra_submitit_launcher"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "config.py").write_text(
        "from dataclasses import dataclass\nfrom hydra.core.config_store import ConfigStore\n\n"
        "@dataclass\nclass Config:\n    _target_: str = 'hydra_plugins.theirs'\n    nodes: int = 3\n\n"
        "ConfigStore.instance().store(group='hydra/launcher', name='submitit_slurm', node=Config)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}"}
    shown = ["--cfg", "hydra", "-p", "hydra.launcher", "hydra/launcher=submitit_slurm"]
    done = finished(*typed("train", *shown), cwd=tmp_path, env=environment)
    assert "_target_: hydra_plugins.babelbatch_launcher.submitit.SlurmLauncher\n" in done.stdout
    assert "\nnodes: 1\n" in done.stdout
    assert "validated against ConfigStore" not in done.stderr
