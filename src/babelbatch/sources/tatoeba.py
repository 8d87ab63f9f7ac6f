"""The Tatoeba test set of LASER: sentences of 112 languages with their English translations, two files a language.

github.com/facebookresearch/LASER, data/tatoeba/v1 (Artetxe and Schwenk 2019, arXiv 1812.10464), CC BY 2.0 FR as Tatoeba
itself. Up to 1,000 sentences a language, 88,877 in all. The English sentences are not the same for all languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babelbatch.sources.download import download_file
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.sources.lines import lines, text_of
from babelbatch.sources.records import records
from babelbatch.storage import cache_folder

REVISION = "74bc6ae7ffb7cba670fe0f428d0ede9f666fb821"
_URL = "https://raw.githubusercontent.com/facebookresearch/LASER/{}/data/tatoeba/v1/{}"
_TABLE = Path(__file__).with_suffix(".tsv")


@dataclass(frozen=True, slots=True)
class Published:
    """One language: the code in its files' names (ISO 639-3), the number of sentences, the SHA-256 of its two files."""

    file: str
    sentences: int
    sha256: str
    sha256_english: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The sentences of one language, and the English translation of each."""

    language: str
    sentences: tuple[str, ...]
    english: tuple[str, ...]


@cache
def published() -> dict[str, Published]:
    """Language -> its published files, for all 112. Codes are ISO 639-1, or 639-3 where that has none;
    Mandarin is zh, Iranian Persian fa, Standard Latvian lv and Standard Malay ms."""
    return {
        str(row["language"]): Published(
            str(row["file"]), int(str(row["sentences"])), str(row["sha256"]), str(row["sha256_english"])
        )
        for _, row in records(_TABLE)
    }


def read(data_dir: str | None, languages: Sequence[str]) -> tuple[Pair, ...]:
    """The sentence pairs of each language with English, in the order of `languages`.

    data_dir: a folder of `tatoeba.<code>-eng.<code>` and `tatoeba.<code>-eng.eng`; None fetches the published files,
    once, into the cache folder, and checks them.
    Raises ValueError for an unknown or repeated language, a missing or damaged file, an empty line, and files of
    different lengths.
    """
    selected = select_languages("Tatoeba", tuple(published()), languages)
    files = {language: _files(language, data_dir) for language in selected}
    return tuple(_pair(language, paths, data_dir) for language, paths in files.items())


def _files(language: str, data_dir: str | None) -> list[Path]:
    known = published()[language]
    names = [f"tatoeba.{known.file}-eng.{side}" for side in (known.file, "eng")]
    if data_dir is None:
        folder = cache_folder("tatoeba") / REVISION
        return [
            download_file(_URL.format(REVISION, name), sha256, folder / name)
            for name, sha256 in zip(names, (known.sha256, known.sha256_english), strict=True)
        ]
    return [Path(data_dir) / name for name in names]


def _pair(language: str, paths: Sequence[Path], data_dir: str | None) -> Pair:
    sentences, english = (_sentences(path) for path in paths)
    if len(sentences) != len(english):
        raise ValueError(
            f"{paths[0]} has {len(sentences):,} lines and {paths[1].name} {len(english):,}, but line n of one is the "
            "translation of line n of the other; one of them may be cut: copy or download it again"
        )
    check_count(f"{paths[0]}: sentences", len(sentences), published()[language].sentences, data_dir)
    return Pair(language, sentences, english)


def _sentences(path: Path) -> tuple[str, ...]:
    found: list[str] = []
    for place, line in lines(path):
        if place.line != len(found) + 1:
            raise ValueError(
                f"{path}, line {len(found) + 1:,}: empty, but each line is the translation of a line of the other file"
            )
        found.append(text_of(line, "the sentence", place))
    return tuple(found)
