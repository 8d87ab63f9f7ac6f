"""Tatoeba: which English sentence translates this one? The nearest of those of its language pair (XTREME, XTREME-R).

As in XTREME (Hu et al. 2020, arXiv 2003.11080; google-research/xtreme at 838c13b) a sentence is ranked among the
English sentences of its own language pair, and the score is the accuracy of the first place. It is recall@1 here, where
each sentence has one translation, and the macro score of the crosslingual setting is their mean over languages.
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
    """A sentence is answered by its translation alone. The English sentences of different languages are not one pool:
    they are parts, and a sentence meets those of its own pair only.

    data_dir: a folder of LASER's files, `tatoeba.<code>-eng.<code>` and `tatoeba.<code>-eng.eng`.
    languages: those of XTREME (36), of XTREME-R (41), all 112, or a list.
    direction: `to_english` as XTREME has it, or English sentences over those of the other language.
    """
    named = {"xtreme": XTREME, "xtreme_r": XTREME_R, "all": tuple(published())}
    chosen = named[languages] if isinstance(languages, str) else tuple(languages)
    pairs = read(data_dir, chosen)
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
        languages=(*chosen, "en"),
        # What says the same in several languages is one question.
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
