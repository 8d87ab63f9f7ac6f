"""Tatoeba: retrieve the English translation of a sentence, within its language pair (XTREME, XTREME-R).

As in XTREME (Hu et al. 2020, arXiv 2003.11080; google-research/xtreme at 838c13b) the candidates of a sentence are the
English sentences of its own language pair, and the score is the accuracy of the first rank. Each sentence has one
translation, so this is recall@1; the macro score of the crosslingual setting is its mean over languages.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np

from babelbatch.records import Benchmark
from babelbatch.sources.tatoeba import published, read

XTREME = (
    "af", "ar", "bg", "bn", "de", "el", "es", "et", "eu", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja",
    "jv", "ka", "kk", "ko", "ml", "mr", "nl", "pt", "ru", "sw", "ta", "te", "th", "tl", "tr", "ur", "vi", "zh",
)  # fmt: skip
"""The 36 languages of XTREME."""
XTREME_R = (*XTREME, "az", "lt", "pl", "ro", "uk")
"""The 41 languages of XTREME-R (Ruder et al. 2021, arXiv 2104.07412)."""


def load_benchmark(
    data_dir: str | None = None,
    languages: list[str] | Literal["xtreme", "xtreme_r", "all"] = "xtreme_r",
    direction: Literal["to_english", "from_english"] = "to_english",
) -> Benchmark:
    """Only a sentence's translation is relevant. The English sentences of the language pairs are parts, not one pool: a
    sentence is ranked with those of its own pair only.

    data_dir: a folder of LASER's files, `tatoeba.<code>-eng.<code>` and `tatoeba.<code>-eng.eng`.
    languages: those of XTREME (36), of XTREME-R (41), all 112, or a list.
    direction: `to_english` as in XTREME, or English queries and candidates in the other language.
    """
    named = {"xtreme": XTREME, "xtreme_r": XTREME_R, "all": tuple(published())}
    selected = named[languages] if isinstance(languages, str) else tuple(languages)
    pairs = read(data_dir, selected)
    sizes = [len(pair.sentences) for pair in pairs]
    count = sum(sizes)
    foreign = tuple(text for pair in pairs for text in pair.sentences)
    english = tuple(text for pair in pairs for text in pair.english)
    columns = np.repeat(np.arange(len(pairs), dtype=np.int16), sizes)
    last = np.full(count, len(pairs), np.int16)  # English
    inward = direction == "to_english"
    side = "en" if inward else "xx"
    return Benchmark(
        name="tatoeba",
        languages=(*selected, "en"),
        # A sentence with the same translation in several languages is one query.
        query_ids=tuple(hashlib.blake2b(text.encode(), digest_size=6).hexdigest() for text in english),
        query_texts=foreign if inward else english,
        query_languages=columns if inward else last,
        candidate_ids=tuple(f"{pair.language}-{side}-{line}" for pair in pairs for line in range(len(pair.english))),
        candidate_texts=english if inward else foreign,
        candidate_languages=last if inward else columns,
        relevant_offsets=np.arange(count + 1),
        relevant=np.arange(count),
        protocol=f"Tatoeba as in XTREME, {direction}: candidates = the other side of the language pair, relevant = the "
        "translation; accuracy is recall@1",
        pooled=False,
        parts=columns,
        metric="recall@1",
    )
