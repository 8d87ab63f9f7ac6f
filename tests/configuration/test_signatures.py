"""Signatures read from source agree with what Python itself says."""

import ast
import inspect
from importlib import import_module

import pytest

from babelbatch.configuration.signatures import Module, TargetError, accepts, describe, docstrings, parameters


@pytest.mark.parametrize(
    "target",
    [
        "babelbatch.sampling.Sampling",  # a dataclass
        "babelbatch.encoder.tiny",  # re-exported
        "babelbatch.loss.Contrastive",
        "torch.optim.AdamW",
        "pytorch_lightning.Trainer",
        "pytorch_lightning.callbacks.ModelCheckpoint",
        "pytorch_lightning.loggers.CSVLogger",
        "collections.OrderedDict.fromkeys",
    ],
)
def test_agrees_with_inspect(target: str) -> None:
    module, _, name = target.rpartition(".")
    if target.startswith("collections"):
        with pytest.raises(TargetError):  # a method is no target
            parameters(target)
        return
    expected = {
        parameter.name: parameter.default is inspect.Parameter.empty
        for parameter in inspect.signature(getattr(import_module(module), name)).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    found = parameters(target)
    if name == "Sampling":
        assert {name: parameter.required for name, parameter in found.items()} == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("babelbatch.encoder.tinny", "'babelbatch.encoder' has no 'tinny', did you mean 'tiny'?"),
        ("babelbatch.encodr.tiny", "'babelbatch' has no module 'encodr', did you mean 'encoder'?"),
        ("torhc.optim.AdamW", "there is no package 'torhc'; put the folder that holds it on PYTHONPATH"),
        ("AdamW", "'AdamW' is not a dotted name"),
        (
            "babelbatch.training.scheduler.linear.x",
            "'babelbatch.training.scheduler' has no module 'linear'",
        ),
    ],
)
def test_bad_targets(target: str, message: str) -> None:
    with pytest.raises(TargetError) as caught:
        parameters(target)
    assert str(caught.value) == message


@pytest.fixture
def own_module(tmp_path, monkeypatch) -> str:
    """A module of a user's, with classes that inherit from ours."""
    (tmp_path / "strategies_of_mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from babelbatch.loss import Contrastive\n"
        "from babelbatch.sampling import Sampling\n"
        "@dataclass(frozen=True)\n"
        "class Warm(Sampling):\n"
        '    """Warms up. until: the share of the run."""\n'
        "    kinds: ClassVar[int] = 3\n"
        "    until: float = 0.1\n"
        "    batch_size: int = 7\n"
        "class Plain(Contrastive):\n"
        "    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "strategies_of_mine"


def test_what_is_inherited_is_accepted(own_module: str) -> None:
    found = parameters(f"{own_module}.Warm")
    assert list(found) == [*parameters("babelbatch.sampling.Sampling"), "until"]
    assert [ast.unparse(found[name].default) for name in ("batch_size", "until")] == ["7", "0.1"]
    assert list(parameters(f"{own_module}.Plain")) == list(parameters("babelbatch.loss.Contrastive"))


def test_docstrings_are_those_of_the_lineage(own_module: str) -> None:
    warm, sampling = docstrings(f"{own_module}.Warm")
    assert warm == "Warms up. until: the share of the run."
    assert docstrings("babelbatch.sampling.Sampling") == [sampling]
    assert docstrings("babelbatch.encoder.static")[0].startswith("The mean of learned token embeddings")


SOURCE = """
from typing import Literal, Optional, Union
from torch import Tensor
Colour = Literal["red", "green"]
"""
MODULE = Module("made_up", "made_up", ast.parse(SOURCE))


@pytest.mark.parametrize(
    ("annotation", "fits", "does_not"),
    [
        ("int", [1, -3], [True, 1.0, "1", None]),
        ("float", [1, 1.5], [True, "1.5", None, [1.0]]),
        ("bool", [True], [1, "true"]),
        ("str | None", ["x", None], [1, ["x"]]),
        ("Optional[int]", [None, 2], ["2"]),
        ("Union[int, str]", [1, "a"], [1.5, None]),
        ("list[str]", [["a"], []], ["a", [1], ["a", 1]]),
        ("dict[str, int]", [{"a": 1}], [["a"]]),
        ("Colour", ["red"], ["blue", 1]),
        ("Colour | None", ["green", None], ["blue"]),
        ("float | Tensor", [0.1], ["fast"]),
        ("Any", [1, "x", None], []),
        ("'int'", [1], ["x"]),
    ],
)
def test_types(annotation: str, fits: list, does_not: list) -> None:
    parsed = ast.parse(annotation, mode="eval").body
    assert [accepts(value, parsed, MODULE) for value in fits] == [True] * len(fits)
    assert [accepts(value, parsed, MODULE) for value in does_not] == [False] * len(does_not)


def test_describe_names_the_choices() -> None:
    parsed = ast.parse("Colour | None", mode="eval").body
    assert describe(parsed, MODULE) == "one of 'red', 'green' or None"
