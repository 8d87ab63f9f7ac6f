"""How fast texts become vectors, by the tokens of one forward pass and by the precision of matrix products.

    python bench/token_budget.py multilingual-e5-small ../shared/data/xquad-r
    python bench/token_budget.py multilingual-e5-small ../shared/data/xquad-r --threads 2 --budgets 512,1024,16384

The texts are candidate sentences of XQuAD-R in four languages, tokenised before. Each round encodes all of them with
each setting, one after the other; a line has the median of the rounds, its ratio to float32 with the largest budget,
and the smallest cosine with the vectors of that setting. Wall-clock time, so leave the machine alone.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time

import numpy as np
import torch

from babelbatch.benchmarks.lareqa import load_benchmark
from babelbatch.encoder import pretrained
from babelbatch.evaluation.encoding import encode, tokenise_texts
from babelbatch.progress import silent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="a folder or a name on the hub")
    parser.add_argument("data", help="the folder of XQuAD-R")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--budgets", default="512,1024,2048,4096,16384")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    encoder = pretrained(arguments.encoder).eval()
    candidates = load_benchmark("xquad_r", arguments.data, ["ar", "en", "th", "zh"]).candidate_texts
    texts = candidates[:: len(candidates) // arguments.texts][: arguments.texts]
    tokens = int(tokenise_texts(encoder, texts, "passage").lengths.sum())
    settings = list(itertools.product(("float32", "bfloat16"), map(int, arguments.budgets.split(","))))
    seconds: dict[tuple[str, int], list[float]] = {setting: [] for setting in settings}
    vectors = {}
    for _ in range(arguments.rounds):
        for precision, budget in settings:
            started = time.perf_counter()
            with silent():
                vectors[precision, budget] = encode(encoder, texts, "passage", budget, precision=precision)
            seconds[precision, budget].append(time.perf_counter() - started)
    slowest = ("float32", max(budget for _, budget in settings))
    reference = vectors[slowest]
    print(f"{len(texts)} texts, {tokens:,} tokens, {arguments.threads} threads, {arguments.rounds} rounds")
    print(f"{'precision':12}{'budget':>8}{'tokens/s':>10}{'ratio':>8}{'cosine':>12}")
    for precision, budget in settings:
        median = statistics.median(seconds[precision, budget])
        ratio = statistics.median(seconds[slowest]) / median
        cosine = (vectors[precision, budget] * reference).sum(axis=1) / np.square(reference).sum(axis=1)
        print(f"{precision:12}{budget:8,}{tokens / median:10,.0f}{ratio:8.2f}{cosine.min():12.7f}")


if __name__ == "__main__":
    main()
