"""Evaluation, mining and search on two processes that others started: the files and answers of one process."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder import save, tiny
from commands import BIN, metrics, run_forked
from configurations import problems
from preloaded import started_preloaded
from processes import ended, finished, free_port

LANGUAGES = ["en", "de", "zh"]
MODEL = "encoder.name_or_path=model"
FACTS = ["benchmarks=world_facts", "benchmarks.world_facts.languages=[en,de,zh]", "logger=csv"]
CORPUS = ["corpus=world_facts", "corpus.languages=[en,de,zh]", "mining.relative_margin=null"]
TIMES = ("seconds/evaluate", "seconds/mine")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder that was not trained, and passages."""
    folder = tmp_path_factory.mktemp("ranks")
    corpus = load_corpus(LANGUAGES)
    texts = [*corpus.query_texts, *corpus.passage_texts]
    save(tiny(texts, vocab_size=1_000, hidden_size=16, heads=2, layers=1), folder / "model")
    (folder / "wiki.txt").write_text("\n".join(corpus.passage_texts) + "\n", encoding="utf-8")
    return folder


def by_torchrun(command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    begin = (BIN / "torchrun", "--nproc-per-node", "2", "--master-port", str(free_port()))
    return finished(*begin, BIN / command, *arguments, cwd=cwd, env=os.environ | {"OMP_NUM_THREADS": "1"})


def as_by_srun(command: str, *arguments: str, cwd: Path) -> tuple[str, str]:
    """Runs a command in two processes with the variables that Slurm sets for each task. Returns their outputs."""
    environment = os.environ | {
        "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "search", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_ID": "1", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost", "MASTER_PORT": str(free_port()),
    }  # fmt: skip
    with ExitStack() as stack:
        tasks = [
            stack.enter_context(
                started_preloaded(
                    BIN / command, *arguments, cwd=cwd, merged=True,
                    env=environment | {"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)},
                )
            )
            for task in range(2)
        ]  # fmt: skip
        outputs = tuple(ended(task)[0] for task in tasks)
    assert [task.returncode for task in tasks] == [0, 0], outputs
    return outputs


@pytest.mark.slow
@pytest.mark.parametrize("evaluation", ["default", "search"])
def test_an_evaluation_is_divided(evaluation: str, place: Path) -> None:
    command = [MODEL, *FACTS, f"evaluation={evaluation}"]
    alone, together = f"{evaluation}-alone", f"{evaluation}-together"
    run_forked("babelbatch-evaluate", *command, f"output_dir={alone}", cwd=place)
    done = by_torchrun("babelbatch-evaluate", *command, f"output_dir={together}", cwd=place)
    assert done.stdout.count("Results:") == 1
    assert facts(place / together) == facts(place / alone)
    scores = [pq.read_table(place / folder / "per_query.parquet") for folder in (alone, together)]
    assert scores[0].equals(scores[1])
    assert 0 < facts(place / alone)["world_facts/multilingual/recall@10"] < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("index", "settings"), [("exact", []), ("ivf", ["index.part_rows=100000", "index.lists=4", "index.probes=2"])]
)
def test_mining_is_divided(index: str, settings: list[str], place: Path) -> None:
    command = [MODEL, *CORPUS, f"index={index}", *settings, "threads=1", "keep_vectors=true"]
    run_forked("babelbatch-mine", *command, f"output_dir={index}-alone", cwd=place)
    as_by_srun("babelbatch-mine", *command, f"output_dir={index}-together", cwd=place)
    alone, together = (place / f"{index}-{how}" for how in ("alone", "together"))
    assert facts(together) == facts(alone)
    tables = [pq.read_table(folder / "negatives.parquet") for folder in (alone, together)]
    assert tables[0].equals(tables[1])
    assert len(tables[0]) > 100
    stored = [{file.name: file.read_bytes() for file in folder.glob("vectors/*/*")} for folder in (alone, together)]
    assert stored[0] == stored[1]


@pytest.mark.slow
def test_a_search_is_divided(place: Path) -> None:
    """Rank 0 prints what one process prints."""
    command = [MODEL, "passages=wiki.txt", "query=What is the capital of Peru?"]
    alone = run_forked("babelbatch-search", *command, cwd=place).stdout
    first, second = as_by_srun("babelbatch-search", *command, cwd=place)
    assert alone.splitlines()[0] == "What is the capital of Peru?"
    assert first.endswith(alone)
    assert "capital" not in second


def test_what_ranks_cannot_divide_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    one_index = "part_rows: each of 2 processes would build the whole index; set it, and each builds the indexes of its"
    searched = ["benchmarks=world_facts", "encoder.name_or_path=x", "evaluation=search"]
    assert problems(*searched, root="evaluate") == []
    assert problems(*searched, "evaluation.token_budget=64,128", root="evaluate", multirun=True) == [
        "hydra/launcher: 2 processes were started, which divide one job; type each job without -m"
    ]
    assert problems(*searched, "index@evaluation.index=hnsw", root="evaluate") == [
        f"evaluation.index.{one_index} parts"
    ]
    parts = ["index@evaluation.index=hnsw", "evaluation.index.part_rows=100000"]
    assert problems(*searched, *parts, root="evaluate") == []
    assert problems("encoder.name_or_path=x", "corpus=world_facts", "index=ivf", root="mine") == [
        f"index.{one_index} parts"
    ]


def facts(folder: Path) -> dict[str, object]:
    return {key: value for key, value in metrics(folder).items() if key not in TIMES}
