"""Which settings of a corpus, or of the parts of a mixture, contradict each other or the strategy. They come as plain
mappings, from a configuration that is not built yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from babelbatch.sampling_rules import alphas
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


def problems_of_kinds(corpus: Mapping[str, Any], sampling: Mapping[str, Any]) -> Iterator[str]:
    """Batches that a strategy draws and the corpus does not have, told before anything is fetched."""
    found = alphas(sampling)
    if _is(corpus, "bitext") and found != {0}:
        yield (
            "sampling.alpha: in an X-X batch of bitext each sentence would be its own translation; set sampling=x_y, "
            "or make bitext a part of corpus=mixture"
        )
    if (_is(corpus, "pairs") or corpus.get("translations") == "none") and found != {1}:
        yield "sampling.alpha: the corpus is in English only, and X-Y batches need two languages; set sampling=x_x"


def _problems_of_one(path: str, corpus: Mapping[str, Any]) -> Iterator[str]:
    if corpus.get("passage") == "context" and corpus.get("negatives"):
        yield f"{path}.negatives: they are other sentences of the paragraph; with {path}.passage=context set it to 0"
    if _is(corpus, "bitext") and corpus.get("collection") is None and corpus.get("data_dir") is None:
        yield f"{path}.data_dir: missing; set it to a folder of parallel sentences, or set {path}.collection"


def _is(corpus: Mapping[str, Any], name: str) -> bool:
    return corpus.get("_target_") == f"babelbatch.corpora.{name}.load_corpus"
