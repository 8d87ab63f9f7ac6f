"""Mined hard negatives: a table on disk, and the corpus with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from babelbatch.records import ABSENT, Corpus
from babelbatch.storage.documents import UnreadableDocument, parse_json

log = logging.getLogger(__name__)

FORMAT = 1
"""Goes up when what the table means changes."""

_AGAIN = "mine it again"
_META = b"babelbatch"
_ROW_GROUP = 262_144
_SCHEMA = pa.schema(
    {
        "id": pa.dictionary(pa.int32(), pa.string()),
        "language": pa.dictionary(pa.int16(), pa.string()),
        "passage": pa.int32(),
        "passage_id": pa.dictionary(pa.int32(), pa.string()),
        "rank": pa.int32(),
        "score": pa.float32(),
        "positive_score": pa.float32(),
    }
)


@dataclass(frozen=True, slots=True)
class Mined:
    """R hard negatives, as parallel columns.

    items: (R,) int64 rows of the corpus. languages: (R,) int64, the passage language of the batches that use the
        negative. passages: (R,) int32 rows of `passage_texts`. ranks: (R,) int32, from 1, among the passages that do
        not answer the query. scores, positive_scores: (R,) float32, of the negative and of the item's own passage.
    """

    items: np.ndarray
    languages: np.ndarray
    passages: np.ndarray
    ranks: np.ndarray
    scores: np.ndarray
    positive_scores: np.ndarray

    def __len__(self) -> int:
        return len(self.items)


def concatenated(parts: list[Mined]) -> Mined:
    """All rows, sorted by item, language and rank."""
    columns = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Mined)]
    whole = Mined(*columns)
    order = np.lexsort((whole.ranks, whole.languages, whole.items))
    return Mined(*(column[order] for column in columns))


def write_negatives(path: Path, corpus: Corpus, mined: Mined, facts: Mapping[str, object]) -> None:
    """Writes the table atomically: for each negative the id of its item, the language, the passage (row of the corpus
    and id of an item that it answers), rank and scores.

    facts: how it was mined; stored in the file beside the corpus's name and fingerprint.
    """
    ids = pa.array(corpus.ids, pa.string())
    answered = np.full(len(corpus.passage_texts), ABSENT, np.int32)
    item, language = np.nonzero(corpus.passages != ABSENT)
    answered[corpus.passages[item, language][::-1]] = item[::-1]  # of several items, the first
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(mined.items, pa.int32()), ids),
        pa.DictionaryArray.from_arrays(pa.array(mined.languages, pa.int16()), pa.array(corpus.languages, pa.string())),
        pa.array(mined.passages, pa.int32()),
        pa.DictionaryArray.from_arrays(pa.array(answered[mined.passages]), ids),
        pa.array(mined.ranks, pa.int32()),
        pa.array(mined.scores, pa.float32()),
        pa.array(mined.positive_scores, pa.float32()),
    ]
    manifest = {"format": FORMAT, "corpus": corpus.name, "fingerprint": corpus.fingerprint, **facts}
    schema = _SCHEMA.with_metadata({_META: json.dumps(manifest, allow_nan=False)})
    temporary = path.with_name(f".{path.name}.tmp")
    pq.write_table(
        pa.Table.from_arrays(columns, schema=schema),
        temporary,
        compression="zstd",
        row_group_size=_ROW_GROUP,
        write_page_checksum=True,
    )
    temporary.replace(path)


def read_negatives(path: Path, corpus: Corpus) -> Mined:
    """Reads a table that `write_negatives` wrote for this corpus.

    Raises ValueError, with the row counted from 0, if the file is not such a table or damaged, was mined from another
    corpus, or has a row whose item, language or passage is not in the corpus, or whose passage answers the item.
    """
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        reason = f"not a table of hard negatives, or damaged ({_first_line(error)})"
        raise ValueError(f"{path} is {reason}; {_AGAIN}") from error
    with file:
        manifest = _facts(path, file)
        if manifest["fingerprint"] != corpus.fingerprint:
            raise ValueError(
                f"{path} was mined from the corpus {manifest['corpus']} with the fingerprint "
                f"{manifest['fingerprint']}, but this run's corpus is {corpus.name} with {corpus.fingerprint}; "
                f"{_AGAIN} from this run's corpus, or train on that one"
            )
        table = pa.concat_tables(_row_groups(path, file))
    return _checked(path, table, corpus)


def with_negatives(corpus: Corpus, mined: Mined, held_out: np.ndarray) -> Corpus:
    """The corpus with the mined negatives after its own.

    held_out: (N,) bool. Held-out items get none, so that the validation loss does not depend on them. A passage that is
        already a negative of the same item and language is not added again, nor is one that no item has any more
        (`language_fraction`): without a passage key it could be neither masked nor held out.
    """
    own = (corpus.negatives[mined.items, mined.languages] == mined.passages[:, None]).any(axis=1)
    wanted = ~(held_out[mined.items] | own) & (corpus.passages[mined.items, mined.languages] != ABSENT)
    key_of = _key_of_passage(corpus)
    without_item = key_of[mined.passages] == ABSENT
    if left_out := int((wanted & without_item).sum()):
        log.info(
            "%s of %s mined hard negatives are passages that language_fraction leaves out; they are not trained on",
            f"{left_out:,}", f"{int(wanted.sum()):,}",
        )  # fmt: skip
    new = np.flatnonzero(wanted & ~without_item)
    items, languages, passages = mined.items[new], mined.languages[new], mined.passages[new]
    slot = items * len(corpus.languages) + languages
    order = np.argsort(slot, kind="stable")
    _, starts, counts = np.unique(slot[order], return_index=True, return_counts=True)
    place = np.empty(len(slot), np.int64)
    place[order] = np.arange(len(slot)) - np.repeat(starts, counts)
    shape = (*corpus.passages.shape, int(counts.max(initial=0)))
    negatives, keys = np.full(shape, ABSENT, np.int32), np.full(shape, ABSENT, np.int64)
    negatives[items, languages, place] = passages
    keys[items, languages, place] = key_of[passages]
    return replace(
        corpus,
        negatives=np.concatenate([corpus.negatives, negatives], axis=2),
        negative_keys=np.concatenate([corpus.negative_keys, keys], axis=2),
    )


def _facts(path: Path, file: pq.ParquetFile) -> dict[str, str]:
    try:
        manifest = parse_json((file.schema_arrow.metadata or {})[_META])
        if manifest["format"] != FORMAT:
            raise ValueError(f"{path} is of format {manifest['format']}, this babelbatch reads {FORMAT}; {_AGAIN}")
        missing = [name for name in _SCHEMA.names if name not in file.schema_arrow.names]
        if missing:
            raise ValueError(f"{path} lacks the column '{missing[0]}'; {_AGAIN}")
        return {"corpus": manifest["corpus"], "fingerprint": manifest["fingerprint"]}
    except (KeyError, TypeError, UnreadableDocument) as error:
        raise ValueError(f"{path} was not written by babelbatch-mine; {_AGAIN}") from error


def _row_groups(path: Path, file: pq.ParquetFile) -> list[pa.Table]:
    tables, first = [_SCHEMA.empty_table()], 0
    for number in range(file.num_row_groups):
        rows = file.metadata.row_group(number).num_rows
        try:
            tables.append(file.read_row_group(number, columns=_SCHEMA.names).cast(_SCHEMA))
        except (OSError, pa.ArrowException) as error:
            where = f"{path}, rows {first:,} to {first + rows - 1:,}"
            raise ValueError(f"{where}: damaged ({_first_line(error)}); {_AGAIN}") from error
        first += rows
    return tables


def _checked(path: Path, table: pa.Table, corpus: Corpus) -> Mined:
    def refuse(wrong: np.ndarray, reason: str) -> None:
        if wrong.any():
            row = int(wrong.argmax())
            cells = {name: table[name][row].as_py() for name in ("id", "language", "passage")}
            raise ValueError(f"{path}, row {row:,}: {reason.format(**cells)} ({wrong.sum():,} such rows); {_AGAIN}")

    for name in _SCHEMA.names:
        refuse(table[name].is_null().to_numpy(), f"no {name}")
    items = _places(table["id"], corpus.ids)
    refuse(items == ABSENT, "there is no item '{id}' in the corpus")
    languages = _places(table["language"], corpus.languages)
    refuse(languages == ABSENT, "there is no language '{language}' in the corpus")
    passages = table["passage"].to_numpy()
    key_of = _key_of_passage(corpus)
    known = (passages >= 0) & (passages < len(key_of))
    known &= key_of[np.where(known, passages, 0)] != ABSENT
    refuse(~known, "passage {passage} is not one of the corpus's items'")
    refuse(corpus.passages[items, languages] == ABSENT, "item '{id}' has no passage in '{language}'")
    refuse(_answers(corpus, items, passages), "passage {passage} answers item '{id}' itself")
    triples = np.stack([items, languages, passages])
    seen = np.ones(len(items), bool)
    seen[np.unique(triples, axis=1, return_index=True)[1]] = False
    refuse(seen, "passage {passage} was there before for '{id}' in '{language}'")
    numbers = [table[name].to_numpy() for name in ("rank", "score", "positive_score")]
    for name, column in zip(("rank", "score", "positive_score"), numbers, strict=True):
        refuse(~np.isfinite(column), f"the {name} is not finite")
    return Mined(items, languages, passages, *numbers)


def _places(column: pa.ChunkedArray, names: Sequence[str]) -> np.ndarray:
    """The index of each text in `names`, or ABSENT."""
    place = {name: number for number, name in enumerate(names)}
    coded = column.unify_dictionaries().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):  # of no chunks, in some versions of pyarrow
        return np.empty(0, np.int64)
    of_code = np.array([place.get(text, ABSENT) for text in coded.dictionary.to_pylist()], np.int64)
    return of_code[coded.indices.to_numpy()] if len(coded) else np.empty(0, np.int64)


def _key_of_passage(corpus: Corpus) -> np.ndarray:
    """(M,) int64: the passage key of each of `passage_texts`, the smallest of several; ABSENT if no item has it."""
    none = np.iinfo(np.int64).max
    keys = np.full(len(corpus.passage_texts), none)
    item, language = np.nonzero(corpus.passages != ABSENT)
    np.minimum.at(keys, corpus.passages[item, language], corpus.passage_keys[item])
    return np.where(keys == none, ABSENT, keys)


def _answers(corpus: Corpus, items: np.ndarray, passages: np.ndarray) -> np.ndarray:
    """(R,) whether a passage has the key of an item."""
    keys, key_of_item = np.unique(corpus.passage_keys, return_inverse=True)
    item, language = np.nonzero(corpus.passages != ABSENT)
    pairs = np.unique(corpus.passages[item, language].astype(np.int64) * len(keys) + key_of_item[item])
    return np.isin(passages.astype(np.int64) * len(keys) + key_of_item[items], pairs)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
