"""Which settings of a corpus, or of the parts of a mixture, contradict each other or the strategy. Settings are plain
mappings, of a configuration that is not built yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from babelbatch.sampling_rules import alphas
from babelbatch.signatures import closest

_BITEXT = "babelbatch.corpora.bitext.load_corpus"
_PAIRS = "babelbatch.corpora.pairs.load_corpus"


def problems_of_corpus(corpus: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a corpus in itself. Each begins with the path of the key."""
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
    """Batches that a strategy draws and the corpus does not have, said before anything is fetched."""
    drawn = alphas(sampling)
    parts = corpus.get("parts")
    if not isinstance(parts, dict):
        if _is_bitext(corpus) and drawn != {0}:
            yield (
                "sampling.alpha: in an X-X batch of bitext each sentence would be its own translation; set "
                "sampling=x_y, or make bitext a part of corpus=mixture"
            )
        if _is_english(corpus) and drawn != {1}:
            yield "sampling.alpha: the corpus is in English only, and X-Y batches need two languages; set sampling=x_x"
        return
    whole = [part for part in parts.values() if isinstance(part, dict)]
    if whole and all(map(_is_bitext, whole)) and drawn != {0}:
        yield "sampling.alpha: the parts are bitexts, which have no X-X batches; set sampling=x_y, or add another part"
    if whole and all(map(_is_english, whole)) and drawn != {1}:
        yield "sampling.alpha: the parts are in English only; set sampling=x_x, or add a parallel part"


def _problems_of_one(path: str, corpus: Mapping[str, Any]) -> Iterator[str]:
    if corpus.get("passage") == "context" and corpus.get("negatives"):
        yield f"{path}.negatives: they are other sentences of the paragraph; with {path}.passage=context set it to 0"
    if _is_bitext(corpus) and corpus.get("collection") is None and corpus.get("data_dir") is None:
        yield f"{path}.data_dir: missing; set it to a folder of parallel sentences, or set {path}.collection"


def _is_bitext(corpus: Mapping[str, Any]) -> bool:
    return corpus.get("_target_") == _BITEXT


def _is_english(corpus: Mapping[str, Any]) -> bool:
    return corpus.get("_target_") == _PAIRS or corpus.get("translations") == "none"
