"""SQuAD 1.1 and its machine translations, joined by question id.

Rajpurkar et al. 2016 (arXiv 1606.05250). Translated for MLQA (Lewis et al. 2020, arXiv 1910.07475) into six languages
and for XTREME (Hu et al. 2020, arXiv 2003.11080) into ten. XQuAD, and so XQuAD-R, are translations of SQuAD's dev set:
for a model trained on this corpus they are in-domain, as in LAReQA (arXiv 2004.05484), not zero-shot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.download import web_file
from babelbatch.sources.hub import Published, check_count, locate_files
from babelbatch.sources.languages import select_languages
from babelbatch.sources.row_tally import RowTally
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
"""Published numbers of questions. XTREME has none: not every question was translated."""


def load_corpus(
    translations: Translations,
    data_dir: str | None = None,
    languages: list[str] | None = None,
    passage: Literal["context", "sentence"] = "context",
    on_bad_row: OnBadRow = "error",
) -> Corpus:
    """One item per question of the training set, in English and in every language of its translations.

    translations: `mlqa` or `xtreme`; with `none` all is English, and there are X-X batches only.
    data_dir: a folder with the published files: `plain_text/train-*.parquet` for English,
        `mlqa-translate-train.<language>/train-*.parquet` or `squad.translate.train.en-<language>.json`; None fetches.
    languages: some of them; default all.
    passage: the paragraph, or its sentence in which the answer starts. With `sentence`, a translated question is
        skipped if its answer cannot be found in one sentence.
    on_bad_row: `error` refuses the files with a list of the questions that cannot be used: a missing value, a wrong
        type, a second question of one id. `skip` leaves them out, and lists them in the log and in metrics.json; so it
        does with blank questions and paragraphs, which are otherwise skipped as long as they are few.
    Raises ValueError for an unknown language, a file that is damaged or not the published one, and for the questions
    of `on_bad_row`.
    """
    bad = BadRows(on_bad_row)
    selected = select_languages(_NAMES[translations], LANGUAGES[translations], languages)
    files = {language: _files(translations, language, data_dir) for language in selected}

    def build(folder: Path) -> Sequence[str]:
        with Assembly(folder, selected, bad) as assembly:
            read: Counter[str] = Counter()
            tallies = {language: RowTally(f"{_NAMES[translations]}, '{language}'", bad) for language in files}
            for language, paths in files.items():
                for example in (example for path in paths for example in examples(path, blank=True, bad=bad)):
                    read[language] += 1
                    _add(assembly, example, language, passage, tallies[language])
            bad.refuse()
            for language, tally in tallies.items():
                if (published := COUNTS.get((translations, language))) is not None:
                    what = f"{_NAMES[translations]}, '{language}': questions"
                    check_count(what, read[language], published, data_dir)
                tally.report()
            assembly.finish()
        return selected

    inputs = {
        "languages": selected, "passage": passage, "sentences": VERSION if passage == "sentence" else None,
        "files": [file_signatures(paths) for paths in files.values()], "on_bad_row": on_bad_row,
    }  # fmt: skip
    return stored_corpus(_NAMES[translations], inputs, build)


_NAMES: dict[Translations, str] = {
    "none": "squad",
    "mlqa": "mlqa_translate_train",
    "xtreme": "xtreme_translate_train",
}


def _files(translations: Translations, language: str, data_dir: str | None) -> list[Path]:
    if language == "en":
        return locate_files(SQUAD, ["plain_text/train-*.parquet"], data_dir)[0]
    if translations == "mlqa":
        return locate_files(MLQA, [f"mlqa-translate-train.{language}/train-*.parquet"], data_dir)[0]
    return [web_file(XTREME.format(language), data_dir, cache_folder("xtreme_translations"))]


def _add(assembly: Assembly, example: Example, language: str, passage: str, tally: RowTally) -> None:
    place = example.place
    for name in ("question", "context"):
        if not getattr(example, name).strip():
            tally.faulty(f"'{name}' is empty", place)
            return
    if not example.answers:
        tally.skipped("without an answer")
        return
    text = example.context if passage == "context" else _answer_sentence(example, language)
    if text is None:
        tally.skipped("whose answer is in no sentence, or in several")
        return
    tally.used()
    assembly.query(example.id, language, example.question, place.path, place.line)
    assembly.passage(example.id, language, text, place.path, place.line)


def _answer_sentence(example: Example, language: str) -> str | None:
    """The sentence in which the answer starts; if the position is wrong, the only sentence that contains the answer."""
    spans = _sentences(example.context, language)
    for answer in example.answers:
        if answer.start is not None:
            return next((example.context[start:end] for start, end in spans if answer.start < end), None)
    texts = {example.context[start:end] for start, end in spans}
    found = [text for text in texts if any(answer.text and answer.text in text for answer in example.answers)]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=1)  # questions of one paragraph follow each other
def _sentences(context: str, language: str) -> list[tuple[int, int]]:
    return sentences(context, language)
