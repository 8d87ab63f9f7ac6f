"""Merged runs, by the commands as typed: the average itself, its evaluation, its place in a report, what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from huggingface_hub.repocard import metadata_load
from safetensors.torch import load_file

from babelbatch.commands.merge import MergedRun, merged_facts
from babelbatch.commands.merge_command import Merge, parse
from babelbatch.configuration.identity import identity
from babelbatch.configuration.saved import load_config
from babelbatch.encoder import interpolated, tiny, weights_digest
from babelbatch.report.grouping import grouped
from babelbatch.report.merged_card import Parent, merged_metadata
from babelbatch.report.runs import FoundRuns, find_runs
from commands import SMALL, metrics, run_forked, weights
from run_folders import write_run

SHORT = [*SMALL, "encoder.hidden_size=16", "trainer.max_steps=6", "logger=none"]
BENCHMARK = ["benchmarks.world_facts.languages=[en,de,zh]", "logger=none"]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """X-X and X-Y of two seeds, and a hybrid of each."""
    place = tmp_path_factory.mktemp("sweep")
    run_forked("babelbatch-train", "-m", *SHORT, "sampling=x_x,x_y,hybrid", "seed=0,1", "output_dir=out", cwd=place)
    found = {}
    for path in (place / "out").glob("*/metrics.json"):
        facts = json.loads(path.read_text())
        found[f"{facts['strategy']} {facts['seed']}"] = path.parent
    assert len(found) == 6
    return found


def merge(sweep: dict[str, Path], *arguments: str, place: Path, seed: int = 0, code: int = 0) -> str:
    runs = f"runs={sweep[f'x_x {seed}']},{sweep[f'x_y {seed}']}"
    done = run_forked("babelbatch-merge", runs, *arguments, cwd=place, code=code)
    return done.stdout if code == 0 else done.stderr


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "encoder" / "model.safetensors")


def test_the_average(sweep: dict[str, Path], tmp_path: Path) -> None:
    merge(sweep, "weights=0.25,0.75", "output=merged", place=tmp_path)
    x_x, x_y, merged = (tensors(folder) for folder in (sweep["x_x 0"], sweep["x_y 0"], tmp_path / "merged"))
    assert x_x.keys() == x_y.keys() == merged.keys()
    for name, tensor in merged.items():
        torch.testing.assert_close(tensor, 0.25 * x_x[name] + 0.75 * x_y[name])
        assert not torch.equal(x_x[name], x_y[name])
    facts = json.loads((tmp_path / "merged" / "merge.json").read_text())
    both = [metrics(sweep[name]) for name in ("x_x 0", "x_y 0")]
    assert facts["merged/weights"] == "0.25 x_x + 0.75 x_y"
    assert (facts["strategy"], facts["alpha"], facts["seed"]) == ("merged", None, 0)
    for name in ("steps", "tokens/encoded", "flops/train"):
        assert facts[name] == both[0][name] + both[1][name]


def test_the_card_names_the_runs(sweep: dict[str, Path], tmp_path: Path) -> None:
    merge(sweep, "weights=0.25,0.75", "output=merged", place=tmp_path)
    path = tmp_path / "merged" / "encoder" / "README.md"
    found, text = metadata_load(path), path.read_text(encoding="utf-8")
    assert found["tags"] == ["babelbatch", "merge", "multilingual", "retrieval"]
    assert found["library_name"] == "sentence-transformers"
    assert ModelCard.load(path).data.language == sorted(metrics(sweep["x_x 0"])["languages/corpus"])
    for name, share in (("x_x", "0.25"), ("x_y", "0.75")):
        run, facts = sweep[f"{name} 0"], metrics(sweep[f"{name} 0"])
        row = f"| {run.name} | {share} | {name} | 0 | 6 | {facts['tokens/encoded']:,} | `{facts['config_hash'][:16]}` |"
        assert row in text
    assert "| sampling.name | x_x | x_y |" in text
    assert "\noptimizer.lr: " in text.partition("Configuration that the runs share")[2]
    assert "| corpus | World facts | Unicode-3.0 (CLDR, built in) |  |" in text
    assert f"| fingerprint/corpus | `{metrics(sweep['x_x 0'])['fingerprint/corpus']}` |" in text
    assert str(tmp_path) not in text


def test_its_export_keeps_the_card(sweep: dict[str, Path], tmp_path: Path) -> None:
    merge(sweep, "output=merged", place=tmp_path)
    card = (tmp_path / "merged" / "encoder" / "README.md").read_text(encoding="utf-8")
    for run in ("merged", "merged/encoder"):
        output = tmp_path / f"of-{run.replace('/', '-')}"
        done = run_forked("babelbatch-export", f"run={run}", f"output={output}", "dtype=float16", cwd=tmp_path)
        assert "no model card" not in done.stdout
        exported = (output / "README.md").read_text(encoding="utf-8")
        assert exported.replace("\nExported with weights in float16.\n", "", 1) == card != exported


def test_the_card_has_the_languages_that_batches_were_drawn_from() -> None:
    """The corpus has three, and one run took one of them."""
    facts = {"languages/corpus": ["de", "en", "zh"]}
    of_one = [Parent(name, 0.5, "x_x", facts, {"sampling.languages": [name]}) for name in ("de", "zh")]
    assert merged_metadata("merged", of_one, False).language == ["de", "zh"]


def test_a_sweep_ends_in_the_runs_themselves(sweep: dict[str, Path], tmp_path: Path) -> None:
    printed = merge(sweep, "sweep=0,0.5,1", "output=merged", place=tmp_path)
    assert printed.splitlines() == [
        "merged/0", "merged/0.5", "merged/1",
        "To evaluate: babelbatch-evaluate checkpoint=merged/0 'benchmarks=[...]'",
    ]  # fmt: skip
    assert weights(tmp_path / "merged" / "0") == weights(sweep["x_y 0"])
    assert weights(tmp_path / "merged" / "1") == weights(sweep["x_x 0"])
    before = weights(tmp_path / "merged" / "0.5")
    merge(sweep, "sweep=0.5", "output=merged", place=tmp_path)  # finished already
    assert weights(tmp_path / "merged" / "0.5") == before


def test_runs_that_were_trained_again_are_not_merged_already(sweep: dict[str, Path], tmp_path: Path) -> None:
    """With the settings of before, on other data: the same configuration, other weights."""
    for seed in (0, 1):
        shutil.copytree(sweep[f"x_y {seed}"], tmp_path / f"y{seed}")
    shutil.copytree(sweep["x_x 0"], tmp_path / "x")
    run_forked("babelbatch-merge", "runs=x,y0", "output=merged", cwd=tmp_path)
    shutil.copy(tmp_path / "y1" / "encoder" / "model.safetensors", tmp_path / "y0" / "encoder")
    shutil.copy(tmp_path / "y1" / "encoder" / "checksums.json", tmp_path / "y0" / "encoder")
    error = run_forked("babelbatch-merge", "runs=x,y0", "output=merged", cwd=tmp_path, code=2).stderr
    assert error.splitlines()[-1] == (
        "babelbatch: output: merged is the average of other weights, which these runs had before they were trained "
        "again; choose another folder, or remove that one"
    )


def test_it_is_evaluated_and_compared_as_a_rival_of_hybrid(sweep: dict[str, Path], tmp_path: Path) -> None:
    """One group of two seeds, beside the runs; the planned contrast with hybrid is tested."""
    for seed in (0, 1):
        merge(sweep, f"output=merged_{seed}", place=tmp_path, seed=seed)
        contrast = "report.contrasts=[{group: hybrid, against: merged, measure: multilingual}]"
        typed = [f"checkpoint=merged_{seed}", *BENCHMARK, contrast, f"output_dir=evaluated/{seed}"]
        run_forked("babelbatch-evaluate", *typed, cwd=tmp_path)
    facts = metrics(tmp_path / "evaluated" / "1")
    assert (facts["strategy"], facts["seed"], facts["merged/weights"]) == ("merged", 1, "0.5 x_x + 0.5 x_y")
    run_forked("babelbatch-report", f"runs=evaluated,{sweep['x_x 0'].parent}", "output=report", cwd=tmp_path)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "Hybrid alpha=0.5 is not significantly different from Merged over the pool of all languages" in text
    cost = (tmp_path / "report" / "data" / "cost.csv").read_text().splitlines()
    (row,) = [line for line in cost if line.startswith("Merged")]
    assert row.split(",")[1:3] == ["2", "12"]
    assert "Merged is the average of the weights of finished runs, a rival of hybrid batches" in text


def finished_run(folder: Path, strategy: str, alpha: float, seed: int, lr: float) -> MergedRun:
    run = write_run(folder, strategy, alpha, seed, facts={"languages/corpus": ["en"]}, settings={"lr": lr})
    metrics_ = json.loads((run / "metrics.json").read_text()) | {"config_hash": f"{strategy} {seed} {lr}"}
    return MergedRun(run, metrics_, identity(load_config(run / "config.yaml")))


def averages_of(place: Path, pairs: Sequence[tuple[tuple[int, float], tuple[int, float]]]) -> FoundRuns:
    """Evaluations of averages of an X-X and an X-Y run, each (seed, learning rate)."""
    for number, (x_x, x_y) in enumerate(pairs):
        parents = [
            finished_run(place / "runs" / f"{number}{name}", name, alpha, *own)
            for name, alpha, own in (("x_x", 1.0, x_x), ("x_y", 0.0, x_y))
        ]
        facts = merged_facts(parents, (0.5, 0.5))
        folder = write_run(place / "evaluated" / str(number), facts=facts, settings={"sampling": {}})
        config = {"checkpoint": f"merged/{number}", "name": "evaluate", "output_dir": str(folder)}
        (folder / "config.yaml").write_text(json.dumps(config))
    return find_runs([place / "evaluated"])


def test_averages_of_several_seeds_are_a_group(tmp_path: Path) -> None:
    """Of seeds 0 and 1, and of 2 and 3: neither is there twice."""
    found = averages_of(tmp_path, [((0, 0.1), (1, 0.1)), ((2, 0.1), (3, 0.1))])
    assert found.repeated == []
    assert [(group.label, group.seeds) for group in grouped(found.runs)] == [("Merged", (0, 2))]
    assert found.runs[0].metrics["languages/corpus"] == ["en"]


def test_averages_of_other_learning_rates_are_no_seeds_of_one(tmp_path: Path) -> None:
    found = averages_of(tmp_path, [((0, 0.1), (0, 0.3)), ((1, 0.001), (1, 0.003))])
    assert [(group.label, group.seeds) for group in grouped(found.runs)] == [
        ("Merged lr=0.001", (1,)), ("Merged lr=0.1", (0,)),
    ]  # fmt: skip


def test_other_initial_weights_are_refused(sweep: dict[str, Path], tmp_path: Path) -> None:
    runs = f"runs={sweep['x_x 0']},{sweep['x_y 1']}"
    error = run_forked("babelbatch-merge", runs, "output=merged", cwd=tmp_path, code=2).stderr
    assert error.splitlines()[-1] == (
        f"babelbatch: runs: {sweep['x_x 0']} and {sweep['x_y 1']} began from other weights, whose average is of no "
        "use; merge runs of one pretrained encoder, or of one seed where the encoder or its projection is new"
    )
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    ("file", "key", "expected"),
    [
        ("config.json", "hidden_size", "have other architectures (hidden_size); merge runs of one encoder"),
        ("babelbatch.json", "pooling", "have other settings of the encoder (pooling); merge runs of one encoder"),
        ("tokenizer.json", "version", "have other tokenizers; merge runs of one encoder"),
    ],
)
def test_other_encoders_are_refused(sweep: dict[str, Path], tmp_path: Path, file: str, key: str, expected: str) -> None:
    other = shutil.copytree(sweep["x_y 0"], tmp_path / "other")
    content = json.loads((other / "encoder" / file).read_text())
    (other / "encoder" / file).write_text(json.dumps(content | {key: "changed"}))
    error = run_forked("babelbatch-merge", f"runs={sweep['x_x 0']},other", "output=merged", cwd=tmp_path, code=2).stderr
    assert error.splitlines()[-1] == f"babelbatch: runs: {sweep['x_x 0']} and other {expected}"


def test_what_is_no_finished_run_is_refused(sweep: dict[str, Path], tmp_path: Path) -> None:
    earlier = shutil.copytree(sweep["x_y 0"], tmp_path / "earlier")
    facts = {key: value for key, value in metrics(earlier).items() if key != "fingerprint/initial_weights"}
    (earlier / "metrics.json").write_text(json.dumps(facts))
    for name, expected in (
        ("earlier", "has no digest of its initial weights, like all runs of earlier versions; train it again"),
        (
            "nothing",
            "is not a finished training run (metrics.json or encoder/ is missing); name the folder that "
            "babelbatch-train wrote",
        ),
    ):
        error = run_forked("babelbatch-merge", f"runs={sweep['x_x 0']},{name}", "output=m", cwd=tmp_path, code=2).stderr
        assert error.splitlines()[-1] == f"babelbatch: runs: {name} {expected}"


def test_nothing_else_is_overwritten(sweep: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "thesis.txt").write_text("mine")
    error = merge(sweep, "output=merged", place=tmp_path, code=2)
    assert error.splitlines()[-1] == (
        "babelbatch: output: merged has something else in it; choose another folder, or remove that one"
    )


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (["runs=a", "output=o"], ["runs: fewer than two; name the folders of two or more runs, such as runs=a,b"]),
        (["runs=a,./a", "output=o"], ["runs: one is named twice; name each once, and give it its share in weights="]),
        (["runs=a,b"], ["output: name one folder, such as output=multirun/merged"]),
        (["runs=a,b", "output=o", "weights=0.5"], ["weights: 1 shares for 2 runs; give each run one"]),
        (["runs=a,b", "output=o", "weights=0.5,0.6"], ["weights: they sum to 1.1; shares sum to 1"]),
        (["runs=a,b", "output=o", "weights=2,-1"], [
            "weights: 2 is not a number between 0 and 1", "weights: -1 is not a number between 0 and 1",
        ]),
        (["runs=a,b,c", "output=o", "sweep=0.5"], [
            "sweep: the shares of more than two runs are no single number; use weights=",
        ]),
        (["runs=a,b", "output=o", "sweep=0.5,0.50"], ["sweep: a share is named twice; name each once"]),
        (["runs=a,b", "output=o", "weight=1,0"], [
            "'weight=1,0' is not an option, did you mean 'weights'?; write options as runs=..., weights=..., "
            "output=...",
        ]),
    ],
)  # fmt: skip
def test_every_mistake_is_named(arguments: list[str], problems: list[str]) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole message is compared
        parse(arguments)
    assert str(raised.value).splitlines() == problems


def test_shares_are_equal_unless_given() -> None:
    assert parse(["runs=a,b,c,d", "output=o"])[1] == [Merge((0.25,) * 4, Path("o"))]
    assert parse(["runs=a,b", "sweep=0.25,1", "output=o"])[1] == [
        Merge((0.25, 0.75), Path("o/0.25")), Merge((1.0, 0.0), Path("o/1")),
    ]  # fmt: skip


def test_the_digest_is_of_the_weights() -> None:
    def new(seed: int):
        torch.manual_seed(seed)
        return tiny(["red green blue"], vocab_size=40, hidden_size=8, layers=1, heads=2, dimensions=4)

    assert weights_digest(new(0)) == weights_digest(new(0)) != weights_digest(new(1))
    changed = new(0)
    with torch.no_grad():
        next(changed.parameters()).flatten()[0] += 1e-3
    assert weights_digest(changed) != weights_digest(new(0))


def test_an_average_in_half_precision_is_rounded_once() -> None:
    torch.manual_seed(0)
    one, other = (tiny(["red green"], vocab_size=40, hidden_size=8, layers=1, heads=2).bfloat16() for _ in range(2))
    wide = [{name: tensor.float() for name, tensor in each.state_dict().items()} for each in (one, other)]
    found = interpolated(iter([one, other]), [0.3, 0.7]).state_dict()
    for name, tensor in found.items():
        if tensor.is_floating_point():
            assert tensor.dtype == torch.bfloat16
            assert torch.equal(tensor, (wide[0][name] * 0.3 + wide[1][name] * 0.7).bfloat16())
