"""Settings of a corpus, of the parts of a mixture, and of the validation corpus."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from babelbatch.configuration.schema import (
    register,
)
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import check_jobs
from configurations import GROUPS, problems

MIXTURE = ["corpus=mixture", "+corpus@corpus.parts.facts=world_facts", "+corpus@corpus.parts.mlqa=lareqa"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["corpus.exponent=0.5", "corpus.parts.mlqa.languages=[en,de]", "corpus.parts.mlqa.negatives=2"], []),
        (["corpus.exponent=big"], ["corpus.exponent: 'big' is not float"]),
        (
            ["corpus.parts.mlqa.langages=[en]"],
            [
                "corpus.parts.mlqa.langages: load_corpus takes no such argument, "
                "did you mean 'corpus.parts.mlqa.languages'?"
            ],
        ),
        (["corpus.parts.mlqa.data_dir=gone"], ["corpus.parts.mlqa.data_dir: there is no folder 'gone'"]),
        (["corpus.parts.facts.negatives=-1"], ["corpus.parts.facts.negatives: -1 is not at least 0"]),
        (
            ["corpus.parts.mlqa.passage=context", "corpus.parts.mlqa.negatives=1"],
            [
                "corpus.parts.mlqa.negatives: they are other sentences of the paragraph; with "
                "corpus.parts.mlqa.passage=context set it to 0"
            ],
        ),
        (
            ["corpus.parts.fact.languages=[en]"],
            ["corpus.parts.fact: not among the chosen parts (facts, mlqa), did you mean 'corpus.parts.facts'?"],
        ),
        (["corpus@validation=lareqa", "validation.negatives=-1"], ["validation.negatives: -1 is not at least 0"]),
        (["sampling=hybrid", "~corpus.parts.mlqa", "+corpus@corpus.parts.nq=nq"], []),
        (
            ["~corpus.parts.mlqa", "~corpus.parts.facts", "+corpus@corpus.parts.nq=nq"],
            ["sampling.alpha: all parts are in English only; set sampling=x_x, or add a parallel corpus"],
        ),
        (
            ["~corpus.parts.mlqa", "~corpus.parts.facts", "+corpus@corpus.parts.talks=parallel_sentences"],
            ["sampling.alpha: all parts are bitext, which has no X-X batches; set sampling=x_y, or add another corpus"],
        ),
        (
            ["+corpus@corpus.parts.both=mixture"],
            ["corpus.parts.both: is a mixture itself; name its parts beside the others"],
        ),
    ],
)
def test_parts_of_a_mixture(overrides: list[str], expected: list[str]) -> None:
    assert problems(*MIXTURE, *overrides) == expected


def test_a_mixture_in_an_experiment(tmp_path: Path) -> None:
    """As conf/corpus/mixture.yaml shows it; and nothing to mix."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - /corpus@corpus.parts.facts: world_facts\n"
        "  - /corpus@corpus.parts.mlqa: lareqa\n  - override /corpus: mixture\n"
        "corpus:\n  parts:\n    mlqa: {languages: [en, de]}\n"
    )
    register()
    assert len(check_jobs("train", ["experiment=mine"], multirun=False, config_dir=str(tmp_path))) == 1
    assert problems("corpus=mixture") == [
        "corpus.parts: nothing to mix; add corpora, such as +corpus@corpus.parts.mine=world_facts"
    ]


def test_any_corpus_can_be_the_validation_set() -> None:
    own = {
        "table": ["validation.path=."],
        "bitext": ["validation.data_dir=."],
        "mixture": ["+corpus@validation.parts.facts=world_facts"],
    }
    for corpus in GROUPS["corpus"]:
        chosen = ["corpus=lareqa", "corpus.data_dir=.", f"corpus@validation={corpus}"]
        assert problems(*chosen, *own.get(corpus, [])) == []
    assert problems("corpus@validation=mixture") == [
        "validation.parts: nothing to mix; add corpora, such as +corpus@validation.parts.mine=world_facts"
    ]
    watched = ["corpus@validation=lareqa", "callbacks=early_stopping", "data.validation_fraction=0"]
    assert problems(*watched, "validation.languages=[en]") == []
    overrides = force_overrides(["corpus@validation=lareqa", "validation.negatives=0"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
        assert cfg.validation == {"_target_": "babelbatch.corpora.lareqa.load_corpus", "negatives": 0}
        assert compose("train").validation is None


@pytest.mark.parametrize("loss", ["mimo", "language_kl", "alignment"])
def test_bitext_has_no_text_in_two_languages(loss: str, tmp_path: Path) -> None:
    """Alone, or in all parts of a mixture; beside another part it may stand."""
    (tmp_path / "config.json").write_text("{}")  # as a teacher's folder has it
    more = ["sampling=x_y", f"loss={loss}", f"teacher={tmp_path}"]
    part = "+corpus@corpus.parts.talks=parallel_sentences"
    for corpus in (
        ["corpus=parallel_sentences"],
        ["corpus=bitext", f"corpus.data_dir={tmp_path}"],
        ["corpus=mixture", part],
    ):
        (problem,) = problems(*corpus, *more)
        assert problem.startswith("loss: ")
        assert "needs a text in two languages, but an item of bitext has its query in one" in problem
        assert problems(*corpus, "sampling=x_y") == []
    assert problems(*MIXTURE, part, *more) == []


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["corpus.data_dir=nowhere", "corpus=lareqa"], "corpus.data_dir: there is no folder 'nowhere'"),
        (
            ["corpus=bitext", "corpus.data_dir=null", "sampling=x_y"],
            "corpus.data_dir: missing; set it to a folder of parallel sentences, or set corpus.collection",
        ),
        (
            ["loss=mimo", "teacher=x/y", "corpus.languages=[de,zh]"],
            "corpus.languages: the teacher reads 'en', which is not among them; add it, or set loss.language",
        ),
        (
            ["sampling=x_x", "loss=language_kl", "corpus.languages=[de]"],
            "corpus.languages: a loss of translations needs two languages; add one, or set loss=contrastive",
        ),
        (
            ["corpus=lareqa", "corpus.passage=context", "corpus.negatives=2"],
            "corpus.negatives: they are other sentences of the paragraph; with corpus.passage=context set it to 0",
        ),
        (
            ["corpus@validation=world_facts"],
            "validation: it is the corpus itself; leave it out, and some of the corpus is held out",
        ),
        (
            ["validation.languages=[en]"],
            "validation: nothing to build; choose a corpus for it, such as corpus@validation=squad_shifts",
        ),
        (
            ["corpus@validation=lareqa", "validation.data_dir=nowhere"],
            "validation.data_dir: there is no folder 'nowhere'",
        ),
        (
            ["corpus@validation=lareqa", "validation.langages=[en]"],
            "validation.langages: load_corpus takes no such argument, did you mean 'validation.languages'?",
        ),
    ],
)
def test_one_problem_of_a_corpus(overrides: list[str], expected: str) -> None:
    assert expected in problems(*overrides)


def test_the_name_of_a_part_that_leads_elsewhere(tmp_path: Path) -> None:
    """In a file of the user's, or of somebody else; nothing with a slash can be typed."""
    slash = "has a slash, a backslash or a control character in it; choose another"
    (tmp_path / "corpus").mkdir()
    target = "babelbatch.corpora.world_facts.load_corpus"
    mixture = "_target_: babelbatch.corpora.mixture.load_corpus\nparts:\n"
    (tmp_path / "corpus" / "theirs.yaml").write_text(f"{mixture}  ../up: {{_target_: {target}}}\n")
    assert problems("corpus=theirs", config_dir=str(tmp_path)) == [f"corpus.parts: the name '../up' {slash}"]
    assert problems("corpus@validation=theirs", config_dir=str(tmp_path)) == [
        f"validation.parts: the name '../up' {slash}"
    ]
