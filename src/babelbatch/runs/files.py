"""The files of a run's folder that are known before torch is imported: their names, and whether the run is finished."""

from __future__ import annotations

import json
from pathlib import Path

METRICS_FILE = "metrics.json"
PER_QUERY_FILE = "per_query.parquet"
NEGATIVES_FILE = "negatives.parquet"
CONFIG_FILE = "config.yaml"
ENCODER_FOLDER = "encoder"
CHECKPOINT_FOLDER = "checkpoints"
TRACEBACK_FILE = "traceback.txt"
TRAINED = "trained/"
"""What the keys begin with under which the metrics.json of an evaluation keeps the settings of the evaluated run."""


def is_finished(folder: Path, config_hash: str) -> bool:
    """Whether the folder holds the complete results of the configuration with this hash: metrics.json is written last,
    and says which configuration it belongs to."""
    try:
        return json.loads((folder / METRICS_FILE).read_text(encoding="utf-8")).get("config_hash") == config_hash
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
