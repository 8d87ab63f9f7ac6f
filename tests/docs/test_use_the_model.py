"""The page Use the trained model, followed from its first command to its last."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pages import DOCS, follow


@pytest.mark.slow
def test_the_model_is_used(tmp_path: Path) -> None:
    page = (DOCS / "use_the_model.md").read_text(encoding="utf-8")
    printed = follow(page, tmp_path, tmp_path / "cache").stdout
    differences = re.findall(r"^largest difference (\S+)$", printed, re.MULTILINE)
    assert len(differences) == 2  # sentence-transformers, transformers
    assert all(abs(float(difference)) < 1e-5 for difference in differences)
    lines = re.findall(r"^What is the capital of Peru\?  .+  -?0\.\d{3}$", printed, re.MULTILINE)
    assert len(lines) == 4  # of passages.py, and of the three that import it
    whole, truncated = re.findall(r"^(?:mAP over the pool|with 32 dimensions) (0\.\d+)$", printed, re.MULTILINE)
    assert float(truncated) < float(whole) < 1
    assert re.search(r"^\d .* multilingual +map +-?0\.\d+ ", printed, re.MULTILINE)  # of the data frame
    assert re.search(
        r"^small: vectors of 64 components, at most \d\.\de-0\d of their length away ", printed, re.MULTILINE
    )
    card = (tmp_path / "run" / "encoder" / "README.md").read_text(encoding="utf-8")
    command = "encoder=tiny logger=csv threads=1 trainer.max_steps=100 trainer.val_check_interval=50"
    languages = "'corpus.languages=[de,el,en,es,th]' 'benchmarks.world_facts.languages=[de,en,th]'"
    assert f"\nbabelbatch-train {languages} {command}\n" in card
    assert (tmp_path / "small" / "README.md").is_file()
    shares = re.findall(r"^languages of the first 4 \(of the pool\): th 50", printed, re.MULTILINE)
    assert len(shares) == 2  # of both searches, which find all passages
    trained, evaluated = (
        json.loads((tmp_path / folder / "metrics.json").read_text()) for folder in ("run", "evaluated")
    )
    assert evaluated["world_facts/multilingual/map"] == trained["world_facts/multilingual/map"]
    assert len(pq.read_table(tmp_path / "mined" / "negatives.parquet")) > 1_000
