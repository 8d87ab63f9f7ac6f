"""What batches are drawn from: the pools of a corpus, or of one part of a mixture."""

from __future__ import annotations

import numpy as np

from babelbatch.records import Corpus, Plan
from babelbatch.sampling.mixing import PartSchedule
from babelbatch.sampling.pairs import LanguagePairs
from babelbatch.sampling.pools import Availability, Pool
from babelbatch.sampling.randomness import LANGUAGE, LANGUAGE_BLOCKS, LANGUAGES, permuted, uniform
from babelbatch.sampling.settings import Sampling

_ENGLISH = "en"


class Source:
    """The pools of one strategy on a corpus, or on the rows [start, stop) of it, which are the part `name`.

    columns: the languages to train on. rows: those to draw from, among [start, stop), or None for all.
    wanted: the kinds of batches to draw. kinds: those of them that can be drawn: a part of a mixture need not give
        both, nor have all languages. sizes: of a part, for each of its kinds, the items that such batches draw from.
    Raises ValueError for a pool smaller than a batch.
    """

    def __init__(
        self,
        corpus: Corpus,
        availability: Availability,
        sampling: Sampling,
        columns: np.ndarray,
        seed: int,
        rows: np.ndarray | None,
        wanted: set[str],
        start: int = 0,
        stop: int | None = None,
        name: str | None = None,
    ) -> None:
        self._sampling, self._seed, self._start, self._name = sampling, seed, start, name
        self._columns = columns
        self._languages = [corpus.languages[column] for column in columns]
        if start and rows is not None:
            rows = rows - start
        self.kinds: set[str] = set()
        self.sizes: dict[str, int] = {}
        same_weights, cross_weights = None, None
        if "x_x" in wanted:
            self._add_same_language(availability, rows)
            if sampling.same_language == "pair" and sampling.language_exponent:
                sizes = availability.pairs(columns, rows).diagonal()
                same_weights = _powers(sizes, sampling.language_exponent)
        if "x_y" in wanted:
            allowed = _allowed(sampling, corpus.name, self._languages)
            self._add_cross_language(availability, rows, allowed)
            if sampling.pair_exponent:
                cross_weights = _powers(availability.pairs(columns, rows) * allowed, sampling.pair_exponent)
            elif sampling.cross_language != "any":
                cross_weights = allowed.astype(np.float64)
        if not self.kinds:  # so it is a part; another strategy may draw from it, or none
            pools = availability.any_monolingual(columns, rows), availability.crosslingual(columns, rows)
            if not any(map(len, pools)):
                raise ValueError(
                    f"part '{name}' has nothing to train on in {', '.join(self._languages)}; leave it out of "
                    "corpus.parts, or add its languages to sampling.languages"
                )
        tables = (None, None) if availability.complete else (corpus.queries[start:stop], corpus.passages[start:stop])
        self._pairs = LanguagePairs(columns, *tables, seed, same_weights, cross_weights)

    def plan(self, kind: str, step: int, place: int) -> Plan:
        """The batch of a step, its items at `place`, counted in batches, in the order of their pool."""
        if kind == "x_y":
            items = self._items(self._crosslingual, place)
            queries, passages = self._pairs.cross(items, step)
        elif self._sampling.same_language == "pair":
            items = self._items(self._any_monolingual, place)
            queries = passages = self._pairs.same(items, step)
        else:
            language, place = self._language(step, place)
            items = self._items(self._monolingual[language], place)
            queries = passages = np.full(len(items), self._own_columns[language])
        if self._start:
            items += self._start
        return Plan(kind, items, queries, passages, part=self._name)

    def _language(self, step: int, place: int) -> tuple[int, int]:
        """The X-X language of a step, and the place of the batch in the order of that language's pool.

        Where all languages have the same items, they share one order, whose place advances with every step. Otherwise
        each language has an order of its own, whose place advances with the steps of that language.
        """
        if self._mixed_languages is not None:
            return self._mixed_languages.at("x_x", place)
        draw = uniform(self._seed, LANGUAGE, step)
        return int(self._language_edges.searchsorted(draw, side="right")), place

    def _add_same_language(self, availability: Availability, rows: np.ndarray | None) -> None:
        if self._sampling.same_language == "pair":
            self._any_monolingual = availability.any_monolingual(self._columns, rows)
            if self._is_enough(self._any_monolingual, "a batch of same-language pairs"):
                self.kinds.add("x_x")
                self.sizes["x_x"] = len(self._any_monolingual)
            return
        pools = availability.monolingual(self._columns, rows)
        own = [
            place
            for place, (pool, language) in enumerate(zip(pools, self._languages, strict=True))
            if self._is_enough(pool, f"an X-X batch in '{language}'", language)
        ]
        if not own:
            return
        self.kinds.add("x_x")
        if self._name is not None:  # to count items of all languages takes as long as the pools: only parts need it
            self.sizes["x_x"] = len(availability.any_monolingual(self._columns, rows))
        self._monolingual, self._own_columns = [pools[place] for place in own], self._columns[own]
        sizes = np.array([len(pool) for pool in self._monolingual], np.float64)
        weights = sizes**self._sampling.language_exponent
        self._language_edges = np.cumsum(weights)[:-1] / weights.sum()
        shared = sizes.min() == sizes.max() == len(availability.any_monolingual(self._own_columns, rows))
        self._mixed_languages = (
            None if shared else PartSchedule({"x_x": weights.tolist()}, self._seed, LANGUAGES, LANGUAGE_BLOCKS)
        )

    def _add_cross_language(self, availability: Availability, rows: np.ndarray | None, allowed: np.ndarray) -> None:
        wanted = self._sampling.cross_language
        self._crosslingual = availability.crosslingual(self._columns, rows, None if wanted == "any" else allowed)
        if self._name is None and len(self._crosslingual) == 0:
            one_of = "" if wanted == "any" else f" that sampling.cross_language={wanted} pairs"
            raise ValueError(
                f"no item exists in two languages{one_of}: X-Y pairs need the same id in more than one language"
            )
        if self._is_enough(self._crosslingual, "an X-Y batch"):
            self.kinds.add("x_y")
            self.sizes["x_y"] = len(self._crosslingual)

    def _is_enough(self, pool: Pool, purpose: str, language: str | None = None) -> bool:
        """Whether the pool holds a batch. Only a part of a mixture may have none of a kind, or in a language."""
        if len(pool) >= self._sampling.batch_size:
            return True
        part, remedy = "", "leave the language out of sampling.languages"
        if self._name is not None:
            if len(pool) == 0:
                return False
            part = f" from part '{self._name}'"
            remedy = f"leave '{language}' out of that part" if language else "leave the part out"
        raise ValueError(
            f"{purpose}{part} needs {self._sampling.batch_size} items, there are {len(pool)} to train on; "
            f"lower sampling.batch_size or {remedy}"
        )

    def _items(self, pool: Pool, place: int) -> np.ndarray:
        size = self._sampling.batch_size
        epoch, batch = divmod(place, len(pool) // size)
        return pool[permuted(np.arange(batch * size, (batch + 1) * size), len(pool), self._seed, epoch)]


def _allowed(sampling: Sampling, corpus: str, languages: list[str]) -> np.ndarray:
    """(L, L) whether X-Y pairs may have that question language and that passage language."""
    if len(languages) < 2:
        raise ValueError(f"X-Y pairs need two languages, there is only '{languages[0]}'; set sampling=x_x")
    if sampling.cross_language != "any" and _ENGLISH not in languages:
        raise ValueError(
            f"sampling.cross_language: {sampling.cross_language} pairs languages with English, but '{corpus}' is "
            f"trained on in {', '.join(languages)}; set sampling.cross_language=any"
        )
    english = np.array(languages) == _ENGLISH
    to_english, from_english = np.broadcast_to(english, (len(languages),) * 2), english[:, None]
    pairs = {
        "any": np.ones((len(languages),) * 2, bool),
        "english": to_english | from_english,
        "x_en": to_english,
        "en_x": np.broadcast_to(from_english, to_english.shape),
    }
    return pairs[sampling.cross_language] & ~np.eye(len(languages), dtype=bool)


def _powers(sizes: np.ndarray, exponent: float) -> np.ndarray:
    """sizes ** exponent, where what has no items has no weight either."""
    return np.where(sizes > 0, np.maximum(sizes, 1.0) ** exponent, 0.0)
