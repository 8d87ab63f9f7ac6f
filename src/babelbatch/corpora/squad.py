"""SQuAD 1.1 and its machine translations, joined by the ids of its questions.

Rajpurkar et al. 2016 (arXiv 1606.05250). Translated for MLQA (Lewis et al. 2020, arXiv 1910.07475) into six languages
and for XTREME (Hu et al. 2020, arXiv 2003.11080) into ten. XQuAD, and so XQuAD-R, are translations of SQuAD's dev set:
a model that is trained on these is measured there in its own domain, as in LAReQA (arXiv 2004.05484), not zero-shot.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources.download import web_file
from babelbatch.sources.hub import Published, check_count, located
from babelbatch.sources.languages import chosen
from babelbatch.sources.omissions import Omissions
from babelbatch.sources.sentences import VERSION, sentences
from babelbatch.sources.squad import MLQA, Example, examples
from babelbatch.storage import cache_folder, file_signatures

Translations = Literal["none", "mlqa", "xtreme"]

SQUAD = Published("rajpurkar/squad", "7b6d24c440a36b6815f21b70d25016731768db1f", "CC BY-SA 4.0")

XTREME = "https://storage.googleapis.com/xtreme_translations/SQuAD/translate-train/squad.translate.train.en-{}.json"
"""Translations of texts that are CC BY-SA 4.0; no licence of their own is stated, nor checksums."""

LANGUAGES: dict[Translations, tuple[str, ...]] = {
    "none": ("en",),
    "mlqa": ("en", "ar", "de", "es", "hi", "vi", "zh"),
    "xtreme": ("en", "ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh"),
}
_ENGLISH: dict[tuple[Translations, str], int] = {(translations, "en"): 87_599 for translations in LANGUAGES}
COUNTS: dict[tuple[Translations, str], int] = {
    ("mlqa", "ar"): 78_058,
    ("mlqa", "de"): 80_069,
    ("mlqa", "es"): 81_810,
    ("mlqa", "hi"): 82_451,
    ("mlqa", "vi"): 84_816,
    ("mlqa", "zh"): 76_285,
    **_ENGLISH,
}
"""Published numbers of questions. Of XTREME's there are none: not every question was translated."""


def load_corpus(
    translations: Translations,
    data_dir: str | None = None,
    languages: list[str] | None = None,
    passage: Literal["context", "sentence"] = "context",
) -> Corpus:
    """One item a question of the training set, in English and in every language that it was translated into.

    translations: whose; without them all is English, and there are X-X batches only.
    data_dir: a folder with the published files: `plain_text/train-*.parquet` for English,
        `mlqa-translate-train.<language>/train-*.parquet` or `squad.translate.train.en-<language>.json`; None fetches.
    languages: which of them; default all.
    passage: what answers a question: the paragraph, or the sentence of it in which the answer starts. A translated
        question is left out of `sentence` where its answer cannot be found in one sentence.
    ValueError: a language that there is not, a file that is damaged or not what was published.
    """
    known = chosen(_NAMES[translations], LANGUAGES[translations], languages)
    files = {language: _files(translations, language, data_dir) for language in known}

    def build(folder: Path) -> Sequence[str]:
        with Assembly(folder, known) as assembly:
            for language, paths in files.items():
                part, read = f"{_NAMES[translations]}, '{language}'", 0
                omissions = Omissions(part)
                for example in (example for path in paths for example in examples(path, blank=True)):
                    read += 1
                    _add(assembly, example, language, passage, omissions)
                if (published := COUNTS.get((translations, language))) is not None:
                    check_count(f"{part}: questions", read, published, data_dir)
                omissions.finish()
            assembly.finish()
        return known

    inputs = {
        "languages": known, "passage": passage, "sentences": VERSION if passage == "sentence" else None,
        "files": [file_signatures(paths) for paths in files.values()],
    }  # fmt: skip
    return stored_corpus(_NAMES[translations], inputs, build)


_NAMES: dict[Translations, str] = {
    "none": "squad",
    "mlqa": "mlqa_translate_train",
    "xtreme": "xtreme_translate_train",
}


def _files(translations: Translations, language: str, data_dir: str | None) -> list[Path]:
    if language == "en":
        return located(SQUAD, ["plain_text/train-*.parquet"], data_dir)[0]
    if translations == "mlqa":
        return located(MLQA, [f"mlqa-translate-train.{language}/train-*.parquet"], data_dir)[0]
    return [web_file(XTREME.format(language), data_dir, cache_folder("xtreme_translations"))]


def _add(assembly: Assembly, example: Example, language: str, passage: str, omissions: Omissions) -> None:
    place = example.place
    for name in ("question", "context"):
        if not getattr(example, name).strip():
            omissions.fault(f"'{name}' is empty", place)
            return
    if not example.answers:
        omissions.by_design("without an answer")
        return
    text = example.context if passage == "context" else _answer_sentence(example, language)
    if text is None:
        omissions.by_design("whose answer is in no sentence, or in several")
        return
    omissions.kept()
    assembly.question(example.id, language, example.question, place.path, place.line)
    assembly.passage(example.id, language, text, place.path, place.line)


def _answer_sentence(example: Example, language: str) -> str | None:
    """The sentence in which the answer starts. If the context does not say the answer where it should, the only
    sentence that says it."""
    spans = _sentences(example.context, language)
    for answer in example.answers:
        if answer.start is not None:
            return next((example.context[start:end] for start, end in spans if answer.start < end), None)
    texts = {example.context[start:end] for start, end in spans}
    said = [text for text in texts if any(answer.text and answer.text in text for answer in example.answers)]
    return said[0] if len(said) == 1 else None


@lru_cache(maxsize=1)  # questions of one paragraph follow each other
def _sentences(context: str, language: str) -> list[tuple[int, int]]:
    return sentences(context, language)
