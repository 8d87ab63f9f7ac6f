"""Keys in messages as they can be typed."""

import pytest

from babelbatch.configuration.key_paths import closest_path, with_full_paths

PATHS = ["sampling.alpha", "loss.temperature", "corpus.languages", "benchmarks.a.languages", "loss.weight"]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("alpha", ", did you mean 'sampling.alpha'?"),
        ("temprature", ", did you mean 'loss.temperature'?"),
        ("languages", ", did you mean 'corpus.languages' or 'benchmarks.a.languages'?"),
        ("zzz", ""),
    ],
)
def test_the_closest_path(key: str, hint: str) -> None:
    assert closest_path(key, PATHS) == hint


def test_a_key_that_is_everywhere_is_no_suggestion() -> None:
    assert closest_path("languages", [f"benchmarks.{name}.languages" for name in "abcd"]) == ""


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("x.json: gone; set data_dir to local files", "x.json: gone; set corpus.data_dir to local files"),
        ("a.csv: name the right one in columns.query", "a.csv: name the right one in corpus.columns.query"),
        ("name it in columns, such as columns.query=q", "name it in corpus.columns, such as corpus.columns.query=q"),
        ("columns.qury: no such column", "corpus.columns.qury: no such column"),
        ("languages: ['en', 'en'] names one twice", "corpus.languages: ['en', 'en'] names one twice"),
        ("add it, or leave the language out of `languages`", "add it, or leave the language out of corpus.languages"),
        ("data_dir: there is no folder x", "corpus.data_dir: there is no folder x"),
        ("named by hub=, not path=", "named by corpus.hub=, not corpus.path="),
        ("/tmp/data_dir/path: the path of languages", "/tmp/data_dir/path: the path of languages"),
        ("corpus.columns: set corpus.data_dir", "corpus.columns: set corpus.data_dir"),
        ("no column 'data_dir'; choose with languages", "no column 'data_dir'; choose with corpus.languages"),
    ],
)  # fmt: skip
def test_a_loaders_message_names_what_can_be_typed(message: str, typed: str) -> None:
    keys = ["columns", "data_dir", "hub", "languages", "path"]
    assert with_full_paths(message, "corpus", keys) == typed


def test_a_loader_without_parameters() -> None:
    assert with_full_paths("set data_dir to x", "corpus", []) == "set data_dir to x"
