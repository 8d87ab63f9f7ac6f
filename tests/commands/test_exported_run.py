"""The encoder that a run leaves behind, in other libraries: the same vectors, and the same scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import SMALL_TRANSFORMER, metrics, run_forked
from processes import python

MTEB = """
import sys

sys.path.insert(0, sys.argv[2])
from mteb_pool import score
from sentence_transformers import SentenceTransformer

from babelbatch.benchmarks.world_facts import load_benchmark

print(score(SentenceTransformer(sys.argv[1], device="cpu"), load_benchmark(["en", "de", "zh"])))
"""


@pytest.mark.slow
def test_mteb_finds_our_ndcg(tmp_path: Path) -> None:
    run_forked(
        "babelbatch-train", *SMALL_TRANSFORMER, "sampling=hybrid", "logger=none", "output_dir=run",
        "encoder.pooling=weighted_mean", "encoder.dimensions=24", "encoder.query_length=10", "trainer.max_steps=60",
        "trainer.val_check_interval=60",
        cwd=tmp_path,
    )  # fmt: skip
    tests = Path(__file__).parent.parent
    found = float(python(MTEB, tmp_path / "run" / "encoder", tests, cwd=tmp_path).stdout.splitlines()[-1])
    ours = metrics(tmp_path / "run")["world_facts/multilingual/ndcg@10"]
    assert found == pytest.approx(ours, abs=1e-4)  # mteb rounds to five places
    assert 0.02 < ours < 0.98
