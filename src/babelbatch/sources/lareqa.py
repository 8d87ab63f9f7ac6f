"""The LAReQA file format: SQuAD JSON with sentence boundaries, one file per language (arXiv 2004.05484).

XQuAD-R and MLQA-R are published in it; any question answering data in this format can be read.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from babelbatch.progress import bar
from babelbatch.sources.bad_rows import BadRows, nothing_usable, parse_row
from babelbatch.sources.download import download_file
from babelbatch.storage import cache_folder, documents


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the paragraph and sentence in which its answer starts."""

    id: str
    text: str
    paragraph: int
    sentence: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """article: the number of the article in its file."""

    context: str
    sentences: tuple[str, ...]
    article: int


@dataclass(frozen=True, slots=True)
class LanguageFile:
    language: str
    paragraphs: tuple[Paragraph, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """The folder of a data set in the LAReQA repository, and the SHA-256 of each file."""

    folder: str
    revision: str
    sha256: dict[str, str]

    def url(self, language: str) -> str:
        root = "https://raw.githubusercontent.com/google-research-datasets/lareqa"
        return f"{root}/{self.revision}/{self.folder}/{language}.json"


PUBLISHED = {
    "xquad_r": Published(  # CC BY-SA 4.0
        folder="xquad-r",
        revision="9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c",
        sha256={
            "ar": "c52922d3b8ac1ae03ed5ac38647ad59870dca3dda2beefe18ecdc30729acb69d",
            "de": "16fb0f4bf4916154b585a20c24c66074591c9718a1affe764ff4697572328949",
            "el": "163fd43ee785a30eb534ae2061e9eaa766a7ee4e8ffce5e4b422480c150f64b6",
            "en": "7b0954f39297c27a31fef610f0883337dd2907fa8699151dc922afdd0fa12ffe",
            "es": "f8e836b2d91009c4363e04315f7ede363eedbbb49c67dda60de6c4aa782f58de",
            "hi": "ea45ba8ae4513d1533b222bebdc02a90bc319c055d3aeea68584a053d2e92872",
            "ru": "7f4dff853538b9a5fcc28c070b8bb983a5c5d190ac747b8e005a1ada9cab18f1",
            "th": "c3a041864c3a9fb0b4dd91cfdf99cf36b411b3e704c58a303c97bc6dc786cfe4",
            "tr": "f3e8c13002bbce154a4578f535f7533cb70f3da08840e6b62735935baec7bd94",
            "vi": "e35926bf5cc6fc6ecbdfca49467aabeb454f08d152d7818143a906bd31dde995",
            "zh": "80c2cde7b9c2fb134c303cbb52f2ba396ead9eb0014aec43993543d2ba9e93ed",
        },
    ),
    # CC BY-NC 4.0 by its folder's LICENSE. Removed from the master branch on 2020-04-28, intact at this commit.
    "mlqa_r": Published(
        folder="mlqa-r",
        revision="354d67d1cd066854cdfbf5ad0e6105528976141d",
        sha256={
            "ar": "2132fbc03208535c0fe01f2e2c5121d06f9c2aa799af93b0a719dbc105bdf137",
            "de": "ce9454dc5aa6f2d85c23cd6e49cb367fbb7c4c6e62d7f71e355c6b5dae4d0886",
            "en": "fedd9a5cc0848dda80caf84aa36f482adaae230526a3f6e9e86926a93ef3b1e4",
            "es": "70ecba276b8c96a692b120693a595d076ce94ad21d4b28311538a9fcbfe0f9d7",
            "hi": "4dd0fb3c06f737a5481d705bc1dcac7876712a5815c9265908fbb3a0696cb654",
            "vi": "9d3baff6ba03e6793b25594217265ea59a136b9733833dca8a9582a84a78ff85",
            "zh": "57f01d2fff50cf3392805635b01445339f225ad5bf28ba8443b12f8dbd1e69dc",
        },
    ),
}


def read(
    dataset: str, data_dir: str | None, languages: list[str] | None, bad: BadRows | None = None
) -> tuple[LanguageFile, ...]:
    """Reads one file per language, `<data_dir>/<language>.json`, in the order of `languages` (default: all, sorted).

    dataset: a name of `PUBLISHED`, used only if `data_dir` is None: then the published files are fetched once into the
    cache folder and checked against their SHA-256.
    bad: collects the questions, and the paragraphs and articles with all of theirs, that cannot be used, and those are
        left out, as long as a question of the file can be used. The numbers of other paragraphs stay as they are.
    Raises ValueError, with file, line or question, for a missing or damaged file, and for the rows of `bad`.
    """
    if languages is not None and (not languages or len(set(languages)) < len(languages)):
        raise ValueError(f"languages: {languages} names no language, or one twice; name each once, or set null for all")
    if data_dir is None:
        chosen = _published(dataset, languages)
        return _read_files({language: _fetch(dataset, language) for language in chosen}, bad)
    folder = Path(data_dir)
    present = sorted(path.stem for path in folder.glob("*.json"))
    if not present:
        raise ValueError(f"{folder}: no <language>.json file there; set data_dir to a folder of LAReQA files")
    missing = sorted(set(languages or ()) - set(present))
    if missing:
        raise ValueError(
            f"{folder}: no file {', '.join(f'{language}.json' for language in missing)} "
            f"(there are: {', '.join(present)}); add it, or leave the language out of `languages`"
        )
    return _read_files({language: folder / f"{language}.json" for language in languages or present}, bad)


def answer_keys(files: tuple[LanguageFile, ...], *, whole_paragraph: bool) -> dict[str, int]:
    """Maps each question id to its passage key: questions with one key have the same answer, in any language.

    The key is the connected component of the graph that joins each question id to the text of its answer sentence (or,
    if `whole_paragraph`, of its paragraph) in every language, so equal texts are one passage. The other sentences of
    the paragraph can still be negatives.
    """
    ids = {id_: row for row, id_ in enumerate(dict.fromkeys(q.id for file in files for q in file.questions))}
    passages: dict[str, int] = {}
    edges = []
    for file in files:
        for question in file.questions:
            paragraph = file.paragraphs[question.paragraph]
            text = paragraph.context if whole_paragraph else paragraph.sentences[question.sentence]
            edges.append((ids[question.id], passages.setdefault(text, len(ids) + len(passages))))
    rows, columns = np.array(edges).T
    size = len(ids) + len(passages)
    graph = coo_array((np.ones(len(edges)), (rows, columns)), shape=(size, size))
    component = connected_components(graph, directed=False)[1]
    return {id_: int(component[row]) for id_, row in ids.items()}


def _published(dataset: str, languages: list[str] | None) -> list[str]:
    if dataset not in PUBLISHED:
        raise ValueError(f"dataset '{dataset}' is not one of {sorted(PUBLISHED)}; set data_dir to read local files")
    available = PUBLISHED[dataset].sha256
    unknown = sorted(set(languages or ()) - set(available))
    if unknown:
        raise ValueError(f"languages: {dataset} has no {', '.join(unknown)}; it has: {', '.join(available)}")
    return languages or list(available)


def _fetch(dataset: str, language: str) -> Path:
    published = PUBLISHED[dataset]
    target = cache_folder("lareqa") / published.revision / published.folder / f"{language}.json"
    return download_file(published.url(language), published.sha256[language], target)


def _read_files(paths: Mapping[str, Path], bad: BadRows | None) -> tuple[LanguageFile, ...]:
    files = []
    with bar(f"reading {len(paths)} languages", len(paths), "languages") as progress:
        for language, path in paths.items():
            files.append(_read_file(path, language, bad))
            progress.advance(1)
    if bad is not None:
        bad.refuse()
    return tuple(files)


def _read_file(path: Path, language: str, bad: BadRows | None) -> LanguageFile:
    try:
        if not (content := path.read_bytes()):
            raise ValueError(f"{path}: the file is empty; copy or download it again")
        data = documents.parse_json(content, unicode=False)["data"]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    except documents.UnreadableDocument as error:
        if error.line is None:
            remedy = "convert the file to UTF-8" if "UTF-8" in str(error) else "copy or download it again"
            raise ValueError(f"{path}: {error}; {remedy}") from None
        raise ValueError(
            f"{path}, line {error.line}, column {error.column}: not valid JSON ({error}); "
            "the file may be cut off: copy or download it again"
        ) from None
    except (KeyError, TypeError):
        raise ValueError(
            f"{path}: no key 'data' at the top; every *.json there is taken for a language; choose with languages"
        ) from None
    paragraphs: list[Paragraph] = []
    questions: dict[str, Question] = {}
    for number, article in enumerate(_checked(data, list, path, "'data'")):
        there = parse_row(bad, path, partial(_field, article, "paragraphs", list, path, f"article {number}"))
        for row in there or ():
            found = parse_row(bad, path, partial(_paragraph, row, len(paragraphs), number, path))
            if found is None:
                paragraphs.append(Paragraph("", (), number))  # so that the numbers of the next ones stay
                continue
            paragraph, breaks, qas = found
            for qa in qas:
                question = parse_row(
                    bad, path, partial(_question, qa, len(paragraphs), paragraph, breaks, path, questions.keys())
                )
                if question is not None:
                    questions[question.id] = question
            paragraphs.append(paragraph)
    if not questions:
        raise nothing_usable(bad, path, f"{path}: no questions in it")
    return LanguageFile(language, tuple(paragraphs), tuple(questions.values()))


Breaks = list[tuple[int, int]]
"""Start and end of each sentence, in characters of the paragraph."""


def _paragraph(row: object, number: int, article: int, path: Path) -> tuple[Paragraph, Breaks, list[object]]:
    """The paragraph, its sentence breaks, and its questions as they are in the file."""
    where = f"paragraph {number}"
    sentences = _field(row, "sentences", list, path, where)
    for sentence in sentences:
        _checked(sentence, str, path, f"{where}, a sentence")
    breaks = _sentence_breaks(row, len(sentences), path, where)
    context = _field(row, "context", str, path, where)
    return Paragraph(context, tuple(sentences), article), breaks, _field(row, "qas", list, path, where)


def _sentence_breaks(paragraph: object, sentences: int, path: Path, where: str) -> Breaks:
    breaks = _field(paragraph, "sentence_breaks", list, path, where)
    if len(breaks) != sentences:
        raise ValueError(f"{path}, {where}: {sentences} sentences but {len(breaks)} sentence_breaks")
    for pair in breaks:
        if len(_checked(pair, list, path, f"{where}, a sentence break")) != 2:
            raise ValueError(f"{path}, {where}: sentence break {pair} is not [start, end]")
    return [(_checked(start, int, path, where), _checked(end, int, path, where)) for start, end in breaks]


def _question(
    qa: object, number: int, paragraph: Paragraph, breaks: Breaks, path: Path, earlier: Container[str]
) -> Question:
    """number: of the paragraph. earlier: ids of the questions before."""
    where = f"paragraph {number}"
    id_ = _field(qa, "id", str, path, f"{where}, a question")
    where = f"{where}, question '{id_}'"
    answers = _field(qa, "answers", list, path, where)
    if len(answers) != 1:
        raise ValueError(f"{path}, {where}: {len(answers)} answers; LAReQA files have exactly one per question")
    start = _field(answers[0], "answer_start", int, path, where)
    # Relevance is decided by where the answer starts; some published spans run past the end of their sentence.
    sentence = bisect_right([begin for begin, _ in breaks], start) - 1
    if sentence < 0 or not breaks[sentence][0] <= start < breaks[sentence][1]:
        raise ValueError(
            f"{path}, {where}: answer_start {start} is in no sentence; correct sentence_breaks or remove the question"
        )
    answer = _field(answers[0], "text", str, path, where)
    if not paragraph.context.startswith(answer, max(start, 0)):
        raise ValueError(
            f"{path}, {where}: the context does not have '{answer[:40]}' at answer_start {start}; "
            "offsets count characters, not bytes, from 0"
        )
    text = _field(qa, "question", str, path, where)
    for name, value in (("'question'", text), ("the sentence of its answer", paragraph.sentences[sentence])):
        if not value.strip():
            raise ValueError(f"{path}, {where}: {name} is empty; write it, or remove the question")
    if id_ in earlier:
        raise ValueError(f"{path}, {where}: its id occurs twice; ids must be unique in a file")
    return Question(id_, text, number, sentence)


_Value = TypeVar("_Value")
_KINDS = {list: "a list", str: "a text", int: "a whole number"}


def _field(record: object, name: str, kind: type[_Value], path: Path, where: str) -> _Value:
    if not isinstance(record, dict) or name not in record:
        raise ValueError(f"{path}, {where}: no key '{name}'")
    return _checked(record[name], kind, path, f"{where}, '{name}'")


def _checked(value: object, kind: type[_Value], path: Path, where: str) -> _Value:
    if not isinstance(value, kind):
        raise ValueError(f"{path}, {where}: {json.dumps(value)[:40]} is not {_KINDS[kind]}")
    text: object = value  # narrowing `value` itself would lose its type
    if isinstance(text, str) and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{path}, {where}: character {error.start:,} is half of a surrogate pair, which is not Unicode; "
                "correct the file"
            ) from None
    return value
