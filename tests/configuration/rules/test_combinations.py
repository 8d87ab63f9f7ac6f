"""Settings of the engine, of an evaluation and of mining that contradict each other."""

import os
from pathlib import Path

import pytest

from babelbatch.configuration.schema import (
    register,
    sha256_of,
)
from babelbatch.jobs.plan import check_jobs
from configurations import problems


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            ["grad_cache=true"],
            "data.chunk_tokens: grad_cache encodes chunk by chunk; set their size, such as data.chunk_tokens=8192",
        ),
        (
            ["encoder.attention=flash_attention_2"],
            "encoder.attention: flash_attention_2 computes in half precision only, but trainer.precision is 32-true; "
            "set trainer.precision=bf16-mixed, or encoder.attention=sdpa",
        ),
        (
            ["+trainer.plugins=[x]"],
            "trainer.plugins: set by the run itself, which saves its checkpoints in its own way",
        ),
        *(
            (
                [f"+trainer.precision={precision}"],
                f"trainer.precision: {precision} keeps the weights in half precision, where small updates are lost; "
                "set bf16-mixed",
            )
            for precision in ("bf16-true", "16-true", "transformer-engine")
        ),
        (
            ["+trainer.precision=64-true"],
            "trainer.precision: vectors and losses are in float32, not in 64-true; set 32-true",
        ),
        *(
            (
                [f"+trainer.{setting}"],
                f"trainer.{setting.partition('=')[0]}: a run that it ends before its last step would count as "
                "complete, with a learning rate and alpha of the middle; set trainer.max_steps or trainer.max_tokens",
            )
            for setting in ("max_time=00:11:00:00", "limit_train_batches=0.1", "fast_dev_run=true", "overfit_batches=2")
        ),
        (
            ["trainer.use_distributed_sampler=true"],
            "trainer.use_distributed_sampler: batches are planned whole, and would be divided again; leave it out",
        ),
        (["callbacks.checkpoint.every_n_steps=0"], "callbacks.checkpoint.every_n_steps: 0 is not at least 1"),
    ],
)
def test_options_of_the_engine_that_contradict(overrides: list[str], problem: str) -> None:
    assert problem in problems(*overrides)


@pytest.mark.parametrize("precision", ["32", "32-true", "bf16", "bf16-mixed"])
def test_precisions_that_keep_the_weights(precision: str) -> None:
    assert problems(f"+trainer.precision={precision}") == []


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["trainer.callbacks=[]"],
            "trainer.callbacks: set by the run itself; use the config groups callbacks and logger instead",
        ),
        (
            ["trainer.enable_progress_bar=false"],
            "trainer.enable_progress_bar: set by the run itself; use the config groups callbacks and logger instead",
        ),
        (
            ["loss._target_=babelbatch.lossy.X"],
            "loss._target_: 'babelbatch' has no module 'lossy', did you mean 'loss'?",
        ),
        (
            ["loss._target_=nowhere.X"],
            "loss._target_: there is no package 'nowhere'; put the folder that holds it on PYTHONPATH",
        ),
        (["encoder=local", "encoder.name_or_path=./gone"], "encoder.name_or_path: there is no folder './gone'"),
        (["loss=mimo", "teacher=./gone"], "teacher: there is no folder './gone'"),
        (
            ["evaluation=search", "evaluation.debias=lir"],
            "evaluation.debias: a search does not score all candidates, which it is fitted on; leave it out, or set "
            "evaluation=default",
        ),
        (
            ["evaluation=search", "evaluation.trec_files=true"],
            "evaluation.trec_files: a search does not score all candidates; leave it out, or set evaluation=default",
        ),
        (
            ["encoder=xlmr_base", "encoder.query_prompts.world_fact='Which fact? '"],
            "encoder.query_prompts.world_fact: there is no benchmark or part of a mixture of this name, did you mean "
            "'world_facts'? (there are: world_facts); for all queries, set encoder.query_prefix",
        ),
        (
            ["encoder=xlmr_base", "encoder.query_prompts.world_facts=3"],
            "encoder.query_prompts.world_facts: 3 is no text; quote it",
        ),
        (
            ["encoder=xlmr_base", "encoder.dtype=bfloat16"],
            "encoder.dtype: bfloat16 loses small updates of trained weights; set tuning=lora, which trains adapters in "
            "float32, or leave it out and set trainer.precision=bf16-mixed, or loss.teacher.dtype for a teacher",
        ),
        (
            ["encoder=xlmr_base", "encoder.dtype=float16", "tuning=lora"],
            "encoder.dtype: gradients of float16 overflow in training; set encoder.dtype=bfloat16 with tuning=lora",
        ),
        (
            ["evaluation=search", "evaluation.dimensions=[64,32]"],
            "evaluation.dimensions: an index is of whole vectors; leave it out, or set evaluation=default",
        ),
        (
            ["evaluation.index.probes=64"],
            "evaluation.index: it has no index; set index@evaluation.index=ivf, exact or hnsw, or leave it out",
        ),
        (["evaluation.components=2"], "evaluation.components: only LIR removes components; set evaluation.debias=lir"),
        (
            ["evaluation.sample_queries=50"],
            "evaluation.sample_queries: nothing is evaluated during training; "
            "set callbacks.evaluate.during_training=true",
        ),
        (
            ["evaluation.trec_depth=10"],
            "evaluation.trec_depth: no TREC files are written; set evaluation.trec_files=true",
        ),
    ],
)
def test_one_contradiction(overrides: list[str], expected: str | None) -> None:
    found = problems(*overrides)
    assert len(found) >= 1
    if expected is not None:
        assert expected in found


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            [],
            "encoder.name_or_path: missing; set it to a folder or hub name (to evaluate a run: set checkpoint)",
        ),
        (
            ["checkpoint=.", "encoder=labse"],
            "checkpoint: it brings its own encoder; leave out either checkpoint or encoder.name_or_path",
        ),
        (["checkpoint=gone"], "checkpoint: there is no 'gone'"),
        (
            ["checkpoint=.", "encoder.query_length=96"],
            "encoder.query_length: the checkpoint's own encoder is used as it is; leave it out, or in place of "
            "checkpoint set encoder.name_or_path=<run>/encoder",
        ),
        (
            ["encoder=tiny"],
            "encoder: a new encoder has learned nothing; set checkpoint=<run>, or encoder=local encoder.name_or_path=",
        ),
        (["sampling=x_x"], None),
        (
            ["checkpoint=.", "evaluation.sample_queries=50"],
            "evaluation.sample_queries: only for evaluations during training; leave it out",
        ),
    ],
)
def test_one_problem_of_an_evaluation(overrides: list[str], expected: str | None) -> None:
    found = problems(*overrides, root="evaluate")
    assert (found == [expected]) if expected else len(found) >= 1


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["checkpoint=."], []),
        (["checkpoint=.", "corpus=world_facts", "index=hnsw", "index.search=64", "mining.languages=any"], []),
        (["checkpoint=gone"], ["checkpoint: there is no 'gone'"]),
        (
            ["encoder=labse"],
            ["corpus: choose one, or set checkpoint to a run, whose corpus is then mined"],
        ),
        (
            ["checkpoint=.", "corpus.languages=[en]"],
            [
                "corpus: nothing to build; choose an option of the group (in an experiment file: "
                "`defaults: [override /corpus: ...]`)"
            ],
        ),
        (
            ["checkpoint=.", "encoder=labse"],
            ["checkpoint: it brings its own encoder; leave out either checkpoint or encoder.name_or_path"],
        ),
        (
            ["checkpoint=.", "mining.first_rank=98"],
            ["mining.last_rank: ranks 98 to 100 do not hold 5 negatives; raise it"],
        ),
        (["checkpoint=.", "mining.negatives=0"], ["mining.negatives: 0 is not at least 1"]),
        (["checkpoint=.", "mining.relative_margin=5"], ["mining.relative_margin: 5 is not between 0 and 1"]),
        (["checkpoint=.", "mining.choice=worst"], ["mining.choice: 'worst' is not one of 'best', 'random'"]),
        (
            ["checkpoint=.", "mining.negative=3"],
            ["mining.negative: Mining takes no such argument, did you mean 'mining.negatives'?"],
        ),
        (["checkpoint=.", "index=ivf", "index.probes=0"], ["index.probes: 0 is not at least 1"]),
        (
            ["checkpoint=.", "index.probes=8"],
            ["index.probes: Exact takes no such argument (it takes: )"],
        ),
    ],
)
def test_what_mining_is_told(overrides: list[str], expected: list[str]) -> None:
    assert problems(*overrides, root="mine") == expected


def test_a_table_of_negatives(tmp_path: Path) -> None:
    table = tmp_path / "negatives.parquet"
    assert problems(f"negatives={table}") == [
        f"negatives: there is no file '{table}'; babelbatch-mine writes one, negatives.parquet"
    ]
    assert problems("negatives_sha256=12") == [
        "negatives_sha256: there are no negatives; set negatives=<the table>, or leave it out"
    ]
    table.write_bytes(b"one")
    assert problems(f"negatives={table}") == []
    digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert sha256_of(str(table)) == digest
    register()
    folders = []
    for content in (b"one", b"two", b"one"):
        table.write_bytes(content)
        os.utime(table, ns=(len(folders), len(folders)))
        (folder,) = check_jobs("train", [f"++negatives={table}"], multirun=False)
        folders.append(folder)
    assert folders[0] == folders[2] != folders[1]
    assert sha256_of(None) is sha256_of(str(tmp_path / "gone")) is None


@pytest.mark.parametrize("root", ["train", "evaluate", "mine"])
def test_a_name_that_leads_elsewhere(root: str) -> None:
    """A folder below multirun is called by it."""
    more = [] if root == "train" else ["encoder=xlmr_base"] + ["corpus=world_facts"] * (root == "mine")

    def found(name: str) -> list[str]:
        return [line for line in problems(f"name={name}", *more, root=root) if line.startswith("name")]

    slash, dot = (
        "has a slash, a backslash or a control character in it",
        "begins with a dot or a space, or ends with a space",
    )
    for name, problem in (("../up", slash), ("a/b", slash), ("/tmp/x", slash), ("..", dot)):
        assert found(name) == [f"name: '{name}' {problem}, and a folder is called by it; choose another"]
    assert found("my-runs_2.0") == []


def test_a_folder_without_a_model_is_named_before_anything_is_loaded(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "encoder").mkdir(parents=True)
    for root in ("train", "evaluate"):
        assert problems("encoder=local", f"encoder.name_or_path={tmp_path}", root=root) == [
            f"encoder.name_or_path: there is no model in the folder '{tmp_path}' (no config.json); name the folder "
            "that holds it"
        ]
    (run / "encoder" / "config.json").touch()
    assert problems("encoder=local", f"encoder.name_or_path={run}", f"teacher={run / 'encoder'}") == [
        f"encoder.name_or_path: '{run}' is a run, not a model; set it to {run}/encoder"
    ]
