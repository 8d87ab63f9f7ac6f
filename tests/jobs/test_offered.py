"""What --help lists, and what it costs Hydra."""

from __future__ import annotations

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType

from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.offered import offering


def test_hydra_copies_its_repository_once_for_all_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    begin = CachingConfigRepository.__init__
    monkeypatch.setattr(
        CachingConfigRepository, "__init__", lambda self, repository: copies.append(begin(self, repository))
    )
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        alone = {group: loader.get_group_options(group) for group in ("sampling", "encoder", "corpus")}
        assert len(copies) == 3
        with offering("train", helps=True):
            assert {group: loader.get_group_options(group) for group in alone} == alone
            assert "sampling" in loader.get_group_options("", ObjectType.GROUP)
            assert len(copies) == 4
            other = loader.get_group_options("sampling", overrides=["hydra.searchpath=[]"])
        assert other == alone["sampling"]
        assert len(copies) == 5
