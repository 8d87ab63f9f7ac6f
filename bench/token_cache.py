"""Builds, opens and reads a token cache of many passages, and says what time and memory that takes.

    python bench/token_cache.py --passages 10000000

The passages are synthetic: 4 to 12 words in one of eleven scripts, drawn from 20,000 made-up words a script, each of 2
to 9 letters, rare words rarer (Zipf, exponent 1); the draws depend on the passage's number alone. They are made while
they are read, never all at once. The tokenizer is a byte-pair one trained on the first 20,000 of them, unless
--tokenizer names a folder with another. Making the passages is part of the times, and shown by itself as well.

Building and reading are processes of their own, so that each has its own peak memory. RSS counts pages of mapped files,
which the system takes back when it needs them; RssAnon does not. The peaks of RSS are the kernel's; the other figures
are samples.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer

from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.tokens import Tokens, tokenise
from babelbatch.tokens.cache import find_damage

LETTERS = {  # first letter and number of letters of a run in Unicode
    "latin": (0x61, 26), "greek": (0x3B1, 24), "cyrillic": (0x430, 32), "arabic": (0x627, 28), "hebrew": (0x5D0, 27),
    "devanagari": (0x915, 37), "thai": (0xE01, 46), "hangul": (0xAC00, 600), "han": (0x4E00, 3000),
    "hiragana": (0x3042, 80), "georgian": (0x10D0, 33),
}  # fmt: skip
WORDS, BLOCK = 20_000, 1_000
UNSPACED = ("han", "thai", "hiragana")


class Passages:
    """`count` passages that exist only while they are read."""

    def __init__(self, count: int) -> None:
        self.count = count
        rng = np.random.default_rng(0)
        self.words = [[self._word(rng, first, size) for _ in range(WORDS)] for first, size in LETTERS.values()]
        self.glue = ["" if script in UNSPACED else " " for script in LETTERS]
        frequency = 1 / np.arange(1, WORDS + 1)
        self.cumulative = np.cumsum(frequency / frequency.sum())

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        for block in range(-(-self.count // BLOCK)):
            rng = np.random.default_rng(block)
            scripts = rng.integers(len(self.words), size=BLOCK).tolist()
            lengths = rng.integers(4, 13, size=BLOCK)
            picked = np.searchsorted(self.cumulative, rng.random(int(lengths.sum())) * self.cumulative[-1]).tolist()
            ends = np.cumsum(lengths).tolist()
            for row in range(min(BLOCK, self.count - block * BLOCK)):
                words = self.words[scripts[row]]
                start = ends[row - 1] if row else 0
                yield self.glue[scripts[row]].join([words[place] for place in picked[start : ends[row]]])

    @staticmethod
    def _word(rng: np.random.Generator, first: int, size: int) -> str:
        return "".join(chr(first + letter) for letter in rng.integers(size, size=rng.integers(2, 10)))


def memory(field: str) -> float:
    """MiB of a field of /proc/self/status: VmRSS, VmHWM, RssAnon, RssFile."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


class Peak:
    """The highest RssAnon of this process while it is open, in MiB."""

    def __enter__(self) -> "Peak":
        self.anon = memory("RssAnon")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.05):
            self.anon = max(self.anon, memory("RssAnon"))


def show(what: str, value: str) -> None:
    print(f"{what:<58} {value}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--tokenizer", help="a folder with a Hugging Face tokenizer")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--batches", type=int, default=4_000)
    parser.add_argument("--cache", type=Path, help="where to keep it; default: a temporary folder that is removed")
    parser.add_argument("--only", choices=["build", "read"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        (build if arguments.only == "build" else read)(arguments)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.cache or Path(temporary)
        for only in ("build", "read"):
            subprocess.run([sys.executable, *sys.argv, "--cache", str(folder), "--only", only], check=True)


def tokens_of(arguments: argparse.Namespace, passages: Passages) -> tuple[Tokens, float]:
    if arguments.tokenizer:
        tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    else:
        tokenizer = train_tokenizer(Passages(20_000), 30_000)
    show("process before (torch, transformers, tokenizer), RSS", f"{memory('VmRSS'):,.0f} MiB")
    started = time.perf_counter()
    tokens = tokenise(
        passages, tokenizer, prefix="", max_length=arguments.max_length, description="tokenising", cache=arguments.cache
    )
    return tokens, time.perf_counter() - started


def build(arguments: argparse.Namespace) -> None:
    passages = Passages(arguments.passages)
    started = time.perf_counter()
    for _ in passages:
        pass
    show(f"making {len(passages):,} passages, once, of the two times", f"{time.perf_counter() - started:,.1f} s")
    with Peak() as peak:
        cpu = time.process_time()
        tokens, seconds = tokens_of(arguments, passages)
        cpu = time.process_time() - cpu
    show("fingerprint, tokenise, write, on disk", f"{seconds:,.1f} s, {len(passages) / seconds:,.0f} passages/s")
    show("time of all cores, tokenizer's training included", f"{cpu:,.1f} s")
    total = int(tokens.offsets[-1])
    size = (tokens.ids.nbytes + tokens.offsets.nbytes) / 2**30
    show("tokens", f"{total:,} ({total / len(passages):.1f} a passage), {size:.2f} GiB, {os.cpu_count()} cores")
    show("peak while building, RSS", f"{memory('VmHWM'):,.0f} MiB")
    show("peak while building, RssAnon", f"{peak.anon:,.0f} MiB")


def read(arguments: argparse.Namespace) -> None:
    passages = Passages(arguments.passages)
    tokens, seconds = tokens_of(arguments, passages)
    show("opening it in another process: fingerprint and check", f"{seconds:,.1f} s")
    started = time.perf_counter()
    assert find_damage(tokens.mapping.folder) is None
    show("of which the check of every byte", f"{time.perf_counter() - started:,.1f} s")
    show("after opening, RSS", f"{memory('VmRSS'):,.0f} MiB")
    rng = np.random.default_rng(0)
    before, anon = time.perf_counter(), 0.0
    for batch in range(arguments.batches):
        tokens.padded(rng.integers(len(tokens), size=arguments.batch_size))
        if batch % 20 == 0:
            anon = max(anon, memory("RssAnon"))
    seconds = time.perf_counter() - before
    show(
        f"{arguments.batches:,} random batches of {arguments.batch_size}",
        f"{seconds / arguments.batches * 1e3:.3f} ms each",
    )
    show("peak while reading them, RSS", f"{memory('VmHWM'):,.0f} MiB")
    show("peak while reading them, RssAnon", f"{anon:,.0f} MiB")


if __name__ == "__main__":
    main()
