"""What the sampler costs: seconds to start, and milliseconds a plan.

    python bench/sampler.py
    python bench/sampler.py --items 10000000 --repeats 20

Corpora of --items items in --languages languages, by default ten million pairs in all, and ten million items. Each is
fully parallel ("parallel"), or lacks queries and passages ("partial"), from none in the first language to four in
five in the last; the latter also as a mixture of ten parts ("of 10 parts"). Texts are not needed: to the sampler a
corpus is two tables of row numbers.

    availability    to read both tables, once a run (the samplers of a run share it)
    start       of a training sampler on 95 % of the rows, availability included
    validation  of the validation sampler on the other 5 %, with availability known: its batch size and its pools
    plan        one plan(step), mean over consecutive steps

Printed are the median and the fastest of repeats that take turns, so that a busy machine is unfair to all alike, and
the least processor time, over all threads, which suffers less from other processes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from babelbatch.records import ABSENT, Corpus, Mixture
from babelbatch.sampling import Sampler, Sampling
from babelbatch.sampling.pools import Availability
from babelbatch.sampling.sampler import largest_batch

STRATEGIES = {
    "x_x": {"alpha": 1.0},
    "x_y": {"alpha": 0.0},
    "hybrid": {"alpha": 0.5},
    "schedule": {"alpha": 1.0, "schedule": "cosine", "alpha_end": 0.0, "alpha_draw": "stratified"},
    "x_en": {"alpha": 0.0, "cross_language": "x_en"},
    "by size": {"alpha": 0.0, "pair_exponent": 0.5},
}
BATCH_SIZES = (128, 4096)
PLANS = 50  # in a row, for one measurement


class Taken(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float


class Numbers(Sequence[str]):
    """As many texts as the tables name, without their memory: the sampler does not read them."""

    def __init__(self, count: int) -> None:
        self._numbers = range(count)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, row: int) -> str:
        return str(self._numbers[row])


def make_corpus(items: int, languages: int, *, partial: bool) -> Corpus:
    random = np.random.default_rng(0)
    missing = np.linspace(0, 0.8 if partial else 0, languages, dtype=np.float32)

    def table() -> np.ndarray:
        texts = np.arange(items * languages, dtype=np.int32).reshape(items, languages)
        if partial:
            texts[random.random(texts.shape, dtype=np.float32) < missing] = ABSENT
        return texts

    return Corpus(
        name="partial" if partial else "parallel",
        languages=("en", *(f"l{number:02}" for number in range(1, languages))),
        ids=Numbers(items),
        query_texts=Numbers(items * languages),
        passage_texts=Numbers(items * languages),
        queries=table(),
        passages=table(),
        passage_keys=np.arange(items),
        negatives=np.empty((items, languages, 0), np.int32),
        negative_keys=np.empty((items, languages, 0), np.int64),
    )


def measurements(corpus: Corpus) -> dict[str, Callable[[], Taken]]:
    """What to measure, by name: each call returns seconds."""
    held_out = np.random.default_rng(1).random(len(corpus)) < 0.05
    training, validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    availability = Availability(corpus)
    hybrid = Sampling("hybrid", alpha=0.5)
    steps = iter(range(10**9))

    def validate() -> None:
        size = min(hybrid.batch_size, largest_batch(corpus, validation, availability))
        whole = replace(corpus, mixture=None)
        Sampler(whole, Sampling("validation", 0.5, size, "stratified"), 0, validation, availability)

    def plans(sampler: Sampler) -> Callable[[], Taken]:
        return lambda: seconds(lambda: sampler.plan(next(steps)), PLANS)

    found = {
        "availability": lambda: seconds(lambda: Availability(corpus)),
        "start": lambda: seconds(lambda: Sampler(corpus, hybrid, 0, training)),
        "validation": lambda: seconds(validate),
    }
    for size in BATCH_SIZES:
        for name, options in STRATEGIES.items():
            if size * _parts(corpus) <= largest_batch(corpus, training, availability):
                sampling = Sampling(name, batch_size=size, **options)
                sampler = Sampler(corpus, sampling, 0, training, availability, steps=10**6)
                found[f"plan, {name}, batch {size:,}"] = plans(sampler)
    return found


def in_parts(corpus: Corpus, parts: int) -> Corpus:
    starts = tuple(part * len(corpus) // parts for part in range(parts))
    mixture = Mixture(tuple(f"part {part}" for part in range(parts)), starts, 1.0)
    return replace(corpus, name=f"of {parts} parts", mixture=mixture)


def _parts(corpus: Corpus) -> int:
    return len(corpus.mixture.names) if corpus.mixture else 1


def seconds(action: Callable[[], object], times: int = 1) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        action()
    return Taken((time.perf_counter() - wall) / times, (time.process_time() - cpu) / times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[714_286, 10_000_000])
    parser.add_argument("--languages", type=int, default=14)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()

    corpora = [
        make_corpus(items, options.languages, partial=partial) for items in options.items for partial in (False, True)
    ]
    corpora += [in_parts(corpus, 10) for corpus in corpora if corpus.name == "partial"]
    found = {f"{corpus.name}, {len(corpus):,} items": measurements(corpus) for corpus in corpora}
    times: dict[tuple[str, str], list[Taken]] = {}
    for _ in range(options.repeats):
        for corpus, measured in found.items():
            for name, measure in measured.items():
                times.setdefault((corpus, name), []).append(measure())
    for corpus, measured in found.items():
        print(f"{f'{corpus}, {options.languages} languages':<30}{'median':>12}{'fastest':>12}{'cpu':>12}  (ms)")
        for name in measured:
            wall, cpu = zip(*times[corpus, name], strict=True)
            row = (f"{1000 * value:>12.3f}" for value in (statistics.median(wall), min(wall), min(cpu)))
            print(f"  {name:<28}{''.join(row)}")


if __name__ == "__main__":
    main()
