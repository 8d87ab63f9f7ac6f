"""The device that a user names."""

import pytest
import torch

from babelbatch.encoder import device_of


def test_the_device_is_there() -> None:
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:64"])
def test_a_device_that_is_not_there_is_the_user_s_to_mend(name: str) -> None:
    with pytest.raises(ValueError, match=f"^device: '{name}' cannot be used .*; set device=auto, cpu or cuda$"):
        device_of(name)


def test_each_rank_of_a_machine_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "empty", lambda size, device: tried.append(device))
    assert device_of("auto") == device_of("cuda") == torch.device("cuda")  # one process
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "7")
    for local, number in ((0, 0), (1, 1), (2, 0)):
        monkeypatch.setenv("LOCAL_RANK", str(local))
        assert device_of("auto") == device_of("cuda") == torch.device("cuda", number)
        assert tried[-1] == f"cuda:{number}"
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("cuda:1") == torch.device("cuda", 1)
