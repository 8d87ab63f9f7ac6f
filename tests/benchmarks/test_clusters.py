"""Queries that are not independent share a cluster, in every benchmark whose data says what a query is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from babelbatch.benchmarks import lareqa, world_facts
from babelbatch.benchmarks.clusters import joined_clusters
from babelbatch.benchmarks.passages import QueryPassage, passage_benchmark
from babelbatch.evaluation.query_sample import sample_queries
from babelbatch.sources.lines import Place


def test_ids_and_sources_join_queries() -> None:
    """a and b are about one article in German; b is asked in English too, where c is about the same article."""
    ids = ["a", "b", "d", "b", "c"]
    sources = [("de", 0), ("de", 0), ("de", 1), ("en", 5), ("en", 5)]
    assert joined_clusters(ids, sources).tolist() == [0, 0, 1, 0, 0]


def test_an_id_and_a_source_of_one_name_are_two_things() -> None:
    assert joined_clusters(["x", "y"], ["y", "x"]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("dataset", "folder", "queries", "articles", "largest"),
    [("xquad_r", "xquad-r", 1_190, 48, 74), ("mlqa_r", "mlqa-r", 1_148, 520, 20)],
)
def test_lareqa_clusters_by_article(
    shared_data: Path, dataset: str, folder: str, queries: int, articles: int, largest: int
) -> None:
    benchmark = lareqa.load_benchmark(dataset, str(shared_data / folder))
    assert benchmark.cluster_unit == "article"
    assert len(set(benchmark.query_ids)) == queries
    of_id = dict(zip(benchmark.query_ids, benchmark.clusters.tolist(), strict=True))
    sizes = np.bincount(list(of_id.values()))
    assert (len(sizes), sizes.min() > 0, sizes.max()) == (articles, True, largest)


def test_world_facts_cluster_by_subject() -> None:
    """Currency and language of one territory are two queries about it; the language `ar` is not the territory `AR`."""
    benchmark = world_facts.load_benchmark(["en", "de"])
    assert benchmark.cluster_unit == "subject"
    subjects = [id_.partition("/")[2] for id_ in benchmark.query_ids]
    assert len(set(benchmark.clusters.tolist())) < len(set(benchmark.query_ids))
    for cluster in set(benchmark.clusters.tolist()):
        assert len({subjects[row] for row in np.flatnonzero(benchmark.clusters == cluster)}) == 1


def test_questions_of_a_passage_are_one_cluster() -> None:
    rows = [("de", "q1", "A"), ("de", "q2", "A"), ("de", "q3", "B"), ("en", "q3", "C"), ("en", "q4", "C")]
    benchmark = passage_benchmark(
        "few",
        ("de", "en"),
        (QueryPassage(Place(Path("f"), 1), language, id_, f"{id_}?", key, key) for language, id_, key in rows),
        "made by hand",
    )
    assert (benchmark.clusters.tolist(), benchmark.cluster_unit) == ([0, 0, 1, 1, 1], "passage")
    sample = sample_queries(benchmark, 2)
    of_id = dict(zip(benchmark.query_ids, benchmark.clusters.tolist(), strict=True))
    assert sample.clusters.tolist() == [of_id[id_] for id_ in sample.query_ids]
