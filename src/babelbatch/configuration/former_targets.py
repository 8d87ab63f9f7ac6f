"""Where configurable classes and functions lived in earlier versions, so that the runs of those can still be read."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

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


def current_value(path: str, value: object) -> object:
    """The value of a leaf of a configuration, at `path`, as it is written today."""
    if isinstance(value, str) and path.rpartition(".")[2] == "_target_":
        return FORMER_TARGETS.get(value, value)
    return value


def load_config(path: Path) -> DictConfig:
    """The configuration that a run left in a file, with its targets as they are written today."""
    cfg = OmegaConf.load(path)
    assert isinstance(cfg, DictConfig)
    _translate(cfg)
    return cfg


def _translate(node: object) -> None:
    if OmegaConf.is_dict(node):
        for key in node:
            if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
                continue
            if key == "_target_":
                node[key] = current_value(key, node[key])
            else:
                _translate(node[key])
    elif OmegaConf.is_list(node):
        for each in node:
            _translate(each)
