"""What early stopping may watch, and the validation set."""

import pytest

from configurations import problems


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["trainer.val_check_interval=0.5"], "trainer.val_check_interval: 0.5 is not a number of steps"),
        (
            ["callbacks=early_stopping", "data.validation_fraction=0"],
            "monitor: 'validation/loss' needs a validation split, but data.validation_fraction is 0; "
            "raise it, or set callbacks=default",
        ),
        (
            ["callbacks=early_stopping", "trainer.max_steps=250"],
            "trainer.val_check_interval: 100 does not divide trainer.max_steps=250: the last steps would "
            "never be judged; set it to a divisor, or set callbacks=default",
        ),
        (
            ["callbacks=early_stopping", "trainer.max_tokens=1000", "trainer.max_steps=-1"],
            "trainer.max_tokens: callbacks=early_stopping ends runs at unequal numbers of tokens and would never "
            "judge the last steps; set callbacks=default",
        ),
        (["monitor=validation/loss/x_y"], "monitor: nothing watches it; set callbacks=early_stopping"),
        (
            ["corpus@validation=lareqa", "data.validation_fraction=0.1"],
            "data.validation_fraction: nothing is held out where there is a validation corpus; leave out either "
            "this or corpus@validation",
        ),
        (
            ["data.validation_queries=100", "data.validation_fraction=0"],
            "data.validation_queries: nothing is held out, because data.validation_fraction is 0; raise it, or leave "
            "out validation_queries",
        ),
        (
            ["callbacks.evaluate.during_training=true", "data.validation_fraction=0", "data.validation_queries=0"],
            "callbacks.evaluate.during_training: benchmarks are evaluated after each validation, and there is none, "
            "because data.validation_fraction is 0; raise it, or leave out during_training",
        ),
        (
            [
                "callbacks=early_stopping",
                "callbacks.evaluate.during_training=true",
                "monitor=world_facts/multilingual/map",
                "data.validation_fraction=0",
                "data.validation_queries=0",
            ],
            "monitor: 'world_facts/multilingual/map' is evaluated after each validation, but data.validation_fraction "
            "is 0; raise it, or set callbacks=default",
        ),
        (
            ["+benchmarks.validation=${benchmarks.world_facts}"],
            "benchmarks.validation: validation/... are the scores on validation items; give the benchmark another name",
        ),
        (
            ["report.select=validation/map"],
            "report.select: 'validation/map' is no validation score; name one, such as validation/multilingual/map",
        ),
        (
            ["report.select_per=seed"],
            "report.select_per: nothing is selected; set report.select=validation/multilingual/map, or leave it out",
        ),
        (
            ["callbacks=early_stopping", "monitor=validation/los"],
            "monitor: no 'validation/los'; there are validation/loss, validation/loss/x_x and validation/loss/x_y",
        ),
        (
            ["callbacks=early_stopping", "monitor=world_facts/multilingual/map"],
            "monitor: 'world_facts/multilingual/map' is not evaluated during training; "
            "set callbacks.evaluate.during_training=true",
        ),
        (
            ["callbacks=early_stopping", "monitor=xquad_r/multilingual/map"],
            "monitor: nothing is logged as 'xquad_r/multilingual/map', did you mean 'world_facts/multilingual/map'?",
        ),
        (
            [
                "callbacks=early_stopping",
                "monitor=world_facts/multilingual/mpa",
                "callbacks.evaluate.during_training=true",
            ],
            "monitor: 'world_facts/multilingual/mpa' is not <benchmark>/<setting>/<metric>, "
            "such as world_facts/multilingual/map",
        ),
        (
            [
                "evaluation=search",
                "callbacks=early_stopping",
                "monitor=world_facts/multilingual/map",
                "callbacks.evaluate.during_training=true",
            ],
            "monitor: a search does not find map; set monitor=world_facts/multilingual/ndcg@10, or evaluation=default",
        ),
    ],
)
def test_one_problem_of_the_selection(overrides: list[str], expected: str) -> None:
    assert expected in problems(*overrides)
