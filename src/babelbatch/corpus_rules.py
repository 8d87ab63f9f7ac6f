"""Which settings of a corpus, or of the parts of a mixture, contradict each other. They come as a plain mapping, from a
configuration that is not built yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from babelbatch.signatures import closest


def problems_of_corpus(corpus: Mapping[str, Any]) -> Iterator[str]:
    """Each begins with the path of the key."""
    parts = corpus.get("parts")
    if not isinstance(parts, dict):
        yield from _problems_of_one("corpus", corpus)
        return
    if not parts:
        yield "corpus.parts: nothing to mix; add corpora, such as +corpus@corpus.parts.mine=world_facts"
    whole = [str(name) for name, part in parts.items() if isinstance(part, dict) and "_target_" in part]
    for name, part in parts.items():
        path = f"corpus.parts.{name}"
        if str(name) not in whole:
            yield f"{path}: not among the chosen parts ({', '.join(whole) or 'none'}){closest(str(name), whole)}"
        elif "parts" in part:
            yield f"{path}: is a mixture itself; name its parts beside the others"
        else:
            yield from _problems_of_one(path, part)


def _problems_of_one(path: str, corpus: Mapping[str, Any]) -> Iterator[str]:
    if corpus.get("passage") == "context" and corpus.get("negatives"):
        yield f"{path}.negatives: they are other sentences of the paragraph; with {path}.passage=context set it to 0"
