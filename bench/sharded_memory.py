"""Memory of a training step with the weights of the encoder divided among ranks (trainer=fsdp), beside one process.

    python bench/sharded_memory.py [--ranks 1 2 4] [--hidden 768] [--layers 12] [--vocabulary 8000] [--grad-cache]
                                   [--mmap-threshold 1048576]

A new encoder (12 layers of XLM-R base's shape, dropout on), AdamW, 16 pairs of short texts over all ranks, gloo on a
CPU. Each line is of rank 0. `kept`: bytes of its weights, gradients and states of AdamW after the backward pass.
`peak`: its largest resident set (VmHWM) over a step, over what it held before the encoder was built; activations and
gathered layers are part of it. `step`: the median of three, with the ranks on the same machine. With --mmap-threshold
the C library returns what is freed of allocations above so many bytes at once (MALLOC_MMAP_THRESHOLD_), instead of
keeping what is below 32 MiB, such as a gathered layer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist

from babelbatch.batches.builder import BatchBuilder
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder import tiny
from babelbatch.loss import Contrastive
from babelbatch.sampling import Sampler, Sampling
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import constant
from babelbatch.training.sharding import mesh_of, shard

_MIB = 2**20


def measure(rank: int, ranks: int, meet: str, options: argparse.Namespace) -> None:
    if ranks > 1:
        dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=ranks)
    torch.set_num_threads(1)
    corpus = load_corpus()
    before = resident("VmRSS")
    torch.manual_seed(0)
    texts = corpus.query_texts + corpus.passage_texts
    encoder = tiny(
        texts, vocab_size=options.vocabulary, hidden_size=options.hidden, layers=options.layers, heads=12
    )  # fmt: skip
    adamw = partial(torch.optim.AdamW, lr=1e-5)
    learner = Learner(encoder, Contrastive(), adamw, constant, 4, grad_cache=options.grad_cache)
    if ranks > 1:
        learner.sharded = shard(encoder, mesh_of(ranks, None, "cpu"))
    optimizer = learner.configure_optimizers()["optimizer"]
    builder = BatchBuilder(TokenizedCorpus(corpus, encoder))
    sampler = Sampler(corpus, Sampling("x_y", alpha=0.0, batch_size=16), seed=0)
    seconds, kept = [], 0
    for step in range(4):
        batch = builder(sampler.plan(step), step, rank=rank, ranks=ranks)
        if step == 1:
            Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
        began = time.perf_counter()
        learner.training_step(batch, 0)["loss"].backward()
        learner.configure_gradient_clipping(optimizer, 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - began)
        trained = list(encoder.parameters())
        kept = sum(
            own(each)
            for parameter in trained
            for each in (parameter, parameter.grad, *optimizer.state[parameter].values())
        )
        optimizer.zero_grad()
    if rank == 0:
        peak = resident("VmHWM") - before
        print(f"{sum(each.numel() for each in trained) / 1e6:.0f} {kept / _MIB:.0f} {peak:.0f} "
              f"{statistics.median(seconds[1:]):.1f}")  # fmt: skip
    if ranks > 1:
        dist.barrier()
        dist.destroy_process_group()


def own(tensor: torch.Tensor) -> int:
    """Bytes that this rank has of a tensor."""
    local = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return local.numel() * local.element_size()


def resident(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--grad-cache", action="store_true")
    parser.add_argument("--mmap-threshold", type=int, help="bytes")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        rank, ranks, meet = options.one
        measure(int(rank), int(ranks), meet, options)
        return
    threshold = {} if options.mmap_threshold is None else {"MALLOC_MMAP_THRESHOLD_": str(options.mmap_threshold)}
    for ranks in options.ranks:
        with tempfile.TemporaryDirectory() as place:
            command = [sys.executable, *sys.argv, "--one"]
            started = [
                subprocess.Popen(
                    [*command, str(rank), str(ranks), f"{place}/meet"],
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ | threshold,
                )
                for rank in range(ranks)
            ]
            outputs = [process.communicate()[0] for process in started]
        assert all(process.returncode == 0 for process in started), "a rank has failed"
        parameters, kept, peak, seconds = outputs[0].split()
        print(f"{ranks} ranks: {parameters} M weights, kept {kept} MiB, peak {peak} MiB, step {seconds} s", flush=True)


if __name__ == "__main__":
    main()
