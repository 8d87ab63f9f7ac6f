"""Several corpora as one; each batch is drawn from one of them (arXiv 2408.10536 samples "based on dataset size")."""

from __future__ import annotations

import logging

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from babelbatch.records import ABSENT, Corpus, Mixture, SkippedRows, find_language, same_text
from babelbatch.storage import ConcatTexts, text_hash

log = logging.getLogger(__name__)


def load_corpus(parts: dict[str, Corpus], exponent: float = 1.0) -> Corpus:
    """The items of all parts, one part after the other, in all their languages.

    parts: corpora under names of your own. Ids get the name in front, `name/id`.
    exponent: a batch comes from a part with probability proportional to n ** exponent, where n is the number of its
        items that a batch of the step's kind can contain: 1 is by size, 0 is uniform over the parts that have any.

    Parts have different passage keys, except where both have the same passage text (`records.same_text`): its items
    then share a key, so the validation split holds all of them out or none. Texts are not copied; tables are, in
    memory.
    Raises ValueError for no parts and for a mixture as a part.
    """
    if not parts:
        raise ValueError("corpus.parts: nothing to mix; add corpora, such as +corpus@corpus.parts.mine=world_facts")
    for name, part in parts.items():
        if not isinstance(part, Corpus):
            raise ValueError(
                f"corpus.parts.{name}: the return type of its loader is {type(part).__qualname__}; return a "
                "babelbatch.records.Corpus"
            )
    nested = [name for name, part in parts.items() if part.mixture is not None]
    if nested:
        raise ValueError(f"corpus.parts.{nested[0]}: is a mixture itself; name its parts beside the others")
    names, corpora = [str(name) for name in parts], list(parts.values())
    languages = _languages(corpora)
    starts = _starts([len(corpus) for corpus in corpora])
    first_query = _starts([len(corpus.query_texts) for corpus in corpora])
    first_passage = _starts([len(corpus.passage_texts) for corpus in corpora])

    shape = (sum(map(len, corpora)), len(languages))
    negatives = max(corpus.negatives.shape[2] for corpus in corpora)
    queries, passages = (np.full(shape, ABSENT, np.int32) for _ in range(2))
    hard = np.full((*shape, negatives), ABSENT, np.int32)
    hard_keys = np.full((*shape, negatives), ABSENT, np.int64)
    columns = _columns(languages, corpora)
    for number, corpus in enumerate(corpora):
        rows = slice(starts[number], starts[number] + len(corpus))
        slots = corpus.negatives.shape[2]
        for own, language in enumerate(corpus.languages):
            column = columns[language]
            queries[rows, column] = _moved(corpus.queries[:, own], first_query[number])
            passages[rows, column] = _moved(corpus.passages[:, own], first_passage[number])
            hard[rows, column, :slots] = _moved(corpus.negatives[:, own], first_passage[number])
            hard_keys[rows, column, :slots] = corpus.negative_keys[:, own]
    keys = _united_keys(corpora, starts, hard_keys)
    return Corpus(
        name="+".join(names),
        languages=languages,
        ids=ConcatTexts([corpus.ids for corpus in corpora], [f"{name}/" for name in names]),
        query_texts=ConcatTexts([corpus.query_texts for corpus in corpora]),
        passage_texts=ConcatTexts([corpus.passage_texts for corpus in corpora]),
        queries=queries,
        passages=passages,
        passage_keys=keys,
        negatives=hard,
        negative_keys=hard_keys,
        mixture=Mixture(tuple(names), tuple(starts), float(exponent)),
        skipped_rows=sum((corpus.skipped_rows for corpus in corpora), SkippedRows()),
    )


def _languages(corpora: list[Corpus]) -> tuple[str, ...]:
    """The languages of all corpora, a language in the spelling of the first corpus that has it."""
    found: list[str] = []
    for language in dict.fromkeys(language for corpus in corpora for language in corpus.languages):
        if (other := find_language(language, found)) is None:
            found.append(language)
        else:
            log.info("corpus.parts: %s and %s are one language, %s", other, language, other)
    return tuple(found)


def _columns(languages: tuple[str, ...], corpora: list[Corpus]) -> dict[str, int]:
    """The column of each language, in every spelling of the corpora."""
    spellings = dict.fromkeys(language for corpus in corpora for language in corpus.languages)
    return {each: languages.index(str(find_language(each, languages))) for each in spellings}


def _starts(sizes: list[int]) -> list[int]:
    starts: list[int] = np.cumsum([0, *sizes[:-1]]).tolist()
    return starts


def _moved(rows: np.ndarray, by: int) -> np.ndarray:
    return np.asarray(np.where(rows == ABSENT, ABSENT, rows + by))


def _united_keys(corpora: list[Corpus], starts: list[int], negative_keys: np.ndarray) -> np.ndarray:
    """(N,) passage keys of the items of all corpora; a passage text that two corpora have joins their keys.

    negative_keys: (N, L, H) as in the corpora; changed in place to those of the mixture.
    """
    own_keys = [np.unique(corpus.passage_keys, return_inverse=True) for corpus in corpora]
    first_key = _starts([len(known) for known, _ in own_keys])
    keys = np.concatenate([first + own for first, (_, own) in zip(first_key, own_keys, strict=True)])
    shared, texts = _shared_texts(corpora)
    of_keys, of_texts = _components(corpora, starts, keys, shared, texts)
    columns = _columns(_languages(corpora), corpora)
    for number, corpus in enumerate(corpora):
        known, first = own_keys[number][0], first_key[number]
        for own, language in enumerate(corpus.languages):
            rows = slice(starts[number], starts[number] + len(corpus))
            mine = negative_keys[rows, columns[language], : corpus.negatives.shape[2]]
            place = np.minimum(known.searchsorted(mine), len(known) - 1)
            text = shared[number][corpus.negatives[:, own]]
            elsewhere = np.where(text == ABSENT, ABSENT, of_texts[text])
            mine[:] = np.where(known[place] == mine, of_keys[first + place], elsewhere)
    return np.asarray(of_keys[keys])


def _components(
    corpora: list[Corpus], starts: list[int], keys: np.ndarray, shared: list[np.ndarray], texts: int
) -> tuple[np.ndarray, np.ndarray]:
    """The connected components of keys and shared texts: (K,) the component of each key, and (T + 1,) of each shared
    text; ABSENT for one that no item has and for the last, which stands for an absent text.

    keys: (N,), from 0 to K - 1. shared, texts: from `_shared_texts`.
    """
    count = int(keys.max()) + 1
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for start, corpus, text_of in zip(starts, corpora, shared, strict=True):
        for column in range(len(corpus.languages)):
            text = text_of[corpus.passages[:, column]]
            items = np.flatnonzero(text != ABSENT)
            ends.append((keys[start + items], text[items]))
    of_key, text = (np.concatenate(side) for side in zip(*ends, strict=True))
    graph = coo_array((np.ones(len(text), bool), (of_key, count + text)), shape=(count + texts,) * 2)
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    of_texts = np.full(texts + 1, ABSENT)
    of_texts[text] = component[count + text]
    return component[:count], of_texts


def _shared_texts(corpora: list[Corpus]) -> tuple[list[np.ndarray], int]:
    """The numbers of the passage texts that several corpora have, (P + 1,) int64 for each corpus, and their count.

    A text has the same number in all corpora, ABSENT if no other corpus has it. The last element is ABSENT, for an
    absent text. Hashes, eight bytes per text, are in memory; texts are compared where hashes are equal.
    """
    sizes = [len(corpus.passage_texts) for corpus in corpora]
    starts = _starts(sizes)
    hashes = np.concatenate(
        [
            np.fromiter(
                (text_hash(same_text(text))[0] for text in corpus.passage_texts), np.uint64, len(corpus.passage_texts)
            )
            for corpus in corpora
        ]
    )
    order = np.argsort(hashes, kind="stable")
    texts = ConcatTexts([corpus.passage_texts for corpus in corpora])
    repeated = np.flatnonzero(np.diff(hashes[order]) == 0)
    number = np.full(len(hashes), ABSENT)
    count = 0
    for one, other in zip(order[repeated].tolist(), order[repeated + 1].tolist(), strict=True):
        if same_text(texts[one]) == same_text(texts[other]):
            if number[one] == ABSENT:
                number[one], count = count, count + 1
            number[other] = number[one]
    return [np.append(number[start : start + size], ABSENT) for start, size in zip(starts, sizes, strict=True)], count
