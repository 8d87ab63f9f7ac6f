"""Encoding speed: babelbatch beside `SentenceTransformer.encode`, both from the texts, and the share of the CPU's peak.

    python bench/encoding.py multilingual-e5-small ../shared/data/xquad-r
    python bench/encoding.py all-MiniLM-L6-v2 ../shared/data/xquad-r --languages de,en,es --texts 900 --batches 8,16,32

The texts are candidate sentences of XQuAD-R, in the languages given, tokenised and encoded in float32 by each side in
turn; nothing is cached. Each round times sentence-transformers with every batch size, of which the fastest counts, and
the largest matrix products that the machine does in that minute. A line has the median of the rounds. Wall-clock time,
so leave the machine alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from babelbatch.benchmarks.lareqa import load_benchmark
from babelbatch.encoder import Encoder, pretrained
from babelbatch.evaluation.encoding import encode, tokenise_texts
from babelbatch.progress import silent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="a folder or a name on the hub")
    parser.add_argument("data", help="the folder of XQuAD-R")
    parser.add_argument("--languages", default="ar,en,th,zh")
    parser.add_argument("--texts", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", default="4,8,16,32", help="batch sizes of sentence-transformers")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    candidates = load_benchmark("xquad_r", arguments.data, arguments.languages.split(",")).candidate_texts
    texts = candidates[:: len(candidates) // arguments.texts][: arguments.texts]
    encoder = pretrained(arguments.encoder).eval()
    peer = SentenceTransformer(encoder.tower("passage").backbone.name_or_path, device="cpu")
    prompt = encoder.settings.passage_prefix
    products = flops(encoder, texts)

    def ours() -> np.ndarray:
        with tempfile.TemporaryDirectory() as cache, silent():
            os.environ["BABELBATCH_CACHE"] = cache
            return encode(encoder, texts, "passage")

    def theirs(batch: int) -> np.ndarray:
        return peer.encode(texts, prompt=prompt, batch_size=batch, normalize_embeddings=encoder.settings.normalise)

    sizes = list(map(int, arguments.batches.split(",")))
    sides: dict[str, Callable[[], np.ndarray]] = {"babelbatch": ours}
    sides |= {f"sentence-transformers, batch {size}": lambda size=size: theirs(size) for size in sizes}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    vectors, peaks = {}, []
    for side in sides.values():  # the first round takes memory, and is not counted
        side()
    for _ in range(arguments.rounds):
        for name, side in sides.items():
            started = time.perf_counter()
            vectors[name] = side()
            seconds[name].append(time.perf_counter() - started)
        peaks.append(peak())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    best = min((name for name in medians if name != "babelbatch"), key=medians.__getitem__)
    ceiling = statistics.median(peaks)
    print(f"{len(texts)} texts, {arguments.threads} threads, {arguments.rounds} rounds, torch {torch.__version__}")
    print(f"matrix products: {ceiling / 1e9:.0f} GFLOP/s; the encoder's: {products / 1e9:.0f} GFLOP without padding")
    print(f"{'':34}{'texts/s':>8}{'ratio':>7}{'share of peak':>15}{'difference':>12}  seconds")
    for name, median in medians.items():
        share, difference = products / median / ceiling, np.abs(vectors[name] - vectors["babelbatch"]).max()
        line = f"{len(texts) / median:8.1f}{medians[best] / median:7.2f}{share:15.0%}{difference:12.1e}"
        print(f"{name:34}{line}  {', '.join(f'{time:.2f}' for time in seconds[name])}")


def peak() -> float:
    """Floating point operations a second of the fastest of some large float32 matrix products."""
    rates = []
    for rows, inner, columns in ((1024, 1024, 1024), (2048, 1024, 2048), (1024, 384, 1536)):
        a, b = torch.randn(rows, inner), torch.randn(inner, columns)
        for _ in range(8):
            started = time.perf_counter()
            a @ b
            rates.append(2 * rows * inner * columns / (time.perf_counter() - started))
    return max(rates)


def flops(encoder: Encoder, texts: list[str]) -> float:
    """Operations of the matrix products for the distinct texts: weights once a token, attention by pairs of tokens."""
    tokens = tokenise_texts(encoder, texts, "passage")
    lengths = tokens.lengths[tokens.distinct()[0]].astype(float)
    backbone = encoder.tower("passage").backbone
    weights = sum(layer.weight.numel() for layer in backbone.modules() if isinstance(layer, torch.nn.Linear))
    config = backbone.config
    attention = 2 * config.num_hidden_layers * config.hidden_size
    return float(2 * (weights * lengths.sum() + attention * np.square(lengths).sum()))


if __name__ == "__main__":
    main()
