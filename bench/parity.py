"""One text, one vector: every kind of encoder here, in sentence-transformers and in mteb.

    python bench/parity.py [--run RUN ...]

The encoders are those that the tests of the export use (tests/small_encoders.py), small and random, with tokenizers
trained on the built-in data; and those of finished runs, if given. Each is saved as a run saves it, and evaluated on a
task that a random encoder does better than by chance: passages of the built-in data in English and Thai find
themselves, and their translations, by their beginnings. A row of the table has

* the largest difference of a component between the vectors of babelbatch and of sentence-transformers, of queries and
  of passages;
* nDCG@10 of babelbatch and of mteb, which gets the saved folder;
* the queries whose nDCG@10 differs, and those of them where two of the first eleven scores are within 1e-5. Rounding
  decides between these in mteb, which encodes each text in a batch of its own. babelbatch encodes texts with equal
  tokens once, so that their scores are equal and their ids decide, as in trec_eval.

Stops if vectors differ by more than 1e-5, if pytrec_eval gives the scores of babelbatch another nDCG@10, or if nDCG@10
differs without such a tie. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import datasets
import numpy as np
import pytrec_eval
import transformers
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from babelbatch.benchmarks.from_rows import Judgement, Text, benchmark_from_rows
from babelbatch.benchmarks.world_facts import load_benchmark
from babelbatch.encoder import Encoder, load, save
from babelbatch.evaluation.encoding import encode
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.progress import silent
from babelbatch.records import Benchmark
from mteb_pool import judgements, query_names, rankings, score
from small_encoders import SmallEncoders

TOLERANCE = 1e-5
Rankings = Mapping[str, Mapping[str, float]]
HEAD = """\
| encoder | query | passage | nDCG@10 | mteb's | queries that differ | with a tie |
|---|---:|---:|---:|---:|---:|---:|"""


def row(name: str, encoder: Encoder, benchmark: Benchmark, folder: Path) -> str:
    """The row of one encoder."""
    save(encoder, folder / "encoder")
    theirs = SentenceTransformer(str(folder / "encoder"), device="cpu")
    queries, passages = list(benchmark.query_texts), list(benchmark.candidate_texts)
    ours = encode(encoder, queries, "query"), encode(encoder, passages, "passage")
    there = theirs.encode_query(queries), theirs.encode_document(passages)
    apart = [float(np.abs(a - b).max()) for a, b in zip(ours, there, strict=True)]
    size = max(1.0, float(np.linalg.norm(ours[1], axis=1).max()))  # above 1 without normalisation
    assert max(apart) < TOLERANCE * size, f"{name}: vectors differ by {max(apart)}"

    result = Evaluation().of_vectors(*ours, benchmark)
    names, ids = query_names(benchmark), benchmark.candidate_ids
    table = result.per_query.to_pandas().query("setting == 'multilingual'").set_index(["query_language", "query_id"])
    of_query = table["ndcg@10"].to_dict()
    own = np.array([of_query[tuple(name.split("/", 1))] for name in names])
    scores = ours[0] @ ours[1].T
    given = {query: dict(zip(ids, line.tolist(), strict=True)) for query, line in zip(names, scores, strict=True)}
    assert np.allclose(own, ndcg(given, benchmark), atol=1e-6), f"{name}: pytrec_eval has other scores"

    mean = score(theirs, benchmark, folder / "predictions")
    found = rankings(folder / "predictions")
    exact = ndcg(found, benchmark)
    assert abs(exact.mean() - mean) < 1e-5, f"{name}: mteb's rankings are not those of its score"
    differ = np.abs(exact - own) > 1e-6
    first = -np.sort(-scores, axis=1)[:, :11]
    tied = differ & (np.diff(first, axis=1) > -TOLERANCE * size * size).any(axis=1)
    assert (tied == differ).all(), f"{name}: nDCG@10 differs in {(differ & ~tied).sum()} queries without a tie"
    metric = result.metrics["facts/multilingual/ndcg@10"]
    cells = [f"{apart[0]:.0e}", f"{apart[1]:.0e}", f"{metric:.5f}", f"{mean:.5f}", f"{differ.sum()}", f"{tied.sum()}"]
    return f"| {name} | {' | '.join(cells)} |"


def passages_as_queries() -> Benchmark:
    """Every sixth fact in two languages. A query is a candidate."""
    facts = load_benchmark(["en", "th"])
    rows = [
        (Text(id_.partition(":")[2], id_[:2], text), id_)
        for id_, text in zip(facts.candidate_ids, facts.candidate_texts, strict=True)
    ]
    names = sorted({query.id for query, _ in rows})[::6]
    rows = [row for row in rows if row[0].id in set(names)]
    return benchmark_from_rows(
        "facts",
        [query for query, _ in rows],
        [Text(id_, query.language, query.text) for query, id_ in rows],
        [Judgement(query.id, id_) for query, id_ in rows],
        protocol="a passage finds itself and its translation",
    )


def ndcg(scores: Rankings, benchmark: Benchmark) -> NDArray[np.float64]:
    """nDCG@10 of each query by pytrec_eval, which mteb uses."""
    evaluator = pytrec_eval.RelevanceEvaluator(judgements(benchmark), {"ndcg_cut.10"})
    found = evaluator.evaluate({query: dict(line) for query, line in scores.items()})
    return np.array([found[query]["ndcg_cut_10"] for query in query_names(benchmark)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="append", default=[], help="the folder of a finished run; may be repeated")
    options = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    warnings.simplefilter("ignore", FutureWarning)
    datasets.disable_progress_bars()
    benchmark = passages_as_queries()
    small = SmallEncoders(benchmark.candidate_texts, vocabulary=2_000)
    encoders = dict(small.cases())
    for run in options.run:
        encoders[f"the run {Path(run).name}"] = lambda run=run: load(Path(run) / "encoder")
    print(HEAD)
    for name, make in encoders.items():
        with tempfile.TemporaryDirectory() as folder, silent():
            print(row(name, make(), benchmark, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
