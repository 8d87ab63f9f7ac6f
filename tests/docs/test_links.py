"""What can be checked of every page without building the site: links, commands that cannot be run here, paths."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from babelbatch.configuration.rules import devices, launchers
from babelbatch.configuration.schema import register
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import check_jobs
from pages import DOCS, blocks, local_links

ROOT = DOCS.parent
PAGES = sorted(path for path in DOCS.rglob("*.md") if "api" not in path.relative_to(DOCS).parts)
ROOTS = {"babelbatch-train": "train", "babelbatch-evaluate": "evaluate", "babelbatch-data": "describe"}


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("*.md"))], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for link in local_links(page.read_text(encoding="utf-8")):
        if link != "api/index.md" and not link.startswith("api/"):
            assert (page.parent / link).is_file(), f"{page.relative_to(ROOT)}: {link}"


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("*.md"))], ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_repository_exist(page: Path) -> None:
    """Paths that a page names in code: `tests/...`, `src/...`, `conf/...`, `bench/...`, `docs/...`."""
    for path in re.findall(r"(?:`|python )((?:tests|src|conf|bench|docs)/[\w./]+)", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), f"{page.relative_to(ROOT)}: {path}"


def commands(page: str) -> list[str]:
    """Commands in `sh` blocks, without what starts several processes."""
    lines = "".join(block.text for block in blocks((DOCS / page).read_text(encoding="utf-8")) if block.language == "sh")
    found = lines.replace("\\\n", " ").splitlines()
    return [line for line in found if line.split(" ")[0] in ROOTS and "checkpoint=" not in line]


@pytest.mark.parametrize("command", [*commands("offline_and_clusters.md"), *commands("quick_start.md")])
def test_commands_that_are_not_run_pass_the_check(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "has_no_gpu", lambda: False)
    monkeypatch.setattr(launchers, "is_installed", lambda library: True)
    monkeypatch.setattr(launchers, "has_sbatch", lambda: True)
    if "my_conf" in command:
        (experiment,) = [block for block in blocks((DOCS / "quick_start.md").read_text()) if block.language == "yaml"]
        assert experiment.file is not None
        Path(experiment.file).parent.mkdir(parents=True)
        Path(experiment.file).write_text(experiment.text, encoding="utf-8")
        for table in ("pairs.csv", "test.csv"):
            Path(table).touch()
        Path("train.csv").touch()
    program, *typed = shlex.split(command)
    multirun = "-m" in typed
    options = [argument for argument in typed if "=" in argument]
    register()
    check_jobs(
        ROOTS[program],
        force_overrides(options),
        multirun=multirun,
        config_dir="my_conf" if "my_conf" in command else None,
    )
