"""File names of a run's folder, and whether the run is finished. Imports nothing slow."""

from __future__ import annotations

from pathlib import Path

from babelbatch.storage.documents import UnreadableDocument, read_json_object

METRICS_FILE = "metrics.json"
PER_QUERY_FILE = "per_query.parquet"
NEGATIVES_FILE = "negatives.parquet"
CONFIG_FILE = "config.yaml"
ENCODER_FOLDER = "encoder"
COMMAND_FILE = "command.txt"
CHECKPOINT_FOLDER = "checkpoints"
UNTRAINED_FOLDER = "untrained_encoder"
"""Only while a run checks that its encoder can be saved and loaded again."""
TRACEBACK_FILE = "traceback.txt"
MERGE_FILE = "merge.json"
"""Of babelbatch-merge: what was merged, and the facts that an evaluation of it has."""
INITIAL_WEIGHTS = "fingerprint/initial_weights"
"""Key of metrics.json with the digest of the encoder before training."""
EVALUATED_STEP = "evaluated_step"
"""Key of metrics.json with the step of the weights that were scored."""
STEPS_OF_RUN = "steps_of_run"
"""Key with the steps of the evaluated run, in the metrics.json of an evaluation; a run has them as `steps`."""
TRAINED_LANGUAGES = "languages/corpus"
"""Key of metrics.json with the languages of the training data."""
TRAINED = "trained/"
"""Prefix of the keys with the settings of the evaluated run, in the metrics.json of an evaluation."""


def is_finished(folder: Path, config_hash: str) -> bool:
    """Whether the folder has the complete results of the configuration with this hash, which metrics.json, written
    last, records."""
    try:
        return read_json_object(folder / METRICS_FILE).get("config_hash") == config_hash
    except (FileNotFoundError, NotADirectoryError, UnreadableDocument):
        return False
