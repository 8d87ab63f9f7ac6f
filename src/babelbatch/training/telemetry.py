"""What the batches were made of, and what they cost."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from babelbatch.distributed.collectives import sum_over_ranks_on_cpu
from babelbatch.records import Batch

log = logging.getLogger(__name__)

_COUNTED = ("loss", "masked_questions", "masked", "negatives", "batches", "questions", "real_tokens", "padded_tokens")


class BatchTelemetry(pl.Callback):
    """Logs what the batches were made of, as means since the last log, every `log_every_n_steps` of the trainer.

    train/loss, train/loss/<kind>: loss of all, of the X-X and of the X-Y batches.
    train/loss/<part>: of an objective with several parts, each before it is weighted, such as train/loss/contrastive.
    train/masked_rate/<kind>: share of questions that met another version of their own passage, which was masked.
    train/negatives: candidates that a question competes against, hard and in-batch, over all ranks, masked ones not
        counted. (Accumulating gradients adds none.)
    train/padding: share of the encoded tokens that is padding. train/tokens_per_second: the others, of all ranks.
    train/alpha, train/languages: share of X-X batches, and languages seen, since the start.
    train/part/<name>: share of the batches that were of this part of a mixture, since the start.
    train/learning_rate, train/temperature, train/gradient_norm: now; the norm before clipping.

    The processor waits for the GPU once a log, not once a step. All of it is of the global batch.
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
        mixture = trainer.datamodule.corpus.mixture
        for part in mixture.names if mixture else ():  # that one was never drawn is worth saying
            self._drawn.setdefault(part, dict.fromkeys(("x_x", "x_y"), 0))
        self._parts = pl_module.loss.parts
        self._started = time.perf_counter()

    # Validation is not training: its time does not count.
    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop_clock()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Mapping[str, Tensor],
        batch: Batch,
        batch_idx: int,
    ) -> None:
        masked = outputs["masked"]
        values = [outputs["value"], (masked > 0).sum(), masked.sum(), *outputs["parts"]]
        on_device = torch.stack([value.float() for value in values])
        numbers = [len(masked), batch.real_tokens, batch.padded_tokens, len(batch.candidate_keys)]
        self._steps.append((batch.kind, on_device, numbers))
        self._languages |= {*batch.plan.query_languages.tolist(), *batch.plan.passage_languages.tolist()}
        if batch.plan.part is not None:
            self._drawn[batch.plan.part][batch.kind] += 1
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and trainer.global_step % trainer.log_every_n_steps == 0:
            self._log(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop_clock()
        self._collect([])
        if self._sums:
            log.info("%s", self.summary(trainer.global_step))

    def state_dict(self) -> dict[str, Any]:
        """The counts since the start, and those that the next log is about: a resumed run logs the same. Of all ranks,
        which therefore ask for it together."""
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
            sums.update({kind: dict(of_kind) for kind, of_kind in saved.items()})
        self._languages = set(state_dict["languages"])
        self._drawn = {part: dict(kinds) for part, kinds in state_dict["drawn"].items()}
        self._seconds, self._logged_seconds = state_dict["seconds"], state_dict["logged_seconds"]

    @property
    def alpha(self) -> float | None:
        """The share of X-X batches so far, or None before the first."""
        batches = _of(self._sums, "batches") + len(self._steps)
        same = sum(kind == "x_x" for kind, *_ in self._steps)
        same += self._sums["x_x"]["batches"] if "x_x" in self._sums else 0
        return same / batches if batches else None

    @property
    def drawn(self) -> dict[str, int]:
        """How many batches were of each part of a mixture and of each kind so far, as `batches/<part>/<kind>`."""
        return {
            f"batches/{part}/{kind}": number for part, kinds in self._drawn.items() for kind, number in kinds.items()
        }

    @property
    def seconds(self) -> float:
        """Time spent on training, over all the parts of a resumed run; validation does not count."""
        return self._seconds

    def summary(self, step: int) -> str:
        """One line for a person to read at the end."""
        sums, seconds = self._sums, max(self._seconds, 1e-9)
        batches, queries = _of(sums, "batches"), max(1.0, _of(sums, "questions"))
        kinds = ", ".join(f"{kind} {sums[kind]['loss'] / sums[kind]['batches']:.3f}" for kind in sorted(sums))
        return (
            f"trained {step:,} steps in {seconds:,.0f} s: {queries / seconds:,.0f} pairs/s, "
            f"{_of(sums, 'real_tokens') / seconds:,.0f} tokens/s, {_padding(sums):.1%} padding; "
            f"mean loss {_of(sums, 'loss') / batches:.3f} ({kinds}); alpha {self.alpha:.3f}; "
            f"{len(self._languages)} languages; {_of(sums, 'negatives') / queries:,.1f} negatives a question, "
            f"{_of(sums, 'masked_questions') / queries:.1%} of the questions had one masked"
            f"{self._said_parts()}"
        )

    def _said_parts(self) -> str:
        """Such as `; batches from nq 30 (x_x 30, x_y 0), mlqa 70 (x_x 35, x_y 35)`, or nothing."""
        parts = [
            f"{part} {sum(kinds.values()):,} ({', '.join(f'{kind} {kinds[kind]:,}' for kind in kinds)})"
            for part, kinds in self._drawn.items()
        ]
        return f"; batches from {', '.join(parts)}" if parts else ""

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop_clock()
        taken, self._logged_seconds = self._seconds - self._logged_seconds, self._seconds
        self._started = time.perf_counter()
        norm = pl_module.gradient_norm
        temperature = pl_module.loss.temperature.detach().float()
        extra = [temperature, *([] if norm is None else [norm.detach().float()])]
        numbers = self._collect(extra)
        recent, self._recent = self._recent, _no_sums()
        values = {f"train/loss/{kind}": sums["loss"] / sums["batches"] for kind, sums in recent.items()}
        for kind, sums in recent.items():
            values[f"train/masked_rate/{kind}"] = sums["masked_questions"] / sums["questions"]
        for part in self._parts:
            values[f"train/loss/{part}"] = _of(recent, part) / _of(recent, "batches")
        values["train/loss"] = _of(recent, "loss") / _of(recent, "batches")
        values["train/negatives"] = _of(recent, "negatives") / _of(recent, "questions")
        values["train/padding"] = _padding(recent)
        values["train/tokens_per_second"] = _of(recent, "real_tokens") / max(taken, 1e-9)
        values["train/alpha"] = self.alpha
        values["train/languages"] = len(self._languages)
        for part, kinds in self._drawn.items():
            values[f"train/part/{part}"] = sum(kinds.values()) / _of(self._sums, "batches")
        values["train/learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        values["train/temperature"] = numbers[0]
        if norm is not None:
            values["train/gradient_norm"] = numbers[1]
        pl_module.log("train/loss", values["train/loss"], prog_bar=True, logger=False)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step - 1)  # Lightning counts from 0

    def _collect(self, extra: list[Tensor]) -> list[float]:
        """Adds the steps whose numbers are still on the device to the sums, over all ranks. Returns the values of
        `extra`, which come in the same transfer."""
        if not self._steps and not extra:
            return []
        assert self._trainer is not None
        steps, self._steps = self._steps, []
        device = self._trainer.strategy.root_device
        whole = [on_device for _, on_device, _ in steps] + [value.to(device)[None] for value in extra]
        numbers = torch.cat(whole).tolist()
        rows, size = [], 3 + len(self._parts)
        for index, (_, _, (queries, real, padded, candidates)) in enumerate(steps):
            loss, masked_queries, masked, *loss_parts = numbers[size * index : size * (index + 1)]
            negatives = queries * (candidates - 1) - masked
            rows.append((loss, masked_queries, masked, negatives, 1, queries, real, padded, *loss_parts))
        over_ranks = sum_over_ranks_on_cpu(torch.tensor(rows, dtype=torch.float64)).tolist() if rows else []
        # One by one: sums of sums would round differently in a run that saved a checkpoint in between.
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


def _of(sums: Mapping[str, Mapping[str, float]], name: str) -> float:
    return sum(of_kind.get(name, 0.0) for of_kind in sums.values())


def _padding(sums: Mapping[str, Mapping[str, float]]) -> float:
    return 1 - _of(sums, "real_tokens") / max(1.0, _of(sums, "padded_tokens"))
