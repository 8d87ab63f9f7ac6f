"""Which corpora have one kind of batch only. Settings are plain mappings, of a configuration that is not built yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from babelbatch.sampling_rules import alphas

_ENGLISH = {"babelbatch.corpora.pairs.load_corpus", "babelbatch.corpora.squad_shifts.load_corpus"}


def problems_of_corpus(corpus: Mapping[str, Any], sampling: Mapping[str, Any]) -> Iterator[str]:
    """Batches that a strategy draws and the corpus does not have, said before anything is fetched."""
    found, target = alphas(sampling), corpus.get("_target_")
    if target == "babelbatch.corpora.bitext.load_corpus":
        if found != {0}:
            yield (
                "sampling.alpha: in an X-X batch of bitext each sentence would be its own translation; set "
                "sampling=x_y, or make bitext a part of corpus=mixture"
            )
        if corpus.get("collection") is None and corpus.get("data_dir") is None:
            yield "corpus.data_dir: missing; set it to a folder of parallel sentences, or set corpus.collection"
    english = target in _ENGLISH or corpus.get("translations") == "none"
    if english and found != {1}:
        yield "sampling.alpha: the corpus is in English only, and X-Y batches need two languages; set sampling=x_x"
