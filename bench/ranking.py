"""The 133 mAP numbers of XQuAD-R beside pytrec_eval: seconds from vectors to numbers, and whether these are equal.

    python bench/ranking.py --data-dir shared/data/xquad-r --repeats 3

133: 11 monolingual cells, 110 crosslingual ones, 11 query languages over the pool, and the macro average over the
pool.
Both sides start from the same vectors of 384 dimensions: random ones, in which a query is near all versions of its
answer, and nearer to what is in its own language. They are of unit length but for rounding: each component is a
multiple of 1/1024, so that scores are exact in float32 in whatever order they are summed, and equal numbers can be
asked for; a few candidates in a hundred are tied. pytrec_eval's side scores by the same matrix product and includes
building its dictionaries, without which it cannot start. Ours includes all that an evaluation computes: ranks, the
other metrics, the language bias suite, and the table of all queries. pytrec_eval runs once, between our repeats; a
first one of ours is not counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pytrec_eval
import torch

from babelbatch.benchmarks.lareqa import load_benchmark
from babelbatch.evaluation import bias
from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.scoring import score
from babelbatch.records import Benchmark

DIMENSIONS = 384
BLOCK = 200  # queries that pytrec_eval gets at once: its dictionaries of all would take tens of gigabytes


def planted(benchmark: Benchmark, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of queries and candidates: the sum of a meaning, a language and noise, scaled and rounded."""
    random = np.random.default_rng(seed)
    languages = random.normal(size=(len(benchmark.languages), DIMENSIONS))
    meanings: dict[str, np.ndarray] = {}
    candidates = random.normal(size=(len(benchmark.candidate_ids), DIMENSIONS))
    queries = random.normal(size=(len(benchmark.query_ids), DIMENSIONS))
    offsets = benchmark.relevant_offsets
    for query, id_ in enumerate(benchmark.query_ids):
        if id_ not in meanings:
            meanings[id_] = random.normal(size=DIMENSIONS)
            candidates[benchmark.relevant[offsets[query] : offsets[query + 1]]] += 0.5 * meanings[id_]
        queries[query] += 0.5 * meanings[id_]
    queries += 0.5 * languages[benchmark.query_languages]
    candidates += 0.5 * languages[benchmark.candidate_languages]
    queries, candidates = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (queries, candidates))
    queries, candidates = (np.round(part * 1024) / 1024 for part in (queries, candidates))
    first: dict[str, int] = {}  # equal texts have equal vectors, and tie
    same = [first.setdefault(text, row) for row, text in enumerate(benchmark.candidate_texts)]
    return queries.astype(np.float32), candidates[same].astype(np.float32)


def by_babelbatch(benchmark: Benchmark, queries: np.ndarray, candidates: np.ndarray) -> dict[str, float]:
    return score(benchmark, *rank(benchmark, queries, candidates, k=bias.TOP)).metrics


def by_pytrec_eval(benchmark: Benchmark, queries: np.ndarray, candidates: np.ndarray) -> dict[str, float]:
    """Every cell and the pool, language by language, with dictionaries of one block at a time."""
    name, languages = benchmark.name, benchmark.languages
    ids, offsets = np.array(benchmark.candidate_ids), benchmark.relevant_offsets
    # Equal columns are scored as one, on either side: a matrix product may round them differently.
    first: dict[bytes, int] = {}
    same = [first.setdefault(vector.tobytes(), row) for row, vector in enumerate(candidates)]
    cells: dict[str, list[float]] = {}
    for row, asked in enumerate(languages):
        asking = np.flatnonzero(benchmark.query_languages == row)
        for some in np.split(asking, range(BLOCK, len(asking), BLOCK)):
            scores = (torch.from_numpy(queries[some]) @ torch.from_numpy(candidates).T).numpy()[:, same]
            relevant = [benchmark.relevant[offsets[query] : offsets[query + 1]] for query in some]
            for column, searched in enumerate([*languages, None]):
                pool = np.arange(len(ids))
                if searched is not None:
                    pool = np.flatnonzero(benchmark.candidate_languages == column)
                names, inside = ids[pool].tolist(), set(pool.tolist())
                run, qrels = {}, {}
                for query, line, answers in zip(some.tolist(), scores[:, pool].tolist(), relevant, strict=True):
                    judged = {benchmark.candidate_ids[answer]: 1 for answer in answers if answer in inside}
                    if judged:
                        run[str(query)], qrels[str(query)] = dict(zip(names, line, strict=True)), judged
                setting = "multilingual" if searched is None else "monolingual" if row == column else "crosslingual"
                key = f"{name}/{setting}/map/{asked}" + (f"-{searched}" if setting == "crosslingual" else "")
                found = pytrec_eval.RelevanceEvaluator(qrels, {"map"}).evaluate(run)
                cells.setdefault(key, []).extend(values["map"] for values in found.values())
    numbers = {key: float(np.mean(values)) for key, values in cells.items()}
    over_pool = [value for key, value in numbers.items() if "/multilingual/" in key]
    return numbers | {f"{name}/multilingual/map": float(np.mean(over_pool))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, help="XQuAD-R as LAReQA published it: xx.json")
    parser.add_argument("--repeats", type=int, default=3, help="of our side, before and after pytrec_eval's")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    benchmark = load_benchmark("xquad_r", options.data_dir)
    vectors = planted(benchmark, options.seed)
    print(f"{len(vectors[0]):,} queries, {len(vectors[1]):,} candidates, {torch.get_num_threads()} threads")

    def timed(side: Callable) -> tuple[float, float, dict[str, float]]:
        begin, used = time.perf_counter(), time.process_time()
        found = side(benchmark, *vectors)
        return time.perf_counter() - begin, time.process_time() - used, found

    timed(by_babelbatch)
    before = [timed(by_babelbatch) for _ in range(options.repeats)]
    theirs_seconds, theirs_used, theirs = timed(by_pytrec_eval)
    after = [timed(by_babelbatch) for _ in range(options.repeats)]
    ours = after[-1][2]

    assert len(theirs) == 133, len(theirs)
    apart = {key: abs(ours[key] - value) for key, value in theirs.items()}
    worst = max(apart, key=apart.__getitem__)
    print(f"133 numbers, from {min(theirs.values()):.4f} to {max(theirs.values()):.4f}; macro over the pool "
          f"{theirs['xquad_r/multilingual/map']:.6f}")  # fmt: skip
    print(f"largest difference {apart[worst]:.1e} ({worst})")
    assert apart[worst] < 1e-12, "the numbers differ"
    for name, place, theirs_time in (("seconds", 0, theirs_seconds), ("processor seconds", 1, theirs_used)):
        times = [run[place] for run in before + after]
        print(f"{name}: pytrec_eval {theirs_time:.1f}; babelbatch {', '.join(f'{t:.2f}' for t in times)}, "
              f"median {median(times):.2f}: {theirs_time / median(times):.0f} times as fast")  # fmt: skip


if __name__ == "__main__":
    main()
