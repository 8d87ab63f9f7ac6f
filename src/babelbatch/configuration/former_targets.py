"""Translates targets, keys and values of earlier versions' configurations, so that their runs can still be read."""

from __future__ import annotations

from omegaconf import DictConfig, ListConfig, OmegaConf

FORMER_TARGETS = {
    # 0.1: all modules lay directly in the package
    "babelbatch.callbacks.EvaluateRetrieval": "babelbatch.training.callbacks.EvaluateRetrieval",
    "babelbatch.callbacks.ProgressBar": "babelbatch.training.callbacks.ProgressBar",
    "babelbatch.checkpoints.Best": "babelbatch.training.checkpoints.Best",
    "babelbatch.checkpoints.Checkpoint": "babelbatch.training.checkpoints.Checkpoint",
    "babelbatch.code_switching.CodeSwitching": "babelbatch.batches.code_switching.CodeSwitching",
    "babelbatch.data.PairData": "babelbatch.batches.data_module.PairData",
    "babelbatch.evaluation.Evaluation": "babelbatch.evaluation.evaluation.Evaluation",
    "babelbatch.loggers.csv_logger": "babelbatch.loggers.csv_curves.csv_logger",
    "babelbatch.loggers.wandb_logger": "babelbatch.loggers.wandb_run.wandb_logger",
    "babelbatch.mining.Mining": "babelbatch.search.mining.Mining",
    "babelbatch.scheduler.constant": "babelbatch.training.scheduler.constant",
    "babelbatch.scheduler.cosine": "babelbatch.training.scheduler.cosine",
    "babelbatch.scheduler.linear": "babelbatch.training.scheduler.linear",
    "babelbatch.search.Exact": "babelbatch.search.index.Exact",
    "babelbatch.search.HNSW": "babelbatch.search.index.HNSW",
    "babelbatch.search.IVF": "babelbatch.search.index.IVF",
    "babelbatch.telemetry.BatchTelemetry": "babelbatch.training.telemetry.BatchTelemetry",
    "babelbatch.tuning.full": "babelbatch.training.tuning.full",
    "babelbatch.tuning.lora": "babelbatch.training.tuning.lora",
}


FORMER_KEYS = {"question_prefix": "query_prefix", "question_length": "query_length"}
FORMER_VALUES = {("sides", "questions"): "queries", ("texts", "questions"): "queries"}


def current_setting(path: str, value: object) -> tuple[str, object]:
    """The current form of a leaf (path, value) of a configuration."""
    parents, dot, key = path.rpartition(".")
    return f"{parents}{dot}{_current_key(key)}", _current_value(key, value)


def _current_key(key: str) -> str:
    return FORMER_KEYS.get(key, key)


def _current_value(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    return FORMER_TARGETS.get(value, value) if key == "_target_" else FORMER_VALUES.get((key, value), value)


def translate(node: object) -> None:
    """Puts a configuration into its current form."""
    if isinstance(node, DictConfig):
        for key in list(node):
            if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
                continue
            value = node[key]
            translate(value)
            if (current := _current_key(key)) != key:
                del node[key]
            if current != key or isinstance(value, str):
                node[current] = _current_value(current, value)
    elif isinstance(node, ListConfig):
        for each in node:
            translate(each)
