"""Artificially code-switched training texts: words of one language replaced by their translations in others.

Litschko, Artemova and Plank 2023, "Boosting Zero-shot Cross-lingual Retrieval by Training on Artificially Code-Switched
Data" (arXiv 2305.05295), as in their code (github.com/mainlp/CodeSwitchCLIR, codeswitch_clwe.py): with probability p a
word of an English text is looked up in lower case in a dictionary and replaced by its translation; a word that the
dictionary lacks stays. Bilingual code-switching (BL-CS) uses one dictionary for a text; multilingual (ML-CS) draws a
language for each word. Their translations are nearest neighbours in a cross-lingual embedding space; here the user
supplies the dictionaries.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import regex
from numpy.typing import NDArray

from babelbatch.corpora.stored import IDS, PASSAGES, QUERIES, stored_corpus
from babelbatch.progress import bar
from babelbatch.records import ABSENT, Corpus, find_language
from babelbatch.sources.lines import lines
from babelbatch.storage import TextWriter, select_texts

# Letters with their marks, an apostrophe inside; but the possessive `'s` is no part of the word, and none by itself.
_WORD = regex.compile(r"(?<!\p{L}['’])[\p{L}\p{M}]+(?:['’](?!s\b)[\p{L}\p{M}]+)*")
_NAME = regex.compile(r"([A-Za-z]{2,3})-([A-Za-z]{2,3})\.txt")

_VERSION = 2  # goes up when the same settings make other texts

log = logging.getLogger(__name__)

Dictionary = Mapping[str, Sequence[str]]
"""A word in lower case, and its translations."""


@dataclass(frozen=True)
class CodeSwitching:
    """Makes a corpus whose texts in the `source` language are code-switched; other languages are unchanged, hard
    negatives in them too.

    dictionaries: a folder of files `<source>-<target>.txt` as MUSE publishes them: a word and a translation on a line,
        separated by a tab or a space; a word with several translations has several lines. source: the language of the
        texts to switch. targets: which dictionaries; default all of the source language in the folder.
    probability: p, of each word; how many words are switched also depends on the dictionaries.
    texts: which texts are switched; hard negatives are passages.
    mix: `words`: each word draws its language (ML-CS). `texts`: each text draws one (BL-CS).
    copies: number of versions of each item; an epoch contains all of them.
    seed: of the draws. A text is switched in the same way wherever it occurs, in every run, so tokens stay cached. A
        word switched at one probability is switched to the same word at every higher one.
    """

    dictionaries: str
    source: str = "en"
    targets: list[str] | None = None
    probability: float = 0.5
    texts: Literal["both", "queries", "passages"] = "both"
    mix: Literal["words", "texts"] = "words"
    copies: int = 1
    seed: int = 0

    def __call__(self, corpus: Corpus) -> Corpus:
        """A corpus of the same languages with `copies` versions of each item; those of item n start at n * copies.

        Ids and keys are those of the item. The result is stored in the cache folder. Raises ValueError if the corpus
        lacks the source language.
        """
        if find_language(self.source, corpus.languages) is None:
            raise ValueError(
                f"transform.source: the corpus {corpus.name} has no '{self.source}'; it has: "
                f"{', '.join(corpus.languages)}"
            )
        settings = {key: value for key, value in asdict(self).items() if key != "dictionaries"}
        versions = {"version": _VERSION, "words": self.fingerprint, "corpus": corpus.fingerprint}
        inputs = {"code_switching": settings, **versions}
        switched = stored_corpus(corpus.name, inputs, lambda folder: self._write(corpus, folder))
        if corpus.mixture is None:
            return switched
        starts = tuple(self.copies * start for start in corpus.mixture.starts)
        return replace(switched, mixture=replace(corpus.mixture, starts=starts))

    @cached_property
    def files(self) -> dict[str, Path]:
        """The dictionary of each target language. Raises ValueError if one is missing, or all are."""
        folder = Path(self.dictionaries)
        if not folder.is_dir():
            raise ValueError(f"transform.dictionaries: there is no folder '{self.dictionaries}'")
        found = {}
        for path in sorted(folder.iterdir()):
            name = _NAME.fullmatch(path.name)
            if name and find_language(name[1], [self.source]) and not find_language(name[2], [self.source]):
                found[name[2]] = path
        targets = {language: find_language(language, list(found)) for language in self.targets or ()}
        for language, known in targets.items():
            if known is None:
                wanted = folder / f"{self.source}-{language}.txt"
                raise ValueError(f"transform.targets: there is no dictionary {wanted}; there are: {_listed(found)}")
        if not found:
            raise ValueError(f"transform.dictionaries: no {self.source}-<language>.txt in {self.dictionaries}")
        return found if self.targets is None else {known: found[known] for known in targets.values() if known}

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the content of the dictionaries and their languages."""
        digest = hashlib.sha256()
        for language, path in self.files.items():
            digest.update(f"{language}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def switched(self, text: str, dictionaries: Sequence[Dictionary], copy: int = 0) -> tuple[str, int, int]:
        """The switched text, its number of replaced words and its number of words.

        A pure function of the seed, the copy and the text.
        """
        state = hashlib.blake2b(f"{self.seed} {copy} {text}".encode(), digest_size=8).digest()
        drawn = random.Random(int.from_bytes(state, "little")).random
        one = dictionaries[int(drawn() * len(dictionaries))] if self.mix == "texts" else None
        replaced = words = 0

        def replacement(match: regex.Match[str]) -> str:
            nonlocal replaced, words
            words += 1
            chance, language, choice = drawn(), drawn(), drawn()  # always three: no word shifts the draws of another
            word: str = match[0]
            if chance >= self.probability:
                return word
            dictionary = one if one is not None else dictionaries[int(language * len(dictionaries))]
            translations = dictionary.get(word.lower())
            if translations is None:
                return word
            replaced += 1
            return translations[int(choice * len(translations))]

        return _WORD.sub(replacement, text), replaced, words

    def _write(self, corpus: Corpus, folder: Path) -> tuple[str, ...]:
        column = corpus.languages.index(find_language(self.source, corpus.languages) or self.source)
        names = ("queries", "passages", "passage_keys", "negatives", "negative_keys")
        tables = {name: np.repeat(getattr(corpus, name), self.copies, axis=0) for name in names}
        roles: list[tuple[str, Sequence[str], tuple[str, ...], bool]] = [
            (QUERIES, corpus.query_texts, ("queries",), self.texts != "passages"),
            (PASSAGES, corpus.passage_texts, ("passages", "negatives"), self.texts != "queries"),
        ]
        replaced = words = 0
        for file, texts, of_role, switched in roles:
            if switched:
                foreign = _of_other_languages(corpus, column) if file == PASSAGES else np.zeros(len(texts), bool)
                for name in of_role:
                    tables[name] = _numbered_versions(tables[name], column, self.copies, foreign)
            used = np.unique(np.concatenate([tables[name].ravel() for name in of_role]))
            used = used[used != ABSENT]
            for name in of_role:
                rows = np.searchsorted(used, tables[name])
                tables[name] = np.where(tables[name] == ABSENT, ABSENT, rows).astype(np.int32)
            some, of = self._write_texts(folder / file, texts, used)
            replaced, words = replaced + some, words + of
        _write_all(folder / IDS, (id_ for id_ in corpus.ids for _ in range(self.copies)))
        for name, table in tables.items():
            np.save(folder / f"{name}.npy", table)
        log.info(
            "code-switching: %.1f%% of the %s words of the '%s' %s are now in %s",
            100 * replaced / max(words, 1), f"{words:,}", self.source,
            "texts" if self.texts == "both" else self.texts, _listed(self.files),
        )  # fmt: skip
        return corpus.languages

    def _write_texts(self, path: Path, texts: Sequence[str], numbers: NDArray[np.int64]) -> tuple[int, int]:
        """Writes the texts with these numbers, see `_numbered_versions`; returns how many words of the switched ones
        were replaced, and how many they have."""
        dictionaries = [read_dictionary(file) for file in self.files.values()]
        replaced = words = 0

        def versions() -> Iterator[str]:
            nonlocal replaced, words
            for number in numbers.tolist():
                version, row = divmod(number, len(texts))
                text = texts[row]
                if version:
                    text, some, of = self.switched(text, dictionaries, version - 1)
                    replaced, words = replaced + some, words + of
                yield text
                progress.advance(1)

        with bar(f"switching {path.stem}", len(numbers), unit="texts") as progress:
            _write_all(path, versions())
        return replaced, words


def _of_other_languages(corpus: Corpus, column: int) -> NDArray[np.bool_]:
    """Which of the passage texts are passages in other languages only, as mined negatives of any language can be."""
    foreign = np.zeros(len(corpus.passage_texts), bool)
    for other in range(len(corpus.languages)):
        rows = corpus.passages[:, other]
        foreign[rows[rows != ABSENT]] = True
    rows = corpus.passages[:, column]
    foreign[rows[rows != ABSENT]] = False
    return foreign


def _numbered_versions(
    table: NDArray[np.int32], column: int, copies: int, foreign: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The table with `row + texts * version` in place of each row of its column, versions counting from 1 within the
    copies of an item: one number for a text and its version. Rows of foreign texts stay, as version 0."""
    numbers = table.astype(np.int64)
    rows = numbers[:, column]
    version = (np.arange(len(rows)) % copies + 1).reshape(-1, *[1] * (rows.ndim - 1))
    stays = (rows == ABSENT) | foreign[rows]  # the last text's flag for ABSENT, which stays anyway
    numbers[:, column] = np.where(stays, rows, rows + len(foreign) * version)
    return numbers


def _write_all(path: Path, texts: Iterable[str]) -> None:
    writer = TextWriter(path)
    for text in texts:
        writer.append(text)
    writer.close()
    select_texts(path)


def read_dictionary(path: Path) -> dict[str, tuple[str, ...]]:
    """The translations of each lower-case word, in the order of the file.

    Raises ValueError, with the line, for a line that is not a word and its translation.
    """
    found: dict[str, dict[str, None]] = {}
    for place, line in lines(path):
        parts = [part.strip() for part in line.split("\t")] if "\t" in line else line.split()
        if len(parts) != 2 or not all(parts):
            raise ValueError(
                f"{place}: '{line[:60]}' is not a word and its translation, with a tab or one space between them"
            )
        found.setdefault(parts[0].lower(), {})[parts[1]] = None
    return {word: tuple(translations) for word, translations in found.items()}


def _listed(found: Mapping[str, Path]) -> str:
    return ", ".join(found) or "none"
