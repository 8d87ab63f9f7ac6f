"""A config.yaml read back is data: it runs nothing, reads no environment, and is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hydra.utils import instantiate
from omegaconf import OmegaConf

from babelbatch.configuration import saved
from babelbatch.configuration.identity import identity, resolved_yaml
from babelbatch.configuration.saved import UnreadableConfig, allow_own_targets, load_config, saved_part
from babelbatch.configuration.shipped import CONF

HOSTILE = [
    {"_target_": "pathlib.Path.touch", "self": "ran"},
    {"_target_": "torch.load", "f": "x", "weights_only": False},
    {"_target_": "pandas.read_pickle", "filepath_or_buffer": "x"},
    {"_target_": "shutil.copyfile", "src": "config.yaml", "dst": "ran"},
    {"_target_": "babelbatch.jobs.supervisor.supervise", "command": ["touch", "ran"]},
    {"_target_": "babelbatch.encoder.pretrained", "name_or_path": "x", "trust_remote_code": True},
    {"_target_": "hydra.utils.get_method", "path": "os.system"},
    {"_target_": ["os.system"]},
    {"_target_": None},
]


def write(folder: Path, content: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("node", HOSTILE, ids=lambda node: str(node["_target_"]))
@pytest.mark.parametrize("key", ["corpus", "tuning"])
def test_no_other_target_is_built(tmp_path: Path, node: dict, key: str) -> None:
    """Neither at the top of a part nor within it, where Hydra would build it too."""
    mixture = {"_target_": "babelbatch.corpora.mixture.load_corpus"}
    for content, place in (
        (node, key),
        (mixture | {"parts": {"a": node}}, f"{key}.parts.a"),
        (mixture | {"parts": [1, node]}, f"{key}.parts[1]"),
    ):
        if key == "tuning" and content is not node:
            continue
        path = write(tmp_path, {key: content})
        with pytest.raises(ValueError, match=r".") as error:
            saved_part(path, key)
        assert str(error.value) == (
            f"{path}: {place}._target_ is {str(node['_target_'])!r}, which is no {key} of babelbatch; if it is your "
            "own and you trust the file, name the folder of its YAML with --config-dir"
        )


def test_every_shipped_part_is_built(tmp_path: Path) -> None:
    options = [path for key in ("corpus", "tuning") for path in sorted((CONF / key).rglob("*.yaml"))]
    assert len(options) > 20
    for option in options:
        node = yaml.safe_load(option.read_text())
        if "_target_" in node and "${" not in option.read_text():
            assert saved_part(write(tmp_path, {option.parent.name: node}), option.parent.name) == node


def test_own_targets_by_config_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "_own", set())
    path = write(tmp_path, {"corpus": {"_target_": "sums.load_corpus", "last": 30}})
    with pytest.raises(ValueError, match="which is no corpus of babelbatch; if it is your own"):
        saved_part(path, "corpus")
    own = tmp_path / "my_conf" / "corpus"
    own.mkdir(parents=True)
    (own / "sums.yaml").write_text("_target_: sums.load_corpus\n")
    (own / "broken.yaml").write_text("a: [")
    allow_own_targets(tmp_path / "my_conf")
    assert saved_part(path, "corpus") == {"_target_": "sums.load_corpus", "last": 30}
    with pytest.raises(ValueError, match=r"corpus\._target_ is 'os\.system'"):
        saved_part(write(tmp_path, {"corpus": {"_target_": "os.system"}}), "corpus")


@pytest.mark.parametrize(
    "value", ["${oc.env:TOKEN}", "x ${oc.env:TOKEN}", "${output_dir}/${oc.env:TOKEN}", "${seed}", "\\\\${seed}", "${"]
)
def test_no_resolver_and_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    for content, place in (
        ({"seed": 1, "output_dir": "x", "encoder": {"name_or_path": value}}, "encoder.name_or_path"),
        ({"seed": 1, "output_dir": "x", "benchmarks": ["a", value]}, "benchmarks[1]"),
        ({"seed": 1, "output_dir": value}, "output_dir"),
    ):
        with pytest.raises(UnreadableConfig) as error:
            load_config(write(tmp_path, content))
        assert str(error.value).startswith(f"{place} is ") or value == "${"
        assert "secret" not in str(error.value)


def test_what_a_run_writes_is_read_as_it_was(tmp_path: Path) -> None:
    """Texts that only look like interpolations too."""
    cfg = OmegaConf.create(
        {"output_dir": "/a/run", "logger": {"save": "${output_dir}/csv"}, "prefix": r"\${HOME}: ", "lr": 1e-5}
    )
    found = load_config(write(tmp_path, resolved_yaml(cfg)))
    assert found.prefix == cfg.prefix == "${HOME}: "
    assert found.logger.save == "/a/run/csv"
    assert identity(found) == identity(cfg)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a", "no mapping"),
        ("", "no mapping"),
        ("a: " + "[" * 5_000, "nested deeper than 100 levels"),
        ("a: &a [*a]", "the alias *a stands for nothing before it"),
        ("a: [1", "line 2: did not find expected ',' or ']'"),
        ("a: 1\na: 2", "while constructing a mapping"),
    ],
)
def test_what_is_no_configuration(tmp_path: Path, text: str, reason: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UnreadableConfig) as error:
        load_config(path)
    assert str(error.value) == reason


def test_the_attack_is_real(tmp_path: Path) -> None:
    """What these tests refuse, Hydra does."""
    instantiate({"_target_": "shutil.copyfile", "src": str(write(tmp_path, "a: 1")), "dst": str(tmp_path / "ran")})
    assert (tmp_path / "ran").exists()
