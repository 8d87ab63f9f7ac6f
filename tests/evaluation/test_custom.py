"""Metrics of the user's own: computed from ranks, scored in every setting, written beside the others, compared."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelbatch.evaluation.custom import per_query_custom_metrics
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.metrics import MISSED
from babelbatch.evaluation.ranks import Ranks, Top
from babelbatch.evaluation.scoring import score, score_searched
from babelbatch.records import Benchmark
from babelbatch.report.page import write_report
from babelbatch.search.index import Exact
from run_folders import write_sweep


@dataclass(frozen=True)
class Success:
    """1 if a relevant candidate is among the first `depth`."""

    depth: int = 2

    def __call__(self, ranks: np.ndarray, gains: np.ndarray) -> float:
        return float(ranks[0] <= self.depth)


class LastRank:
    """The rank of the last relevant candidate, undefined for a single one."""

    lower_is_better = True

    def __call__(self, ranks: np.ndarray, gains: np.ndarray) -> float:
        return float(ranks[-1]) if len(ranks) > 1 else float("nan")


def gained(ranks: np.ndarray, gains: np.ndarray) -> float:
    return float(gains @ (1 / ranks))


OWN = {"success@2": Success(), "last_rank": LastRank()}


def two_languages(**changes: object) -> Benchmark:
    """Query a in German and English, answered by a candidate in each; b in English, answered by two English ones."""
    return replace(
        Benchmark(
            name="small",
            languages=("de", "en"),
            query_ids=("a", "a", "b"),
            query_texts=("a de", "a en", "b en"),
            query_languages=np.array([0, 1, 1], np.int16),
            candidate_ids=("de_a", "en_a", "en_b", "en_b2"),
            candidate_texts=("a de", "a en", "b en", "b en again"),
            candidate_languages=np.array([0, 1, 1, 1], np.int16),
            relevant_offsets=np.array([0, 2, 4, 6]),
            relevant=np.array([0, 1, 0, 1, 2, 3]),
            protocol="made by hand",
        ),
        **changes,
    )


RANKS = Ranks(within_language=np.array([1, 3, 1, 2, 3, 1]), in_pool=np.array([4, 1, 2, 3, 3, 4]))
TOP = Top(
    candidates=np.array([[1, 0], [0, 1], [2, 3]]),
    scores=np.ones((3, 2), np.float32),
    pairs=np.empty((0, 2), np.int64),
    across=np.empty((0, 2, 2), np.float32),
)


def test_ranks_come_sorted_with_their_gains():
    found = per_query_custom_metrics(
        {"gained": gained}, np.array([10, 1, 4]), np.array([0, 2, 3]), np.array([5.0, 2.0, 3.0])
    )
    assert found["gained"].tolist() == [2 / 1 + 5 / 10, 3 / 4]
    plain = per_query_custom_metrics({"gained": gained}, np.array([10, 1, 4]), np.array([0, 2, 3]))
    assert plain["gained"].tolist() == [1 / 1 + 1 / 10, 1 / 4]


def test_every_setting_has_them():
    result = score(two_languages(), RANKS, TOP, OWN)
    found = result.metrics
    assert found["small/monolingual/success@2"] == 1  # de: rank 1; en: ranks 2, and 1 of 3 and 1
    assert found["small/crosslingual/success@2/de-en"] == 0
    assert found["small/crosslingual/success@2/en-de"] == 1
    assert found["small/crosslingual/success@2"] == 1 / 2
    assert found["small/multilingual/success@2/en"] == 1 / 2  # rank 2; ranks 3 and 4
    assert found["small/multilingual/success@2"] == (1 + 1 / 2) / 2
    # Undefined for one relevant candidate: within languages only b has two.
    assert found["small/monolingual/last_rank"] == found["small/monolingual/last_rank/en"] == 3
    assert "small/crosslingual/last_rank" not in found
    assert found["small/multilingual/last_rank"] == (4 + (3 + 4) / 2) / 2
    assert result.facts == {"custom_metric/success@2": "higher", "custom_metric/last_rank": "lower"}
    rows = {
        (row["setting"], row["query_id"], row["query_language"], row["candidate_language"]): row
        for row in result.per_query.to_pylist()
    }
    assert rows["multilingual", "a", "de", None]["last_rank"] == 4
    assert rows["monolingual", "a", "de", "de"]["last_rank"] is None
    assert rows["crosslingual", "a", "de", "en"]["success@2"] == 0
    assert result.per_query.column_names[-2:] == ["success@2", "last_rank"]


def test_the_other_metrics_stay_as_they_are():
    plain, with_own = score(two_languages(), RANKS, TOP), score(two_languages(), RANKS, TOP, OWN)
    assert plain.metrics.items() <= with_own.metrics.items()
    assert plain.per_query.equals(with_own.per_query.drop_columns(list(OWN)))
    assert plain.facts == {}


def test_without_a_pool():
    found = score(two_languages(pooled=False), RANKS, None, OWN).metrics
    assert found["small/monolingual/success@2"] == 1
    assert not [key for key in found if key.startswith("small/multilingual")]


def test_by_search():
    within, pool = RANKS.within_language.copy(), RANKS.in_pool.copy()
    within[4] = pool[4] = MISSED
    found = score_searched(two_languages(), Ranks(within, pool), TOP.candidates, {}, {"success@2": Success()}).metrics
    assert found["small/monolingual/success@2/en"] == 1
    assert found["small/multilingual/success@2"] == (1 + 1 / 2) / 2


@pytest.mark.parametrize(
    ("metrics", "index", "message"),
    [
        ({"map": Success()}, None, "map: babelbatch has a metric of this name; choose another name"),
        ({"a/b": Success()}, None, "a/b: a name is made of letters, digits and . @ + - _; choose another name"),
        ({"x": 3}, None, "x: int is not callable; name a class with __call__(ranks, gains)"),
        (
            {"last_rank": LastRank()},
            Exact(),
            "last_rank: a search knows the first 100 places only, and this metric has no depth of 100 or less; "
            "give it one, or set evaluation=default",
        ),
    ],
)
def test_refused(metrics, index, message):
    with pytest.raises(ValueError, match=f"^{re.escape(f'evaluation.metrics.{message}')}$"):
        Evaluation(metrics=metrics, index=index)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            "much",
            "it fails for a query with ranks [1] (ValueError: could not convert string to float: 'much'); "
            "return one number for each query",
        ),
        (float("inf"), "a score is infinite; return a finite number, or NaN for none"),
    ],
)
def test_what_is_no_score(returned, message):
    with pytest.raises(ValueError, match=f"^evaluation.metrics.odd: {re.escape(message)}$"):
        per_query_custom_metrics({"odd": lambda ranks, gains: returned}, np.array([1]), np.array([0, 1]))


def wrong_shape(ranks: np.ndarray, gains: np.ndarray) -> np.ndarray:
    return ranks <= 3


def out_of_range(ranks: np.ndarray, gains: np.ndarray) -> float:
    return float(ranks[5])


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (wrong_shape, "TypeError: only 0-dimensional arrays can be converted to Python scalars"),
        (out_of_range, "IndexError: index 5 is out of bounds for axis 0 with size 2"),
    ],
)
def test_a_metric_that_fails_is_refused_before_anything_is_trained(metric, reason):
    message = f"evaluation.metrics.odd: it fails for a query with ranks [1, 3] ({reason}); return one number "
    message += "for each query"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Evaluation(metrics={"odd": metric})


@pytest.mark.parametrize(("better", "leader"), [("higher", "X-X"), ("lower", "X-Y")])
def test_the_report_compares_them(tmp_path: Path, better: str, leader: str):
    """A metric that is mAP by another name has mAP's leader, or the other one where less is better."""
    sweep = write_sweep(tmp_path / "sweep", {0.0: {"monolingual": 0.5}, 1.0: {"monolingual": 0.7}}, seeds=3)
    for folder in sweep.iterdir():
        table = pq.read_table(folder / "per_query.parquet")
        pq.write_table(table.append_column("twin", table["map"].cast(pa.float64())), folder / "per_query.parquet")
        metrics = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps(metrics | {"custom_metric/twin": better}))
    page = write_report([sweep], tmp_path / "report")
    text = (page.parent / "report.md").read_text(encoding="utf-8")
    extreme = {"higher": "highest", "lower": "lowest"}[better]
    assert f"Within a language, {leader} has the {extreme} twin" in text
    assert "monolingual twin" in text
    assert "twin" in (page.parent / "data" / "facts.tex").read_text(encoding="utf-8")
    assert "twin within a language" in page.read_text(encoding="utf-8")
