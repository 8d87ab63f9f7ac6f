"""Fixtures that several rooms share: hand-made parallel data, LAReQA files, and the published ones where present."""

from __future__ import annotations

import gc
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, so before anything that imports it
os.environ["PYTHONFAULTHANDLER"] = "1"  # SIGABRT makes a process of a test say where it is (`processes.py`)
if "PYTEST_XDIST_WORKER" in os.environ:  # several workers share the cores, and so do the processes that they start
    os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of a background job, whose processes would not heed it
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest
import torch
from hypothesis import settings

from babelbatch import progress
from babelbatch.progress import Work
from babelbatch.records import ABSENT, Corpus

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)
settings.register_profile("repeatable", derandomize=True, deadline=None)  # the same on a slow, shared machine
settings.load_profile("repeatable")


LONG = (  # files of few tests, each of a minute
    "jobs/test_unkillable.py", "docs/test_quick_start.py", "docs/test_use_the_model.py", "docs/test_report_page.py",
    "docs/test_site.py", "training/test_objectives.py", "commands/test_exported_run.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files, and those of many slow tests, come first: one that is begun last keeps the other processes of a test
    run waiting."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    slow |= {item.path: 99 for item in items if item.path.as_posix().endswith(LONG)}
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """What is imported by now stays: collections of garbage, which some tests ask for, need not go through it."""
    gc.collect()
    gc.freeze()


MakeCorpus = Callable[..., Corpus]
WriteLareqa = Callable[[Path, Mapping[str, list]], Path]


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes into the user's cache, nor finds there what another version left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BABELBATCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> list[Work]:
    """The work of every progress bar of a test, in order; also of bars too short to be seen."""
    made: list[Work] = []

    def record(*arguments: object, **options: object) -> Work:
        made.append(Work(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(progress, "Work", record)
    return made


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder that holds `xquad-r` and `mlqa-r` as LAReQA published them."""
    beside_the_repository = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("BABELBATCH_TEST_DATA", beside_the_repository))
    if not (folder / "xquad-r").is_dir() or not (folder / "mlqa-r").is_dir():
        pytest.skip(f"no xquad-r and mlqa-r in {folder}; set BABELBATCH_TEST_DATA to a folder that holds them")
    return folder


@pytest.fixture(scope="session")
def make_corpus() -> MakeCorpus:
    """Makes `items` items in all of `languages`: item 3 asks "question 3 de" and is answered by "passage 3 de".

    no_query, no_passage: the (item, language) pairs that the corpus lacks.
    passage_keys: default one an item. negatives: hard negatives an item, each "wrong <slot> for <item> de",
    ABSENT in the first slot of even items.
    """

    def make(
        items: int = 12,
        languages: Sequence[str] = ("de", "en", "zh"),
        *,
        no_query: Sequence[tuple[int, str]] = (),
        no_passage: Sequence[tuple[int, str]] = (),
        passage_keys: Sequence[int] | None = None,
        negatives: int = 0,
    ) -> Corpus:
        cells = [(item, language) for item in range(items) for language in languages]
        shape = (items, len(languages))
        queries = np.arange(len(cells), dtype=np.int32).reshape(shape)
        passages = queries.copy()
        for table, absent in ((queries, no_query), (passages, no_passage)):
            for item, language in absent:
                table[item, languages.index(language)] = ABSENT
        wrong = [(slot, *cell) for cell in cells for slot in range(negatives)]
        hard = np.arange(len(cells), len(cells) + len(wrong), dtype=np.int32).reshape(*shape, negatives)
        hard[::2, :, :1] = ABSENT
        return Corpus(
            name="hand-made",
            languages=tuple(languages),
            ids=tuple(f"item{item}" for item in range(items)),
            query_texts=tuple(f"question {item} {language}" for item, language in cells),
            passage_texts=(
                *(f"passage {item} {language}" for item, language in cells),
                *(f"wrong {slot} for {item} {language}" for slot, item, language in wrong),
            ),
            queries=queries,
            passages=passages,
            passage_keys=np.arange(items, dtype=np.int64) if passage_keys is None else np.array(passage_keys, np.int64),
            negatives=hard,
            negative_keys=np.where(hard == ABSENT, ABSENT, 1000 + hard.astype(np.int64)),
        )

    return make


@pytest.fixture(scope="session")
def parallel(make_corpus: MakeCorpus) -> Corpus:
    """12 items in German, English and Chinese."""
    return make_corpus(12)


def with_tables(corpus: Corpus, queries: np.ndarray, passages: np.ndarray) -> Corpus:
    """The texts of a corpus in other tables, of any number of items, without hard negatives."""
    items = len(queries)
    negatives = np.empty((*queries.shape, 0), np.int32)
    return replace(
        corpus,
        ids=tuple(map(str, range(items))),
        queries=queries,
        passages=passages,
        passage_keys=np.arange(items),
        negatives=negatives,
        negative_keys=negatives.astype(np.int64),
    )


@pytest.fixture(scope="session")
def write_lareqa() -> WriteLareqa:
    """Writes `<folder>/<language>.json`. A paragraph is (sentences, questions); a question is (id, text, sentence)."""

    def write(folder: Path, paragraphs_of: Mapping[str, list]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for language, paragraphs in paragraphs_of.items():
            written = [lareqa_paragraph(*paragraph) for paragraph in paragraphs]
            data = {"data": [{"title": "title", "paragraphs": written}], "version": "1"}
            (folder / f"{language}.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        return folder

    return write


def lareqa_paragraph(sentences: Sequence[str], queries: Sequence[tuple[str, str, int]]) -> dict:
    starts = [sum(len(before) + 1 for before in sentences[:index]) for index in range(len(sentences))]
    return {
        "context": " ".join(sentences),
        "sentences": list(sentences),
        "sentence_breaks": [[start, start + len(text)] for start, text in zip(starts, sentences, strict=True)],
        "qas": [
            {"id": id_, "question": text, "answers": [{"text": sentences[place], "answer_start": starts[place]}]}
            for id_, text, place in queries
        ],
    }
