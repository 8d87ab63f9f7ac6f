"""Encoding speed: babelbatch beside `SentenceTransformer.encode`, both from the texts, and the share of the CPU's peak.

    python bench/encoding.py multilingual-e5-small ../shared/data/xquad-r
    python bench/encoding.py all-MiniLM-L6-v2 ../shared/data/xquad-r --languages de,en,es --texts 900 --batches 8,16,32
    python bench/encoding.py multilingual-e5-small ../shared/data/xquad-r --unpadded
    python bench/encoding.py multilingual-e5-small ../shared/data/xquad-r --backend openvino=OTHER/bin/python

The texts are candidate sentences of XQuAD-R, in the languages given, tokenised and encoded in float32 by each side in
turn; nothing is cached. Each round times sentence-transformers with every batch size (ratios refer to the fastest) and
the largest matrix products that the machine does in that minute. A line has the median of the rounds. Wall-clock time,
so leave the machine alone. With --unpadded the encoder takes turns with itself with encoder.attention=unpadded. With
--backend (several times) other backends of sentence-transformers take turns too, each in an environment of its own,
such as one with sentence-transformers[openvino].
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from babelbatch.benchmarks.lareqa import load_benchmark
from babelbatch.encoder import Encoder, pretrained
from babelbatch.evaluation.encoding import encode, tokenise_texts
from babelbatch.progress import silent

Measure = Callable[[], tuple[np.ndarray, float]]
"""Encodes all texts. Returns their vectors and the seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="a folder or a name on the hub")
    parser.add_argument("data", help="the folder of XQuAD-R")
    parser.add_argument("--languages", default="ar,en,th,zh")
    parser.add_argument("--texts", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", default="4,8,16,32", help="batch sizes of sentence-transformers")
    parser.add_argument("--unpadded", action="store_true")
    parser.add_argument("--backend", action="append", default=[], metavar="NAME=PYTHON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    candidates = load_benchmark("xquad_r", arguments.data, arguments.languages.split(",")).candidate_texts
    texts = candidates[:: len(candidates) // arguments.texts][: arguments.texts]
    encoders = {"babelbatch": pretrained(arguments.encoder).eval()}
    if arguments.unpadded:
        encoders["babelbatch, unpadded"] = pretrained(arguments.encoder, attention="unpadded").eval()
    encoder = encoders["babelbatch"]
    folder = encoder.tower("passage").backbone.name_or_path
    peer = SentenceTransformer(folder, device="cpu")
    prompt, normalise = encoder.settings.passage_prefix, encoder.settings.normalise
    products = flops(encoder, texts)

    def ours(encoder: Encoder) -> np.ndarray:
        with tempfile.TemporaryDirectory() as cache, silent():
            os.environ["BABELBATCH_CACHE"] = cache
            return encode(encoder, texts, "passage")

    def theirs(batch: int) -> np.ndarray:
        return peer.encode(texts, prompt=prompt, batch_size=batch, normalize_embeddings=normalise)

    work = {"texts": texts, "prompt": prompt, "normalise": normalise}
    others = {
        name: Backend(name, python, folder, work, arguments.threads)
        for name, python in (each.split("=", 1) for each in arguments.backend)
    }

    sizes = list(map(int, arguments.batches.split(",")))
    sides: dict[str, Measure] = {name: timed(partial(ours, each)) for name, each in encoders.items()}
    for size in sizes:
        sides[f"sentence-transformers, batch {size}"] = timed(partial(theirs, size))
        for name, backend in others.items():
            sides[f"sentence-transformers, {name}, batch {size}"] = partial(backend.encode, size)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    vectors, peaks = {}, []
    for side in sides.values():  # the first round takes memory, and is not counted
        side()
    for _ in range(arguments.rounds):
        for name, side in sides.items():
            vectors[name], taken = side()
            seconds[name].append(taken)
        peaks.append(peak())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    best = min((f"sentence-transformers, batch {size}" for size in sizes), key=medians.__getitem__)
    ceiling = statistics.median(peaks)
    print(f"{len(texts)} texts, {arguments.threads} threads, {arguments.rounds} rounds, torch {torch.__version__}")
    print(f"matrix products: {ceiling / 1e9:.0f} GFLOP/s; the encoder's: {products / 1e9:.0f} GFLOP without padding")
    print(f"{'':46}{'texts/s':>8}{'ratio':>7}{'share of peak':>15}{'difference':>12}  seconds")
    for name, median in medians.items():
        share, difference = products / median / ceiling, np.abs(vectors[name] - vectors["babelbatch"]).max()
        line = f"{len(texts) / median:8.1f}{medians[best] / median:7.2f}{share:15.0%}{difference:12.1e}"
        print(f"{name:46}{line}  {', '.join(f'{time:.2f}' for time in seconds[name])}")


def timed(encode_all: Callable[[], np.ndarray]) -> Measure:
    """Encodes, and says how many seconds it took."""

    def measure() -> tuple[np.ndarray, float]:
        started = time.perf_counter()
        return encode_all(), time.perf_counter() - started

    return measure


class Backend:
    """sentence-transformers with another backend, in a process of another environment."""

    def __init__(self, name: str, python: str, folder: str, work: dict[str, object], threads: int) -> None:
        self._place = tempfile.TemporaryDirectory()
        self._vectors = Path(self._place.name, "vectors.npy")
        texts = Path(self._place.name, "texts.json")
        texts.write_text(json.dumps(work), encoding="utf-8")
        script = Path(__file__).with_name("sentence_transformers_backend.py")
        self._process = subprocess.Popen(
            [python, str(script), name, folder, str(texts), str(self._vectors)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )

    def encode(self, batch: int) -> tuple[np.ndarray, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended, see below
            print(batch, file=self._process.stdin, flush=True)
        for line in self._process.stdout:  # libraries print as well
            if line.startswith("seconds "):
                return np.load(self._vectors), float(line.removeprefix("seconds "))
        sys.exit(f"the process of the backend ended with {self._process.wait()}")


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
