"""Composition and cost of the training batches."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import astuple, fields
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from babelbatch.distributed.collectives import sum_over_ranks_on_cpu
from babelbatch.progress import percent
from babelbatch.records import Batch, Workload
from babelbatch.training.learner import Learner, StepOutput
from babelbatch.training.step_callback import StepCallback, pair_data

log = logging.getLogger(__name__)

Sums = Mapping[str, Mapping[str, float]]
"""Sums by kind of batch and name."""

_WORK = tuple(field.name for field in fields(Workload))
_TEACHER_WORK = tuple(f"teacher_{name}" for name in _WORK)
_COUNTED = ("loss", "masked_queries", "masked", "negatives", "batches", "queries", *_WORK, *_TEACHER_WORK)
_NO_WORK = Workload(0, 0, 0, 0, 0)
_FORMER_NAMES = {"masked_questions": "masked_queries", "questions": "queries"}  # in checkpoints of 0.1


class BatchTelemetry(StepCallback):
    """Logs the composition of the global batches, as means since the last log, every `log_every_n_steps`.

    train/loss, train/loss/<kind>: loss of all, of the X-X and of the X-Y batches.
    train/loss/<part>: each term of an objective with several, before it is weighted, such as train/loss/contrastive.
    train/masked_rate/<kind>: share of queries with a masked candidate: their own passage or a version of it, of
        another item.
    train/negatives: unmasked negatives per query, hard and in-batch, over all ranks. Accumulating gradients adds none.
    train/padding: share of padding in the encoded tokens. train/tokens_per_second: other tokens, of all ranks.
    train/alpha, train/languages: share of X-X batches, and number of languages seen, since the start.
    train/part/<name>: share of the batches drawn from this part of a mixture, since the start.
    train/learning_rate, train/temperature, train/gradient_norm: current; the norm is the one before clipping.

    The processor waits for the GPU once for each log, not for each step.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[str, Tensor, list[int]]] = []  # kind, numbers still on the device, numbers
        self._recent = _no_sums()  # by kind, since the last log
        self._sums = _no_sums()  # by kind, since the start
        self._trainer: pl.Trainer | None = None
        self._parts: tuple[str, ...] = ()  # of the loss, by name
        self._languages: set[int] = set()
        self._drawn: dict[str, dict[str, int]] = {}  # batches by part of a mixture and kind
        self._seconds = 0.0
        self._logged_seconds = 0.0  # of them, until the last log
        self._started: float | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._trainer = trainer
        mixture = pair_data(trainer).corpus.mixture
        assert isinstance(pl_module, Learner)
        for part in mixture.names if mixture else ():  # so that a part without batches is reported
            self._drawn.setdefault(part, dict.fromkeys(("x_x", "x_y"), 0))
        self._parts = pl_module.loss.parts
        self._started = time.perf_counter()

    # Validation is not training: its time does not count.
    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop_clock()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def after_batch(
        self, trainer: pl.Trainer, learner: Learner, output: StepOutput, batch: Batch, batch_idx: int
    ) -> None:
        masked = output["masked"]
        values = [output["value"], (masked > 0).sum(), masked.sum(), *output["parts"]]
        on_device = torch.stack([value.float() for value in values])
        teacher_work = _NO_WORK if batch.teacher_batch is None else batch.teacher_batch.workload
        numbers = [len(masked), len(batch.candidate_keys), *astuple(batch.workload), *astuple(teacher_work)]
        self._steps.append((batch.kind, on_device, numbers))
        self._languages |= {*batch.plan.query_languages.tolist(), *batch.plan.passage_languages.tolist()}
        if batch.plan.part is not None:
            self._drawn[batch.plan.part][batch.kind] += 1
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # missing in Lightning's types
        if stepped and trainer.global_step % every == 0:
            self._log(trainer, learner)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop_clock()
        self._collect([])
        if self._sums:
            log.info("%s", self.summary(trainer.global_step))

    def state_dict(self) -> dict[str, Any]:
        """The sums since the start and since the last log, over all ranks, so that a resumed run logs the same.

        All ranks must call it together.
        """
        self._stop_clock()
        self._started = time.perf_counter()
        self._collect([])
        return {
            "recent": {kind: dict(sums) for kind, sums in self._recent.items()},
            "sums": {kind: dict(sums) for kind, sums in self._sums.items()},
            "languages": sorted(self._languages),
            "drawn": {part: dict(kinds) for part, kinds in self._drawn.items()},
            "seconds": self._seconds,
            "logged_seconds": self._logged_seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for sums, saved in ((self._recent, state_dict["recent"]), (self._sums, state_dict["sums"])):
            for kind, of_kind in saved.items():
                named = {_FORMER_NAMES.get(name, name): value for name, value in of_kind.items()}
                # NaN: what the earlier steps cost is not known, and so is no sum with them.
                sums[kind] = dict.fromkeys(_COUNTED, math.nan) | named
        self._languages = set(state_dict["languages"])
        self._drawn = {part: dict(kinds) for part, kinds in state_dict["drawn"].items()}
        self._seconds, self._logged_seconds = state_dict["seconds"], state_dict["logged_seconds"]

    @property
    def alpha(self) -> float | None:
        """The share of X-X batches so far, or None before the first."""
        batches = _of(self._sums, "batches") + len(self._steps)
        same: float = sum(kind == "x_x" for kind, *_ in self._steps)
        same += self._sums["x_x"]["batches"] if "x_x" in self._sums else 0
        return same / batches if batches else None

    @property
    def drawn(self) -> dict[str, int]:
        """Number of batches of each part of a mixture and each kind so far, as `batches/<part>/<kind>`."""
        return {
            f"batches/{part}/{kind}": number for part, kinds in self._drawn.items() for kind, number in kinds.items()
        }

    @property
    def workload(self) -> Workload | None:
        """What the trained encoder has encoded so far, over all ranks; None if an earlier version counted a part."""
        return self._work(_WORK)

    @property
    def teacher_workload(self) -> Workload | None:
        """What a teacher has encoded so far, likewise."""
        return self._work(_TEACHER_WORK)

    def _work(self, names: tuple[str, ...]) -> Workload | None:
        sums = [_of(self._sums, name) for name in names]
        return None if any(map(math.isnan, sums)) else Workload(*map(round, sums))

    @property
    def seconds(self) -> float:
        """Seconds of training, over all attempts of a resumed run, without validation."""
        return self._seconds

    def summary(self, step: int) -> str:
        """One line about the whole run, for the log."""
        sums, seconds = self._sums, max(self._seconds, 1e-9)
        batches, queries = _of(sums, "batches"), max(1.0, _of(sums, "queries"))
        kinds = ", ".join(f"{kind} {sums[kind]['loss'] / sums[kind]['batches']:.3f}" for kind in sorted(sums))
        return (
            f"trained {step:,} steps in {seconds:,.0f} s: {queries / seconds:,.0f} pairs/s, "
            f"{_of(sums, 'real_tokens') / seconds:,.0f} tokens/s, {percent(_padding(sums), 1)} padding; "
            f"mean loss {_of(sums, 'loss') / batches:.3f} ({kinds}); alpha {self.alpha:.3f}; "
            f"{len(self._languages)} languages; {_of(sums, 'negatives') / queries:,.1f} negatives per query, "
            f"{percent(_of(sums, 'masked_queries') / queries, 1)} of the queries had one masked"
            f"{self._describe_parts()}"
        )

    def _describe_parts(self) -> str:
        """Such as `; batches from nq 30 (x_x 30, x_y 0), mlqa 70 (x_x 35, x_y 35)`, or nothing."""
        parts = [
            f"{part} {sum(kinds.values()):,} ({', '.join(f'{kind} {kinds[kind]:,}' for kind in kinds)})"
            for part, kinds in self._drawn.items()
        ]
        return f"; batches from {', '.join(parts)}" if parts else ""

    def _log(self, trainer: pl.Trainer, learner: Learner) -> None:
        self._stop_clock()
        taken, self._logged_seconds = self._seconds - self._logged_seconds, self._seconds
        self._started = time.perf_counter()
        norm = learner.gradient_norm
        extra = [learner.loss.temperature.detach().float(), *([] if norm is None else [norm.detach().float()])]
        now = dict(zip(("train/temperature", "train/gradient_norm"), self._collect(extra), strict=False))
        now["train/learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        recent, self._recent = self._recent, _no_sums()
        values = self._means(recent, taken) | self._shares() | now
        learner.log("train/loss", values["train/loss"], prog_bar=True, logger=False)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step - 1)  # Lightning counts from 0

    def _means(self, recent: Sums, seconds: float) -> dict[str, float]:
        """The means since the last log, `seconds` of training ago."""
        values = {f"train/loss/{kind}": sums["loss"] / sums["batches"] for kind, sums in recent.items()}
        for kind, sums in recent.items():
            values[f"train/masked_rate/{kind}"] = sums["masked_queries"] / sums["queries"]
        for part in self._parts:
            values[f"train/loss/{part}"] = _of(recent, part) / _of(recent, "batches")
        values["train/loss"] = _of(recent, "loss") / _of(recent, "batches")
        values["train/negatives"] = _of(recent, "negatives") / _of(recent, "queries")
        values["train/padding"] = _padding(recent)
        values["train/tokens_per_second"] = _of(recent, "real_tokens") / max(seconds, 1e-9)
        return values

    def _shares(self) -> dict[str, float]:
        """The shares and counts since the start."""
        alpha, batches = self.alpha, _of(self._sums, "batches")
        assert alpha is not None, "there is nothing to log before the first batch"
        values = {f"train/part/{part}": sum(kinds.values()) / batches for part, kinds in self._drawn.items()}
        return {"train/alpha": alpha, "train/languages": len(self._languages)} | values

    def _collect(self, extra: list[Tensor]) -> list[float]:
        """Adds the steps whose numbers are still on the device to the sums, over all ranks.

        Returns the values of `extra`, scalars transferred together with them.
        """
        if not self._steps and not extra:
            return []
        assert self._trainer is not None
        steps, self._steps = self._steps, []
        device = self._trainer.strategy.root_device
        whole = [on_device for _, on_device, _ in steps] + [value.to(device)[None] for value in extra]
        numbers = torch.cat(whole).tolist()
        rows, size = [], 3 + len(self._parts)
        for index, (_, _, (queries, candidates, *work)) in enumerate(steps):
            loss, masked_queries, masked, *loss_parts = numbers[size * index : size * (index + 1)]
            negatives = queries * (candidates - 1) - masked
            rows.append((loss, masked_queries, masked, negatives, 1, queries, *work, *loss_parts))
        over_ranks = sum_over_ranks_on_cpu(torch.tensor(rows, dtype=torch.float64)).tolist() if rows else []
        # One by one: sums of sums would round differently in a run with a checkpoint in between.
        for (kind, _, _), row in zip(steps, over_ranks, strict=True):
            for name, value in zip((*_COUNTED, *self._parts), row, strict=True):
                # The loss is of the global batch, and a batch counts once, on every rank.
                share = value / self._trainer.world_size if name in {"loss", "batches", *self._parts} else value
                for sums in (self._recent[kind], self._sums[kind]):
                    sums[name] = sums.get(name, 0.0) + share
        return numbers[size * len(steps) :]

    def _stop_clock(self) -> None:
        if self._started is not None:
            self._seconds += time.perf_counter() - self._started
            self._started = None


def _no_sums() -> dict[str, dict[str, float]]:
    return defaultdict(lambda: dict.fromkeys(_COUNTED, 0.0))


def _of(sums: Sums, name: str) -> float:
    return sum(of_kind.get(name, 0.0) for of_kind in sums.values())


def _padding(sums: Sums) -> float:
    return 1 - _of(sums, "real_tokens") / max(1.0, _of(sums, "padded_tokens"))
