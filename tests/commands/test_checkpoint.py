"""What `checkpoint=` refuses to load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from babelbatch.commands.checkpoint import load_checkpoint
from babelbatch.encoder import load, needs_own_code, save, tiny


def test_code_of_a_folder_is_not_run(tmp_path: Path) -> None:
    encoder = tmp_path / "run" / "encoder"
    save(tiny(["red", "green"], vocab_size=40, hidden_size=16, heads=2, layers=1), encoder)
    (tmp_path / "run" / "metrics.json").write_text("{}")
    config = json.loads((encoder / "config.json").read_text())
    own = {"auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (encoder / "config.json").write_text(json.dumps(config | own))
    (encoder / "code.py").write_text("raise SystemExit('the code ran')")
    assert not needs_own_code(encoder)  # transformers has this architecture, and uses its own code
    load_checkpoint(tmp_path / "run")
    (encoder / "config.json").write_text(json.dumps(config | own | {"model_type": "mine"}))
    with pytest.raises(ValueError, match="needs the code") as caught:
        load_checkpoint(tmp_path / "run")
    remedy = f"encoder=local encoder.name_or_path={encoder} encoder.trust_remote_code=true instead"
    assert str(caught.value) == (
        f"checkpoint: {tmp_path / 'run'} needs the code in {encoder}, and checkpoint= runs no code of a folder; read "
        f"that code, then set {remedy}"
    )
    file = tmp_path / "run" / "checkpoints" / "step-1.ckpt"
    file.parent.mkdir()
    file.touch()
    with pytest.raises(ValueError, match="let the run finish, read that code"):
        load_checkpoint(file)


def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    save(tiny(["red", "green"], vocab_size=40, hidden_size=16, heads=2, layers=1), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    quantised = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    (tmp_path / "config.json").write_text(json.dumps(config | quantised))
    with pytest.raises(ValueError, match="quantised") as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"encoder.name_or_path: {tmp_path} has quantised weights (bitsandbytes), which are not supported; name the "
        "model that it was made from, and set encoder.dtype=bfloat16 (with tuning=lora to train it)"
    )
