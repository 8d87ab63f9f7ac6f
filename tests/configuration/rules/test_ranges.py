"""Numbers out of their range."""

import pytest

from configurations import problems


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["sampling.alpha=1.5"], "sampling.alpha: 1.5 is not between 0 and 1"),
        (["sampling.batch_size=1"], "sampling.batch_size: 1 is not at least 2"),
        (["trainer.max_steps=-1"], "trainer.max_steps: -1 is not at least 1"),
        (["trainer.max_tokens=0"], "trainer.max_tokens: 0 is not at least 1"),
        (["trainer.max_tokens=many"], "trainer.max_tokens: 'many' is not int or None"),
        (["seed=-1"], "seed: -1 is not between 0 and 4294967295"),
        (["sampling.alpha=nan"], "sampling.alpha: nan is not between 0 and 1"),
        (["corpus=paq", "corpus.limit=0"], "corpus.limit: 0 is not at least 1"),
        (
            ["loss=mimo", "teacher=x/y", "loss.contrastive_weight=1.5"],
            "loss.contrastive_weight: 1.5 is not between 0 and 1",
        ),
        (["loss=mimo", "teacher=x/y", "loss.warmup=2"], "loss.warmup: 2 is not between 0 and 1"),
        (["loss=language_kl", "loss.weight=-1"], "loss.weight: -1 is not at least 0"),
        (["loss=language_kl", "loss.kl_temperature=0"], "loss.kl_temperature: 0 is not at least 0.001"),
        (
            ["evaluation=search", "index@evaluation.index=ivf", "evaluation.index.probes=0"],
            "evaluation.index.probes: 0 is not at least 1",
        ),
        (["evaluation.debias=lir", "evaluation.components=0"], "evaluation.components: 0 is not at least 1"),
    ],
)
def test_a_number_out_of_range(overrides: list[str], expected: str) -> None:
    assert expected in problems(*overrides)


def test_a_budget_of_tokens_needs_no_number_of_steps() -> None:
    assert problems("trainer.max_tokens=1000", "trainer.max_steps=-1") == []
