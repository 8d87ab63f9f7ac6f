"""Peak memory of a training step with GradCache: a batch of 4,096 pairs beside one of 256, in chunks of equal size.

    python bench/grad_cache_memory.py [--small 256] [--large 4096] [--chunk-tokens 4096] [--hidden 384] [--layers 6]

Each size runs in a process of its own: a new MiniLM-shaped encoder (dropout on), sentences of the built-in data as
queries and passages, one step of AdamW to fill its state, then the step that is measured. The figure is the largest
resident set of the process (VmHWM) over that step, the interpreter and torch included; on a GPU, torch's own peak.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch

from babelbatch.batches.builder import BatchBuilder
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder import tiny
from babelbatch.loss import Contrastive
from babelbatch.sampling import Sampler, Sampling
from babelbatch.training.allocator import keep_freed_memory
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import constant


def measure(batch_size: int, options: argparse.Namespace) -> None:
    corpus = load_corpus()
    torch.manual_seed(0)
    encoder = tiny(
        corpus.query_texts + corpus.passage_texts, hidden_size=options.hidden, layers=options.layers,
        heads=options.hidden // 32,
    )  # fmt: skip
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learner = Learner(
        encoder, Contrastive(), partial(torch.optim.AdamW, lr=1e-5), constant, 2, grad_cache=not options.direct
    ).to(device)
    optimizer = learner.configure_optimizers()["optimizer"]
    builder = BatchBuilder(TokenizedCorpus(corpus, encoder))

    def step(size: int) -> None:
        # Items repeat where the corpus is smaller than the batch: their rows are then masked, the work is the same.
        sampler = Sampler(corpus, Sampling("x_y", alpha=0.0, batch_size=min(size, 1024)), seed=0)
        parts = [sampler.plan(number) for number in range(-(-size // 1024))]
        plan = type(parts[0])(
            parts[0].kind,
            *(
                torch.cat([torch.as_tensor(getattr(part, name)) for part in parts]).numpy()
                for name in ("items", "query_languages", "passage_languages")
            ),
        )
        batch = builder(plan, 0, overhead=10**9, token_limit=options.chunk_tokens).to(device)
        learner.training_step(batch, 0)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()

    with keep_freed_memory():
        step(32)
        forget_peak(device)
        began = time.perf_counter()
        step(batch_size)
    print(f"{peak_gib(device):.3f} {time.perf_counter() - began:.1f}")


def forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def peak_gib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=256)
    parser.add_argument("--large", type=int, default=4096)
    parser.add_argument("--chunk-tokens", type=int, default=4096)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--direct", action="store_true", help="without GradCache")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one, options)
        return
    peaks = {}
    for size in (options.small, options.large):
        command = [sys.executable, *sys.argv, "--one", str(size)]
        peak, seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        peaks[size] = float(peak)
        print(f"batch {size:5}: peak {peak} GiB, step {seconds} s", flush=True)
    print(f"ratio {peaks[options.large] / peaks[options.small]:.2f}")


if __name__ == "__main__":
    main()
