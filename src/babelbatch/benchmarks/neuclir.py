"""NeuCLIR 2022 and 2023: news in Persian, Russian and Chinese, judged in grades (arXiv 2304.12367, 2404.08071)."""

from __future__ import annotations

from typing import Literal

from babelbatch.benchmarks.mteb_task import Task, load_task
from babelbatch.records import Benchmark
from babelbatch.sources.hub import Published

_CODES = {"fa": "fas", "ru": "rus", "zh": "zho"}

TASKS = {
    2022: Task(
        Published("mteb/NeuCLIR2022RetrievalHardNegatives", "cc5a0360c8bdf1e4afa19d2ea8ec111c0ca96335", "ODC-By"),
        split="test",
        codes=_CODES,
        counts={"fa": (45, 8_882), "ru": (44, 8_724), "zh": (47, 10_325)},
        metric="ndcg@20",
        joined=True,
    ),
    2023: Task(
        Published("mteb/NeuCLIR2023RetrievalHardNegatives", "efb44bb789b9f82223aa819e18dba3748fd09e33", "ODC-By"),
        split="test",
        codes=_CODES,
        counts={"fa": (74, 15_921), "ru": (75, 16_247), "zh": (75, 17_265)},
        metric="ndcg@20",
        joined=True,
    ),
}
"""By year. Counts are queries and documents."""


def load_benchmark(
    year: Literal[2022, 2023], data_dir: str | None = None, languages: list[str] | None = None
) -> Benchmark:
    """mteb's NeuCLIR<year>RetrievalHardNegatives: the topics, translated by people, over the documents judged relevant
    and the first 250 of BM25, multilingual E5 large and E5 Mistral, in the topic's language.

    A candidate is title, space, text. Relevant are documents judged above 0; the gain for nDCG is the grade itself, as
    in trec_eval: 3 for information for the lead of a report on the topic, 1 for the rest of the report.
    A topic has one id in every language; documents of all languages in which it was judged can be relevant.

    year: of the track. data_dir: a folder with the data set's files; None fetches them. languages: some of `fa`, `ru`
        and `zh`; default all. They also form the pool of the multilingual setting.
    """
    what = "candidate = title and text, relevant = judged above 0, gain = grade"
    return load_task(
        f"neuclir_{year}",
        TASKS[year],
        f"NeuCLIR {year}, hard negatives of mteb: {what}",
        data_dir,
        languages,
        pooled=True,
    )
