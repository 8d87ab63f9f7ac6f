"""What a search chooses from, as Hydra's grammar says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import initialize_config_dir

from babelbatch.configuration.schema import ConfigError
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.overrides import parse_overrides
from babelbatch.jobs.search_space import Interval, Options, Space, search_space


def space(*overrides: str) -> Space:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return search_space(parse_overrides(list(overrides)))


@pytest.mark.parametrize(
    ("override", "dimension"),
    [
        ("++a.b=interval(0,1)", Interval("++a.b", 0.0, 1.0, log=False, whole=False)),
        ("a.b=tag(log,interval(1e-5,1e-2))", Interval("a.b", 1e-5, 1e-2, log=True, whole=False)),
        ("a.b=int(interval(2,9))", Interval("a.b", 2, 9, log=False, whole=True)),
        ("a.b=tag(log,int,interval(1,64))", Interval("a.b", 1, 64, log=True, whole=True)),
        ("a.b=choice(1,'x y',2)", Options("a.b", ("1", "x\\ y", "2"), ordered=False)),
        ("a.b=3,1,3", Options("a.b", ("3", "1"), ordered=False)),
        ("a.b=range(2,5)", Options("a.b", ("2", "3", "4"), ordered=True)),  # as in any sweep, without its end
        ("a.b=range(0,1,0.25)", Options("a.b", ("0.0", "0.25", "0.5", "0.75"), ordered=True)),
        ("sampling=glob(x_*)", Options("sampling", ("x_en", "x_x", "x_y"), ordered=False)),
    ],
)
def test_a_dimension(override: str, dimension: Options | Interval) -> None:
    found = space("c=1", override)
    assert list(found.dimensions.values()) == [dimension]
    assert found.fixed == ("c=1",)


@pytest.mark.parametrize(
    ("dimension", "value", "text"),
    [
        (Interval("a", 0.0, 1.0, log=False, whole=False), 0.123456789, "0.1235"),
        (Interval("a", 0.1, 0.2, log=False, whole=False), 0.123456789, "0.12346"),
        (Interval("a", 0.0, 1.0, log=False, whole=False), 0.99999, "1.0"),
        (Interval("a", 0.0, 0.99999, log=False, whole=False), 0.999989, "0.99999"),  # rounded, but not beyond the end
        (Interval("a", -500.0, 500.0, log=False, whole=False), 123.456789, "123.5"),
        (Interval("a", 1e-5, 1e-2, log=True, whole=False), 0.000123456789, "0.0001235"),
        (Interval("a", 1, 9, log=False, whole=True), 4, "4"),
        (Options("a", ("x", "y"), ordered=False), 1, "y"),
    ],
)
def test_the_text_of_a_value(dimension: Options | Interval, value: float, text: str) -> None:
    assert dimension.text(value) == text


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["a=1"], "hydra/sweeper: nothing to search; give a setting several values, such as"),
        (["seed=0,1,2"], "seed: a search must not choose the best seed; give it one"),
        (["++output_dir=a,b"], "output_dir: it does not change the scores"),
        (["threads=1,2"], "threads: it does not change the scores"),
        (["benchmarks=xquad_r,tatoeba"], "benchmarks: it does not change the validation scores"),
        (["++data.validation_fraction=interval(0.1,0.2)"], "data.validation_fraction: it changes what the validation"),
        (["corpus@validation=squad_shifts,table"], "corpus@validation: it changes what the validation scores are"),
        (["a=interval(1,0)"], "a: interval(1, 0) has no values; write the smaller end first"),
        (["a=interval(1,1)"], "a: interval(1, 1) has no values"),
        (["a=tag(log,interval(0,1))"], "a: a logarithmic interval begins above 0; raise 0"),
        (["a=tag(int,interval(0.5,3))"], "a: interval(0.5, 3) of whole numbers; give it whole ends"),
        (["a=tag(lgo,interval(1,2))"], "a: no tag 'lgo'; an interval takes log and int"),
        (["a=tag(log,choice(1,2))"], "a: only an interval has tags; leave out tag(log, ...)"),
        (["a=shuffle(choice(1,2))"], "a: the order of the values means nothing to a search; leave out shuffle()"),
        (["sampling=glob(q*)"], "sampling: there is no value to choose from"),
    ],
)
def test_what_cannot_be_searched(overrides: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        space(*overrides)
    (found,) = refused.value.problems
    assert found.startswith(problem)


def test_every_option_and_end_is_checked_before_the_search() -> None:
    found = space("seed=0", "a=choice(x,y,z)", "++b.c=interval(0,1)", "d=range(1,5)")
    assert found.size is None
    assert found.probes() == [
        ["seed=0", "a=x", "++b.c=0.0", "d=1"],
        ["seed=0", "a=y", "++b.c=0.0", "d=1"],
        ["seed=0", "a=z", "++b.c=0.0", "d=1"],
        ["seed=0", "a=x", "++b.c=1.0", "d=1"],
        ["seed=0", "a=x", "++b.c=0.0", "d=4"],
    ]
    assert space("a=choice(x,y,z)", "d=range(1,5)").size == 12


def test_the_shipped_file_names_every_argument() -> None:
    """Its keys are those of the class, so that each can be set without `+`."""
    from babelbatch.configuration.signatures import parameters

    text = (Path(CONF) / "hydra" / "sweeper" / "optuna.yaml").read_text(encoding="utf-8")
    keys = [line.partition(":")[0] for line in text.splitlines() if line[0] not in "#_"]
    assert keys == list(parameters("hydra_plugins.babelbatch_sweeper.optuna.OptunaSweeper"))
