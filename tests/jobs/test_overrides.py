"""Overrides: forced into the configuration, and explained where they are wrong."""

from pathlib import Path

from hydra import compose, initialize_config_dir

from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.overrides import force_overrides
from configurations import problems


def test_defaults_of_a_signature_can_be_overridden_without_a_plus() -> None:
    register()
    overrides = force_overrides(["loss.temperature=0.02", "sampling.batch_size=32", "encoder=static"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
    assert (cfg.loss.temperature, cfg.sampling.batch_size) == (0.02, 32)
    assert force_overrides(["sampling=x_x", "+a=1", "~b", "hydra.verbose=true", "seed=1"]) == [
        "sampling=x_x", "+a=1", "~b", "hydra.verbose=true", "++seed=1",
    ]  # fmt: skip


def test_a_key_with_an_at_sign_can_be_overridden() -> None:
    register()
    overrides = force_overrides(["evaluation.metrics.p@5._target_=own.precision", "evaluation.metrics.p@5.places=5"])
    assert overrides[0] == "++evaluation.metrics={p@5:{_target_:own.precision}}"
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
    assert cfg.evaluation.metrics == {"p@5": {"_target_": "own.precision", "places": 5}}
    assert force_overrides(["corpus@validation=table", "monitor=mine/monolingual/ndcg@10"]) == [
        "corpus@validation=table",
        "++monitor=mine/monolingual/ndcg@10",
    ]


def test_what_is_not_key_and_value_is_named() -> None:
    assert problems("seed 0", "corpus.languages=[en,de", "corpus.columns.question=question_{language}", "seed=1") == [
        "'seed 0' is not understood; settings are written key=value, such as sampling.alpha=0.5",
        "corpus.languages: '[en,de' cannot be read (no viable alternative at input '[en,de'); close every bracket, or, "
        "if they are part of a text, quote it: 'corpus.languages=\"[en,de\"'",
        "corpus.columns.question: 'question_{language}' cannot be read (mismatched input '{' expecting <EOF>); close "
        "every bracket, or, if they are part of a text, quote it: "
        "'corpus.columns.question=\"question_{language}\"'",
    ]


def test_the_options_of_a_group_include_those_below_it() -> None:
    (found,) = problems("experiment=paper/xlmr_hybird")
    assert found.startswith("experiment: no option 'paper/xlmr_hybird', did you mean 'paper/xlmr_hybrid'? (there are: ")
    assert "demo, mlqa_r, lareqa/en_en, " in found
    assert "question/typology" in found


def test_the_options_of_a_group_include_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "elements.yaml").write_text("# @package _global_\n")
    (found,) = problems("experiment=elementz", config_dir=str(tmp_path))
    assert found.startswith("experiment: no option 'elementz', did you mean 'elements'? (there are: ")
    (found,) = problems("experiment=elements")
    assert found.startswith("experiment: no option 'elements' (there are: demo, ")
    assert found.endswith("); for a file of your own add --config-dir and its folder")
