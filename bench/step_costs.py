"""Where the time of a training step on a CPU goes, and which share of the peak of its matrix products it reaches.

    python bench/step_costs.py --model FOLDER --data-dir MLQA_R [--passage sentence] [--batch 64] [--rounds 5]

The steps are those of bench/training_speed.py: X-X batches of MLQA-R, dropout, InfoNCE, clipping, AdamW. Each round
times a step with all threads and with one, profiles it with one, and times large matrix products with either number.
The table has the processor time of the profiled thread. An operation counts under the first heading that fits. The
share of the peak is that of the matrix products of forward and backward pass, without padding.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from babelbatch.loss import Contrastive
from babelbatch.training.allocator import keep_freed_memory
from babelbatch.training.dropout import FastDropout
from babelbatch.training.flops import training_rates
from babelbatch.training.learner import Learner, seed_step
from babelbatch.training.scheduler import constant
from encoding import peak
from training_speed import LEARNING_RATE, TEMPERATURE, Work

WITHIN = {
    "dropout masks": "dropout masks",
    "clipping": "clipping",
    "Optimizer.step": "optimiser",
}
HEADINGS = {
    "matrix products of layers": ("aten::mm", "aten::addmm"),
    "matrix products of attention": ("aten::bmm", "aten::baddbmm"),
    "softmax and masks of attention": ("aten::_softmax", "aten::_softmax_backward_data", "aten::masked_fill"),
    "GELU": ("aten::gelu", "aten::gelu_backward"),
    "norms of layers": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "embeddings": ("aten::index_select", "aten::embedding", "aten::embedding_dense_backward", "aten::index_put_"),
    "additions and products of elements": (
        "aten::add",
        "aten::add_",
        "aten::mul",
        "aten::mul_",
        "aten::div",
        "aten::sum",
    ),
    "copies": ("aten::copy_", "aten::cat", "aten::clone", "aten::zero_", "aten::fill_"),
}
REST = "rest, Python included"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--passage", choices=["context", "sentence"], default="context")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--length", type=int, default=180)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    vars(options).update(precision="32", workers=0, warmup=2, steps=1)
    work = Work(options)
    encoder = work.encoder().train()
    learner = Learner(encoder, Contrastive(TEMPERATURE), torch.optim.AdamW, constant, total_steps=work.batches)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    training = work.data(encoder).training
    batches = [training.builder(training.sampler.plan(step), step) for step in range(work.batches)]

    def take(step: int) -> float:
        began = time.perf_counter()
        seed_step(0, step, 0)
        learner._loss_of(batches[step]).value.backward()
        with record_function("clipping"):
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - began

    threads = torch.get_num_threads()
    together: list[float] = []
    alone: list[float] = []
    peaks: dict[int, list[float]] = {threads: [], 1: []}
    costs: list[dict[str, float]] = []
    with keep_freed_memory():
        for step in range(work.batches):
            seconds = {threads: take(step)}
            torch.set_num_threads(1)
            seconds[1] = take(step)
            with masks_recorded(), profile(activities=[ProfilerActivity.CPU]) as profiled:
                profiled_seconds = take(step)
            if step >= options.warmup:
                peaks[1].append(peak())
                costs.append(by_heading(profiled.events(), profiled_seconds))
                together.append(seconds[threads])
                alone.append(seconds[1])
            torch.set_num_threads(threads)
            if step >= options.warmup:
                peaks[threads].append(peak())
    rates = training_rates(encoder)
    assert rates is not None
    unpadded = replace(rates, unpadded=True)
    products = statistics.median(unpadded.of(batch.workload) for batch in batches[options.warmup :])
    rate = {number: statistics.median(found) for number, found in peaks.items()}
    print(
        f"torch {torch.__version__}, batch {options.batch}, {options.rounds} steps; {products / 1e9:.0f} GFLOP a step"
    )
    for number, found in ((threads, together), (1, alone)):
        median = statistics.median(found)
        share = products / median / rate[number]
        print(f"{number} threads: {median:.2f} s, {share:.0%} of {rate[number] / 1e9:.0f} GFLOP/s ({listed(found)})")
    print("\n| of one thread | seconds | share |\n|---|---:|---:|")
    headings = [*HEADINGS, *WITHIN.values(), REST]
    medians = {heading: statistics.median(each[heading] for each in costs) for heading in headings}
    for heading, median in medians.items():
        print(f"| {heading} | {median:.2f} | {median / sum(medians.values()):.1%} |")


def listed(seconds: list[float]) -> str:
    return ", ".join(f"{each:.2f}" for each in seconds)


@contextmanager
def masks_recorded() -> Iterator[None]:
    """Within it, the profiler sees when masks of dropout are drawn."""
    draw = FastDropout._mask

    def recorded(self: FastDropout, like: torch.Tensor, p: float) -> torch.Tensor:
        with record_function("dropout masks"):
            return draw(self, like, p)

    with patch.object(FastDropout, "_mask", recorded):
        yield


def by_heading(events: list[FunctionEvent], seconds: float) -> dict[str, float]:
    """Seconds under each heading; what no operation accounts for is the rest."""
    found: dict[str, float] = defaultdict(float)
    headings = {name: heading for heading, names in HEADINGS.items() for name in names}
    for event in events:
        heading, parent = headings.get(event.name, REST), event
        while parent is not None:
            heading = next((own for start, own in WITHIN.items() if parent.name.startswith(start)), heading)
            parent = parent.cpu_parent
        found[heading] += event.self_cpu_time_total / 1e6
    found[REST] += seconds - sum(found.values())
    return found


if __name__ == "__main__":
    main()
