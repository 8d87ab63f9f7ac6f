"""English question-answer pairs of the sentence-transformers collection, in Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources.hub import Published, check_count, locate_files
from babelbatch.sources.lines import text_in
from babelbatch.sources.records import records
from babelbatch.sources.row_tally import RowTally
from babelbatch.storage import file_signatures


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A data set. subsets: folder -> (column of questions, column of answers, published number of pairs or None if only
    rounded); the first is the default."""

    published: Published
    subsets: dict[str, tuple[str, str, int | None]]


PUBLISHED = {
    "nq": _Pairs(  # Natural Questions: a query typed into a search engine, and a paragraph of Wikipedia
        Published(
            "sentence-transformers/natural-questions", "f9e894e1081e206e577b4eaa9ee6de2b06ae6f17", "CC BY-SA 3.0"
        ),
        {"pair": ("query", "answer", 100_231)},
    ),
    "yahoo_answers": _Pairs(  # questions of users, and the answer voted best
        Published(
            "sentence-transformers/yahoo-answers",
            "93b3605c508cf93e3666c9d3e34640b5fe62b507",
            "none stated; Yahoo Webscope, research use",
        ),
        {
            "title-answer-pair": ("title", "answer", 1_198_260),
            "title-question-answer-pair": ("question", "answer", None),
            "question-answer-pair": ("question", "answer", None),
        },
    ),
    "trivia_qa": _Pairs(  # quiz questions, and a passage with the answer
        Published("sentence-transformers/trivia-qa", "a7c36e3c8c8c01526bc094d79bf80d4c848b0ad0", "unknown"),
        {"pair": ("query", "answer", 73_346)},
    ),
    "gooaq": _Pairs(  # questions completed by a search engine, and its short answers
        Published("sentence-transformers/gooaq", "b089f728748a068b7bc5234e5bcf5b25e3c8279c", "Apache-2.0"),
        {"pair": ("question", "answer", 3_012_496)},
    ),
    "paq": _Pairs(  # questions generated for passages of Wikipedia
        Published("sentence-transformers/paq", "0b8a1acd8be7bd6e713a8092564d9efb22a41ec5", "CC BY-SA"),
        {"pair": ("query", "answer", 64_371_441)},
    ),
}

_LANGUAGE = "en"


def load_corpus(
    dataset: str, subset: str | None = None, data_dir: str | None = None, limit: int | None = None
) -> Corpus:
    """One item per pair, in English: there are X-X batches only. Answers to one question share a passage key.

    dataset: a name of `PUBLISHED`. subset: a folder of it.
    data_dir: a folder with the published files, `<subset>/train-*.parquet`; None fetches them from the hub.
    limit: the number of pairs to read from the start. Building the corpus takes some 600 bytes of memory per pair.
    Raises ValueError for an unknown data set or subset and a file that is damaged or not the published one.
    """
    if dataset not in PUBLISHED:
        raise ValueError(
            f"dataset '{dataset}' is not one of {', '.join(PUBLISHED)}; corpus=table reads any other pairs"
        )
    data = PUBLISHED[dataset]
    subset = subset or next(iter(data.subsets))
    if subset not in data.subsets:
        raise ValueError(f"subset '{subset}' is not one of {', '.join(data.subsets)}")
    question, answer, published = data.subsets[subset]
    (files,) = locate_files(data.published, [f"{subset}/train-*.parquet"], data_dir)

    def build(folder: Path) -> tuple[str, ...]:
        tally, read = RowTally(dataset), 0
        with Assembly(folder, [_LANGUAGE]) as assembly:
            for place, row in islice(chain.from_iterable(map(records, files)), limit):
                read += 1
                texts = [text_in(row, column, place, blank=True) for column in (question, answer)]
                if "" in (stripped := [text.strip() for text in texts]):
                    tally.faulty(f"'{(question, answer)[stripped.index('')]}' is empty", place)
                    continue
                tally.used()
                assembly.query(str(read), _LANGUAGE, texts[0], place.path, place.line)
                assembly.passage(str(read), _LANGUAGE, texts[1], place.path, place.line, key=texts[0])
            if published is not None and (limit is None or read < limit):
                check_count(f"{dataset}, {subset}: pairs", read, published, data_dir)
            tally.report()
            assembly.finish()
        return (_LANGUAGE,)

    return stored_corpus(dataset, {"subset": subset, "limit": limit, "files": file_signatures(files)}, build)
