"""What training cost: tokens encoded and floating-point operations, for metrics.json."""

from __future__ import annotations

from babelbatch.encoder import Encoder
from babelbatch.records import Workload
from babelbatch.training.flops import FlopRates, forward_rates, training_rates
from babelbatch.training.learner import Learner
from babelbatch.training.telemetry import BatchTelemetry


def cost_facts(learner: Learner, telemetry: BatchTelemetry | None) -> dict[str, int | None]:
    """Tokens and operations of all training steps, over all ranks and attempts, without validation and evaluation.

    tokens/encoded: tokens of the texts that the trained encoder encodes, each distinct text of a batch once.
    tokens/padded: the same with the padding of the chunks. tokens/teacher: tokens that a teacher encodes.
    flops/train: of the trained encoder and of the teacher, see `flops`.
    A fact is None without telemetry, after a start by an earlier version that did not count, and, for operations, for
    an architecture without a list of layers.
    """
    work = teacher_work = None
    if telemetry is not None:
        work, teacher_work = telemetry.workload, telemetry.teacher_workload
    flops = [_operations(training_rates(learner.encoder, learner.grad_cache), work)]
    if learner.loss.teacher is not None:
        teacher = learner.loss.teacher.encoder
        flops.append(_operations(forward_rates(teacher) if isinstance(teacher, Encoder) else None, teacher_work))
    known = [each for each in flops if each is not None]
    return {
        "tokens/encoded": None if work is None else work.real_tokens,
        "tokens/padded": None if work is None else work.padded_tokens,
        "tokens/teacher": None if teacher_work is None else teacher_work.real_tokens,
        "flops/train": round(sum(known)) if len(known) == len(flops) else None,
    }


def _operations(rates: FlopRates | None, work: Workload | None) -> float | None:
    return None if rates is None or work is None else rates.of(work)
