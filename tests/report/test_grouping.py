"""Which runs are one group, what it is called, and what is not compared."""

from pathlib import Path

import pytest

from babelbatch.report.grouping import Group, grouped, only, refuse_mixed
from babelbatch.report.runs import find_runs
from run_folders import write_run, write_sweep


def groups_in(folder: Path) -> list[Group]:
    return grouped(find_runs([folder]).runs)


def test_runs_that_differ_in_the_seed_alone_are_one_group(tmp_path: Path) -> None:
    write_sweep(tmp_path, {1.0: {}, 0.5: {}, 0.0: {}}, seeds=2)
    found = groups_in(tmp_path)
    assert [(group.label, group.seeds) for group in found] == [
        ("X-Y", (0, 1)),
        ("hybrid alpha=0.5", (0, 1)),
        ("X-X", (0, 1)),
    ]
    assert len({group.rest for group in found}) == 1
    assert all(group.on_the_curve for group in found)


def test_labels_say_what_differs_and_no_more(tmp_path: Path) -> None:
    for number, rate in enumerate((0.01, 0.1)):
        optimizer = {"optimizer": {"lr": rate, "weight_decay": 0.01}}
        write_run(tmp_path / f"x{number}", "x_x", 1.0, settings=optimizer)
        write_run(tmp_path / f"h{number}", "hybrid", 0.25, settings=optimizer)
    assert [group.label for group in groups_in(tmp_path)] == [
        "hybrid alpha=0.25 lr=0.01", "hybrid alpha=0.25 lr=0.1", "X-X lr=0.01", "X-X lr=0.1",
    ]  # fmt: skip


def test_a_setting_that_is_left_at_its_default_is_not_named(tmp_path: Path) -> None:
    for strategy, alpha in (("x_x", 1.0), ("x_y", 0.0)):
        write_run(tmp_path / strategy, strategy, alpha)
    write_run(tmp_path / "unmasked", "x_y", 0.0, settings={"loss": {"mask_same_passage": False}})
    assert sorted(group.label for group in groups_in(tmp_path)) == ["X-X", "X-Y", "X-Y mask_same_passage=False"]


def test_settings_of_one_name_are_told_apart(tmp_path: Path) -> None:
    write_run(tmp_path / "neither", "x_x", 1.0)
    for place in ("optimizer", "scheduler"):
        write_run(tmp_path / place, "x_x", 1.0, settings={place: {"lr": 0.1}})
    assert sorted(group.label for group in groups_in(tmp_path)) == [
        "X-X lr=0.1 lr=default", "X-X lr=default lr=0.1", "X-X lr=default lr=default",
    ]  # fmt: skip


def test_numbers_are_in_order(tmp_path: Path) -> None:
    for number, rate in enumerate((10.0, 2.0, 1e-05, 1.0)):
        write_run(tmp_path / str(number), "x_x", 1.0, settings={"optimizer": {"lr": rate}})
    assert [group.label for group in groups_in(tmp_path)] == ["X-X lr=1e-05", "X-X lr=1", "X-X lr=2", "X-X lr=10"]


def test_settings_of_another_strategy_are_not_named(tmp_path: Path) -> None:
    """A run has no weights of an average, and no default of them."""
    write_run(tmp_path / "x", "x_x", 1.0)
    write_run(tmp_path / "h", "hybrid", 0.5)
    for share in (0.25, 0.75):
        merged = {"sampling": {"name": "merged"}, "merged": {"weights": f"{share},{1 - share}"}}
        write_run(tmp_path / f"m{share}", "merged", settings=merged)
    labels = sorted(group.label for group in groups_in(tmp_path))
    assert labels == ["Merged weights=0.25,0.75", "Merged weights=0.75,0.25", "X-X", "hybrid alpha=0.5"]


def test_encoders_are_called_by_their_names(tmp_path: Path) -> None:
    for name in ("org/small", "org/large"):
        encoder = {"_target_": "babelbatch.encoder.pretrained", "name_or_path": name, "prefix": name}
        write_run(tmp_path / name, "mixed", 1.0, settings={"encoder": encoder})
    assert [group.label for group in groups_in(tmp_path)] == ["mixed large", "mixed small"]


def test_encoders_without_a_name_or_with_one_that_others_have_too(tmp_path: Path) -> None:
    """As evaluations have them: of a run, of two encoder folders of runs, of two models of one name, of a baseline."""
    static = {"_target_": "babelbatch.encoder.static", "vocab_size": 9}
    write_run(tmp_path / "run", "hybrid", 0.5, settings={"encoder": static})
    long = f"hybrid_{'languages-en_de_zh_' * 4}92f1a8ae"
    names = ("runs/a/encoder", "runs/b/encoder", f"runs/{long}/encoder", "/x/model", "/y/model/")
    for number, name in enumerate(names):
        encoder = {"_target_": "babelbatch.encoder.pretrained", "name_or_path": name}
        write_run(tmp_path / f"{number}", settings={"encoder": encoder, "sampling": None})
    write_run(tmp_path / "lexical", settings={"encoder": {"_target_": "babelbatch.lexical.BM25"}, "sampling": None})
    labels = sorted(group.label for group in groups_in(tmp_path))
    short = "hybrid_languages-en_de_zh_la..._92f1a8ae"
    assert labels == ["BM25", "a", "b", "hybrid alpha=0.5", short, "x/model", "y/model"]


def test_fixed_systems_leave_the_labels_of_trained_ones_alone(tmp_path: Path) -> None:
    """One encoder for all runs is in no label. As it was before training, it is no other pretrained encoder."""
    start = {"_target_": "babelbatch.encoder.pretrained", "name_or_path": "models/small"}
    write_sweep(tmp_path, {0.5: {}, 1.0: {}}, settings={"encoder": start})
    for number, encoder in enumerate(
        (
            start,
            start | {"name_or_path": "models/large"},
            {"_target_": "babelbatch.lexical.BM25"},
            {"_target_": "babelbatch.lexical.CharNgrams"},
        )
    ):
        write_run(tmp_path / f"fixed{number}", settings={"encoder": encoder, "sampling": None})
    labels = sorted(group.label for group in groups_in(tmp_path))
    assert labels == ["BM25", "CharNgrams", "X-X", "hybrid alpha=0.5", "large", "small untrained"]


def test_an_encoder_before_training_has_its_name(tmp_path: Path) -> None:
    start = {"_target_": "babelbatch.encoder.pretrained", "name_or_path": "models/small"}
    write_run(tmp_path / "trained", settings={"encoder": start})
    write_run(tmp_path / "fixed", settings={"encoder": start, "sampling": None})
    assert sorted(group.label for group in groups_in(tmp_path)) == ["hybrid alpha=0.5", "small untrained"]


def test_an_encoder_before_training_is_told_from_its_namesake_and_from_trained_weights(tmp_path: Path) -> None:
    """Runs from two encoders of one name, and from the weights of a run."""
    started_from = ("m/small", "n/small", "runs/a/encoder")
    for number, name in enumerate(started_from):
        start = {"_target_": "babelbatch.encoder.pretrained", "name_or_path": name}
        write_run(tmp_path / f"trained{number}", settings={"encoder": start})
        if number:
            write_run(tmp_path / f"fixed{number}", settings={"encoder": start, "sampling": None})
    assert sorted(group.label for group in groups_in(tmp_path)) == [
        "a", "hybrid alpha=0.5 a", "hybrid alpha=0.5 m/small", "hybrid alpha=0.5 n/small", "n/small untrained",
    ]  # fmt: skip


def test_how_a_fixed_system_was_evaluated_is_named_where_it_is_for_the_others(tmp_path: Path) -> None:
    start = {"_target_": "babelbatch.encoder.pretrained", "name_or_path": "models/small"}
    for method in ("none", "lir"):
        write_run(tmp_path / method, settings={"encoder": start, "evaluation": {"debias": method}})
    write_run(tmp_path / "fixed", settings={"encoder": start, "sampling": None, "evaluation": {"debias": "lir"}})
    assert sorted(group.label for group in groups_in(tmp_path)) == [
        "hybrid alpha=0.5 debias=lir", "hybrid alpha=0.5 debias=none", "small debias=lir untrained",
    ]  # fmt: skip


def test_trained_encoders_of_two_kinds_are_told_apart(tmp_path: Path) -> None:
    for number, encoder in enumerate(
        (
            {"_target_": "babelbatch.encoder.pretrained", "name_or_path": "models/small"},
            {"_target_": "babelbatch.encoder.static", "vocab_size": 9},
        )
    ):
        write_run(tmp_path / f"{number}", settings={"encoder": encoder})
    assert sorted(group.label for group in groups_in(tmp_path)) == ["hybrid alpha=0.5 small", "hybrid alpha=0.5 static"]


def test_the_ends_of_a_sweep_over_alpha_are_called_what_they_are(tmp_path: Path) -> None:
    for alpha in (0.0, 0.25, 1.0):
        write_run(tmp_path / f"{alpha}", "hybrid", alpha)
    assert [group.label for group in groups_in(tmp_path)] == ["X-Y (alpha=0)", "hybrid alpha=0.25", "X-X (alpha=1)"]


def test_a_single_group_has_a_name(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "english", 1.0)
    assert [group.label for group in groups_in(tmp_path)] == ["english"]


def test_how_the_work_is_done_does_not_part_runs_but_one_seed_counts_once(tmp_path: Path) -> None:
    write_run(tmp_path / "a", settings={"threads": 1})
    write_run(tmp_path / "b", seed=1, settings={"threads": 2, "device": "cuda"})
    assert len(groups_in(tmp_path)) == 1
    write_run(tmp_path / "c", settings={"threads": 2})
    with pytest.raises(ValueError, match="one seed") as refusal:
        groups_in(tmp_path)
    assert str(refusal.value) == (
        f"runs: {tmp_path}/a and {tmp_path}/c are 'hybrid alpha=0.5' with one seed, and differ in nothing that a "
        "strategy is compared by; name only one of them in runs="
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"facts": {"fingerprint/facts": "another"}},
            "{a} and {b} cannot be compared: facts has other questions or candidates in the second (fingerprint print "
            "of facts and another); evaluate both again with one version, or report on each alone",
        ),
        (
            {"facts": {"protocol/facts": "sentences with context"}},
            "{a} and {b} cannot be compared: facts has another protocol in the second (protocol sentences and "
            "sentences with context); evaluate both again with one version, or report on each alone",
        ),
        (
            {"benchmarks": ("facts", "other")},
            "{a} and {b} cannot be compared: scored on facts and on facts, other; compare on what they share with "
            "benchmarks=facts",
        ),
        (
            {"benchmarks": ("other",)},
            "{a} and {b} cannot be compared: scored on facts and on other; report on each alone",
        ),
    ],
)
def test_other_data_or_another_protocol_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", "x_x", 1.0, **changes)
    with pytest.raises(ValueError, match="cannot be compared") as refusal:
        refuse_mixed(find_runs([tmp_path]).runs)
    assert str(refusal.value) == "runs: " + message.format(a=first, b=second)


def test_only_what_runs_share(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", "x_x", 1.0, benchmarks=("facts", "other"))
    runs = find_runs([tmp_path]).runs
    chosen, without = only(runs, ("facts",))
    assert without == []
    refuse_mixed(chosen)
    assert [run.benchmarks for run in chosen] == [("facts",), ("facts",)]
    assert [[run.folder.name for run in each] for each in only(runs, ("other",))] == [["b"], ["a"]]
    with pytest.raises(ValueError, match=r"^benchmarks: no run has fatcs \(there are: facts, other\)$"):
        only(runs, ("fatcs",))
