"""The shipped configuration: every option of every group composes and passes."""

from pathlib import Path

import pytest

from babelbatch.configuration.rules import devices
from configurations import GROUPS, problems

SAMPLING_OF = dict.fromkeys(("nq", "yahoo_answers", "trivia_qa", "gooaq", "paq", "squad", "squad_shifts"), "x_x")

SAMPLING_OF |= dict.fromkeys(("bitext", "parallel_sentences"), "x_y")

SAMPLING_OF |= dict.fromkeys(("miracl", "mr_tydi"), "x_x")

"""Strategies of corpora that have only one kind of batch."""


LEXICAL = {("encoder", "bm25"), ("encoder", "char_ngrams")}  # nothing to train


@pytest.mark.parametrize(("group", "option"), [(group, option) for group in GROUPS for option in GROUPS[group]])
def test_every_shipped_option_composes_and_passes(
    group: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "has_no_gpu", lambda: False)
    (tmp_path / "config.json").touch()
    own = {
        ("encoder", "local"): f"encoder.name_or_path={tmp_path}",
        ("loss", "mimo"): f"teacher={tmp_path}",
        ("benchmarks", "lareqa"): f"benchmarks.lareqa.data_dir={tmp_path}",
        ("benchmarks", "mewsli_x"): f"benchmarks.mewsli_x.data_dir={tmp_path}",
        ("benchmarks", "table"): f"benchmarks.table.path={tmp_path}",
        ("corpus", "bitext"): f"corpus.data_dir={tmp_path}",
        ("corpus", "mixture"): "+corpus@corpus.parts.facts=world_facts",
        ("corpus", "table"): f"corpus.path={tmp_path}",
        ("transform", "code_switching"): f"transform.dictionaries={tmp_path}",
    }
    extra = [own[group, option]] if (group, option) in own else []
    value = f"[{option}]" if group == "benchmarks" else option
    extra += ["evaluation=search"] if option in {"miracl", "mr_tydi", "mewsli_x"} and group == "benchmarks" else []
    if group == "corpus" and option in SAMPLING_OF:
        extra.append(f"sampling={SAMPLING_OF[option]}")
    of_mining = group in {"index", "mining"}
    extra += ["checkpoint=."] if of_mining else []
    root = "mine" if of_mining else "evaluate" if (group, option) in LEXICAL else "train"
    assert problems(f"{group}={value}", *extra, root=root) == []


def test_all_groups_are_shipped() -> None:
    assert set(GROUPS) == {
        "benchmarks", "callbacks", "corpus", "data", "encoder", "evaluation", "experiment",
        "hydra", "index", "logger", "loss", "mining", "optimizer", "sampling", "scheduler", "trainer",
        "transform", "tuning",
    }  # fmt: skip


def test_the_names_people_type() -> None:
    assert problems("benchmarks=xquad_r") == []
    assert problems("benchmarks=[xquad_r,mlqa_r]", "benchmarks.xquad_r.candidate=sentence_with_context") == []
    assert (
        problems("sampling=hybrid", "sampling.alpha=0.25", "trainer.max_steps=5", "trainer.precision=bf16-mixed") == []
    )
    assert problems("corpus=lareqa", "encoder=xlmr_base", "encoder.pooling=cls", "seed=7", "logger=none") == []
    assert problems("sampling.alpha=0,0.5,1", "seed=0,1", multirun=True) == []
