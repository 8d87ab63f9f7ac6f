"""Mewsli-X: mentions of entities in news of eleven languages, and a million entities described in fifty.

Ruder et al. 2021 (XTREME-R, arXiv 2104.07412), release mewsli-x_20220518_6, by google-research/google-research
(dense_representations_for_entity_retrieval/mel, Apache-2.0). The texts of the articles are not published: the script
`get-mewsli-x.sh` there restores them from dumps of WikiNews, and writes the files read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babelbatch.sources.lines import Place, Record, list_in, text_in
from babelbatch.sources.records import records

MENTIONS_FILE, ENTITIES_FILE = "wikinews_mentions-test.jsonl", "candidate_set_entities.jsonl"

MENTIONS = {
    "ar": 1_501,
    "de": 1_551,
    "en": 1_490,
    "es": 1_552,
    "fa": 458,
    "ja": 1_519,
    "pl": 1_562,
    "ro": 672,
    "ta": 1_567,
    "tr": 1_215,
    "uk": 1_537,
}
"""Published numbers of mentions in the test set, by language: 14,624."""

ENTITIES = 1_003_893
"""Published number of entities."""


@dataclass(frozen=True, slots=True)
class Mention:
    """text: the mention, a colon, and its sentence with the mention in braces. entity: the id of the entity meant."""

    place: Place
    id: str
    language: str
    text: str
    entity: str


@dataclass(frozen=True, slots=True)
class Entity:
    """text: the first sentences of its page in the Wikipedia of `language`."""

    place: Place
    id: str
    language: str
    text: str


def mentions(path: Path) -> Iterator[Mention]:
    """The mentions of a file with one article per line, each in the form of XTREME-R's baseline
    (google-research/xtreme, third_party/utils_mewslix.py): `Smith: It was { Smith } who stepped down.`

    Raises ValueError, with the line, for damage, a missing key, a wrong type, an empty text, and a mention that is not
    at its span or in no sentence.
    """
    for place, record in records(path):
        context = _object(record.get("context"), "context", place)
        language = text_in(context, "language", place)
        text = text_in(context, "text", place)
        sentences = [_span(span, "sentence_spans", place) for span in list_in(context, "sentence_spans", place)]
        for value in list_in(record, "mentions", place):
            mention = _object(value, "mentions", place)
            span = _object(mention.get("mention_span"), "mention_span", place)
            start, end = _span(span, "mention_span", place)
            name, id_ = text_in(span, "text", place), text_in(mention, "example_id", place)
            if text[start:end] != name:
                raise ValueError(f"{place}: the mention '{id_}' is '{name[:40]}', not '{text[start:end][:40]}'")
            around = [sentence for sentence in sentences if sentence[0] <= start and end <= sentence[1]]
            if not around:
                raise ValueError(f"{place}: the mention '{id_}' is in no sentence of 'sentence_spans'")
            first, last = around[0]
            marked = f"{name}: {text[first:start]} {{ {name} }} {text[end:last]}"
            yield Mention(place, id_, language, _plain(marked), text_in(mention, "entity_id", place))


def entities(path: Path) -> Iterator[Entity]:
    """The entities of a file with one per line. Raises ValueError, with the line, for damage, a missing key, a wrong
    type and an empty description."""
    for place, record in records(path):
        description = text_in(record, "description", place)
        spans = [_span(span, "sentence_spans", place) for span in list_in(record, "sentence_spans", place)]
        text = _plain(" ".join(description[start:end] for start, end in spans))
        if not text:
            raise ValueError(f"{place}: 'sentence_spans' leave nothing of 'description'")
        yield Entity(place, text_in(record, "entity_id", place), text_in(record, "description_language", place), text)


def _plain(text: str) -> str:
    """Without line breaks and double spaces, as in XTREME-R."""
    return " ".join(text.splitlines()).replace("  ", " ").strip()


def _object(value: object, key: str, place: Place) -> Record:
    if not isinstance(value, dict):
        raise ValueError(f"{place}: '{key}' is {str(value)[:40]}, not an object")
    return value


def _span(value: object, key: str, place: Place) -> tuple[int, int]:
    span = _object(value, key, place)
    start, end = span.get("start"), span.get("end")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end):
        raise ValueError(f"{place}: '{key}' has start {start!r} and end {end!r}, which is no span of text")
    return start, end
