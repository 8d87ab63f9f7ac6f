"""Settings of a strategy that contradict each other."""

import pytest

from configurations import problems


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["sampling=schedule", "sampling.schedule=cosine", "sampling.alpha_end=0.2"], []),
        (["sampling=sequential", "sampling.alpha=0", "sampling.alpha_end=1", "sampling.switch_at=0.3"], []),
        (["sampling=steps", "sampling.alpha_steps=[[0.1,0.5]]"], []),
        (["sampling=en_x"], []),
        (["sampling=x_en", "sampling.name=en_x", "sampling.cross_language=en_x"], []),
        (
            ["sampling=x_en", "sampling.cross_language=en_x"],
            ["sampling.cross_language: x_en means x_en; set sampling.name to another name, too"],
        ),
        (
            ["sampling=english", "sampling.languages=[de]"],
            ["sampling.languages: english means English alone; set sampling.name to another name, too"],
        ),
        (["sampling=english", "sampling.name=german", "sampling.languages=[de]"], []),
        (["sampling=english", "sampling.languages=[eng]"], []),
        (
            ["sampling=mixed", "sampling.same_language=batch"],
            ["sampling.same_language: mixed means pair; set sampling.name to another name, too"],
        ),
        (
            ["sampling=mixed", "sampling.alpha=0.3"],
            ["sampling.alpha: mixed means alpha 1; to mix, set sampling=hybrid"],
        ),
        (
            ["sampling=x_x", "sampling.same_language=pair"],
            ["sampling.same_language: x_x means batch; set sampling.name to another name, too"],
        ),
        (["sampling=x_y", "sampling.cross_language=english", "sampling.pair_exponent=0.5"], []),
        (["sampling=hybrid", "sampling.alpha=1", "sampling.pair_exponent=1", "sampling.language_exponent=0.3"], []),
        (["sampling=mixed", "sampling.language_exponent=0.3"], []),
        (
            ["sampling=schedule", "sampling.schedule=steps"],
            [
                "sampling.alpha_steps: schedule steps needs them; set them to [fraction, alpha] pairs, "
                "such as [[0.5,0]]",
                "sampling.alpha_end: schedule steps does not go there; set sampling.schedule=linear, or leave it out "
                "(null)",
            ],
        ),
        (
            ["sampling=hybrid", "sampling.schedule=linear", "sampling.alpha_end=0"],
            ["sampling.schedule: hybrid has one alpha throughout; set sampling=schedule"],
        ),
        (
            ["sampling=schedule", "sampling.schedule=linaer"],
            [
                "sampling.schedule: 'linaer' is not one of 'constant', 'linear', 'cosine', 'switch', 'steps'",
                "sampling.alpha_end: schedule linaer does not go there; set sampling.schedule=linear, or leave it out "
                "(null)",
            ],
        ),
        (["sampling=sequential", "sampling.switch_at=2"], ["sampling.switch_at: 2 is not a fraction between 0 and 1"]),
        (
            ["sampling=steps", "sampling.alpha_steps=half"],
            ["sampling.alpha_steps: 'half' is not list[list[float]] or None"],
        ),
        (
            ["sampling=x_x", "sampling.pair_exponent=1"],
            ["sampling.pair_exponent: there are no X-Y batches at alpha 1; leave it out, or set sampling=hybrid"],
        ),
        (
            ["sampling=x_en", "sampling.language_exponent=1"],
            ["sampling.language_exponent: there are no X-X batches at alpha 0; leave it out, or set sampling=hybrid"],
        ),
        (
            ["sampling=x_y", "sampling.same_language=pair"],
            ["sampling.same_language: there are no X-X batches at alpha 0; leave it out, or set sampling=hybrid"],
        ),
        (
            ["sampling=x_en", "sampling.languages=[de,zh]"],
            ["sampling.languages: cross_language=x_en pairs languages with English; add en"],
        ),
        (
            ["sampling=sequential", "sampling.languages=[en]"],
            ["sampling.languages: X-Y batches need two languages; add one, or set sampling.alpha=1"],
        ),
        (
            ["sampling=x_y", "sampling.languages=[en,eng_Latn]"],
            ["sampling.languages: en, eng_Latn name a language twice; leave one of them out"],
        ),
        (
            ["sampling=hybrid", "sampling.languages=[en,en,de]"],
            ["sampling.languages: en, en, de name a language twice; leave one of them out"],
        ),
    ],
)
def test_strategies_that_contradict_themselves(overrides: list[str], expected: list[str]) -> None:
    assert problems(*overrides) == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["sampling.batch_size=many"], "sampling.batch_size: 'many' is not int"),
        (["sampling=x_y", "sampling.alpha=0.5"], "sampling.alpha: x_y means alpha 0; to mix, set sampling=hybrid"),
        (["sampling=null"], "sampling: Config group override must be a string or a list. Got NoneType"),
        (
            ["~sampling._target_"],
            "sampling: nothing to build; choose an option of the group "
            "(in an experiment file: `defaults: [override /sampling: ...]`)",
        ),
        (
            ["corpus=bitext", "corpus.data_dir=.", "sampling=hybrid"],
            "sampling.alpha: in an X-X batch of bitext each sentence would be its own translation; set sampling=x_y, "
            "or make bitext a part of corpus=mixture",
        ),
        (
            ["corpus=squad"],
            "sampling.alpha: the corpus is in English only, and X-Y batches need two languages; set sampling=x_x",
        ),
        (
            ["corpus=miracl", "sampling=hybrid"],
            "sampling.alpha: each query of the corpus is in one language only, and so are its passages: there are "
            "no X-Y batches; set sampling=x_x, or make it a part of corpus=mixture",
        ),
        (
            ["sampling.name=../../x"],
            "sampling.name: '../../x' has a slash, a backslash or a control character in it; choose another",
        ),
        (
            ["sampling=english", "loss=alignment"],
            "sampling.languages: a loss of translations needs two languages; add one, or set loss=contrastive",
        ),
        (
            ["sampling.languages=[en]"],
            "sampling.languages: X-Y batches need two languages; add one, or set sampling.alpha=1",
        ),
    ],
)
def test_one_problem_of_a_strategy(overrides: list[str], expected: str) -> None:
    assert expected in problems(*overrides)
