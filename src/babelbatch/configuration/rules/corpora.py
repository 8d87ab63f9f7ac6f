"""Checks of a corpus and of the parts of a mixture: settings that contradict each other or the strategy.

Arguments are plain mappings of a configuration that is not built yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from babelbatch.configuration.key_paths import closest_path
from babelbatch.configuration.rules.sampling import alphas
from babelbatch.configuration.rules.tables import problems_of_place
from babelbatch.configuration.signatures import is_number
from babelbatch.records import find_language, names_one_twice, problem_of_name

_COMPARING = {"Mimo", "LanguageKL", "Alignment"}
"""Objectives that need a text in two languages."""


def problems_of_corpus(corpus: Mapping[str, Any], path: str = "corpus") -> Iterator[str]:
    """Problems of the corpus at `path` alone. Each line begins with the path of the key."""
    parts = corpus.get("parts")
    if not isinstance(parts, dict):
        yield from _problems_of_one(path, corpus)
        return
    if not parts:
        yield f"{path}.parts: nothing to mix; add corpora, such as +corpus@{path}.parts.mine=world_facts"
    whole = [str(name) for name, part in parts.items() if isinstance(part, dict) and "_target_" in part]
    for name, part in parts.items():
        if (problem := problem_of_name(str(name))) is not None:  # ids and keys of results begin with it
            yield f"{path}.parts: the name {str(name)[:80]!r} {problem}; choose another"
            continue
        place = f"{path}.parts.{name}"
        if str(name) not in whole:
            hint = closest_path(str(name), [f"{path}.parts.{each}" for each in whole])
            yield f"{place}: not among the chosen parts ({', '.join(whole) or 'none'}){hint}"
        elif "parts" in part:
            yield f"{place}: is a mixture itself; name its parts beside the others"
        else:
            yield from _problems_of_one(place, part)


def problems_of_kinds(corpus: Mapping[str, Any], sampling: Mapping[str, Any]) -> Iterator[str]:
    """Kinds of batches that a strategy draws and the corpus cannot provide."""
    found = alphas(sampling)
    parts = corpus.get("parts")
    whole = [part for part in parts.values() if isinstance(part, dict)] if isinstance(parts, dict) else []
    if _is(corpus, "bitext") and found != {0}:
        yield (
            "sampling.alpha: in an X-X batch of bitext each sentence would be its own translation; set sampling=x_y, "
            "or make bitext a part of corpus=mixture"
        )
    elif whole and all(_is(part, "bitext") for part in whole) and found != {0}:
        yield "sampling.alpha: all parts are bitext, which has no X-X batches; set sampling=x_y, or add another corpus"
    if _is_english(corpus) and found != {1}:
        yield "sampling.alpha: the corpus is in English only, and X-Y batches need two languages; set sampling=x_x"
    elif whole and all(map(_is_english, whole)) and found != {1}:
        yield "sampling.alpha: all parts are in English only; set sampling=x_x, or add a parallel corpus"
    if (_is(corpus, "miracl") or _is(corpus, "mr_tydi")) and found != {1}:
        yield (
            "sampling.alpha: each query of the corpus is in one language only, and so are its passages: there are "
            "no X-Y batches; set sampling=x_x, or make it a part of corpus=mixture"
        )


def problems_of_versions(corpus: Mapping[str, Any], loss: Mapping[str, Any]) -> Iterator[str]:
    """An objective that compares translations, and a corpus without translations of a text."""
    parts = corpus.get("parts")
    whole = [part for part in parts.values() if isinstance(part, dict)] if isinstance(parts, dict) else [corpus]
    name = str(loss.get("_target_")).rpartition(".")[2]
    if name in _COMPARING and whole and all(_is(part, "bitext") for part in whole):
        yield (
            f"loss: {name} needs a text in two languages, but an item of bitext has its query in one and its "
            "passage in the other; set loss=contrastive, or give the sentences as corpus=table (see docs/training.md)"
        )


def problems_of_language_fraction(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Shares out of their range, and those of languages without training."""
    corpus, sampling = cfg["corpus"].get("languages"), cfg["sampling"].get("languages")
    if names_one_twice(named := list(map(str, cfg["language_fraction"] or {}))):
        yield f"language_fraction: {', '.join(named)} name a language twice; leave one of them out"
    for language, share in (cfg["language_fraction"] or {}).items():
        path = f"language_fraction.{language}"
        if not (is_number(share) and 0 < share <= 1):
            yield f"{path}: {share} is not above 0 and at most 1; leave the language out of corpus.languages for none"
        for where, languages in (("corpus.languages", corpus), ("sampling.languages", sampling)):
            if isinstance(languages, list) and find_language(str(language), list(map(str, languages))) is None:
                yield f"{path}: it is not trained on; add it to {where}, or leave it out"


def problems_of_languages(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Languages that are not among those of the corpus. Where it has all of its own, its loader knows them."""
    corpus = cfg["corpus"].get("languages")
    if not isinstance(corpus, list):
        return
    chosen, source = cfg["sampling"].get("languages"), (cfg.get("transform") or {}).get("source")
    known = list(map(str, corpus))
    for path, languages in (("sampling.languages", chosen), ("transform.source", [source] if source else None)):
        unknown = [
            str(each) for each in languages or () if isinstance(languages, list) and not find_language(str(each), known)
        ]
        if unknown:
            yield (
                f"{path}: {', '.join(unknown)} not among corpus.languages ({', '.join(known)}); add it there, or "
                "choose another"
            )


def _problems_of_one(path: str, corpus: Mapping[str, Any]) -> Iterator[str]:
    if corpus.get("passage") == "context" and corpus.get("negatives"):
        yield f"{path}.negatives: they are other sentences of the paragraph; with {path}.passage=context set it to 0"
    if _is(corpus, "bitext") and corpus.get("collection") is None and corpus.get("data_dir") is None:
        yield f"{path}.data_dir: missing; set it to a folder of parallel sentences, or set {path}.collection"
    if _is(corpus, "table"):
        hub_keys = ("hub_config", "split", "revision")
        yield from problems_of_place(path, corpus, kind="file or folder", exists=Path.exists, hub_keys=hub_keys)


def _is(corpus: Mapping[str, Any], name: str) -> bool:
    return corpus.get("_target_") == f"babelbatch.corpora.{name}.load_corpus"


def _is_english(corpus: Mapping[str, Any]) -> bool:
    return _is(corpus, "pairs") or _is(corpus, "squad_shifts") or corpus.get("translations") == "none"
