"""What loggers get at the end of a run."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pytorch_lightning.loggers import Logger

from babelbatch.evaluation.scoring import Result
from babelbatch.training import log_final


class Noting(Logger):
    """Keeps what it is given. One of W&B also has `log_result`."""

    name, version = "noting", 0

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[dict[str, float], int | None]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append((dict(metrics), step))

    def log_hyperparams(self, params: object) -> None:
        pass


class NotingResults(Noting):
    def log_result(self, result: Result, step: int) -> None:
        self.rows.append((dict(result.metrics), step))


def test_scores_of_cut_vectors_are_logged() -> None:
    metrics = {"b/multilingual/map": 0.75, "b/crosslingual/map/de-en": 0.25}
    sizes = {"dimensions/64/b/multilingual/map": 0.7, "dimensions/32/b/multilingual/map": 0.6}
    rows, facts = pa.table({}), {**sizes, "search/b": "IVF"}
    result = Result("b", ("de", "en"), metrics, {"map": np.zeros((2, 2))}, rows, "map", facts)
    plain, wandb = Noting(), NotingResults()
    log_final([plain, wandb], [result], step=9)
    assert plain.rows == [(sizes, 9), ({"b/multilingual/map": 0.75}, 9)]
    assert wandb.rows == [(sizes, 9), (metrics, 9)]
