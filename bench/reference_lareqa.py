"""LAReQA (XQuAD-R, MLQA-R) scored without babelbatch: the numbers that our evaluator has to reproduce.

Nothing is shared with the package: the files are read here, sentence-transformers encodes, pytrec_eval scores full
rankings, and the rank distance comes from a plain sort. Slow on purpose; bench/agreement.py compares the two.

    python bench/reference_lareqa.py --model FOLDER --data-dir DIR --benchmark xquad_r --output reference.json

DIR holds one LAReQA file per language (xx.json). The keys written are
    <benchmark>/<setting>/<metric>              macro average: over languages, ordered pairs or query languages
    <benchmark>/<setting>/<metric>/<ql>         one query language; crosslingual: mean over the other languages
    <benchmark>/crosslingual/<metric>/<ql>-<cl> queries in ql against the candidates in cl

Definitions
    candidate   every sentence of every paragraph, known as <language>_<paragraph in the file>_<sentence>; its text is
                context[start:end], as in XTREME-R. The field `sentences` says the same in all but two places (Turkish
                XQuAD-R, a paragraph whose context has a broken character), which are printed
    relevant    the first sentence with start <= answer_start < end, for the same query id, in every language
    scored      the queries that have a relevant candidate among those ranked
    score       cosine in float32. Candidates that are the same input to the model, i.e. the same tokens once cut to its
                maximum length, are scored as one, so that they tie: sentences of unknown words are many in a language
                that the tokenizer lacks, and between them noise in the last digits would decide
    ties        as trec_eval: score descending, then candidate id descending
    map@20      map_cut_20, which divides by |R|; that is min(|R|, 20) as long as |R| <= 20, which is checked
    rank distance   largest minus smallest rank of the relevant candidates in the pool of all languages;
                    normalised: divided by the pool size - 1
"""

import argparse
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import fmean

import numpy as np
import pytrec_eval
from sentence_transformers import SentenceTransformer
from tqdm import tqdm

MEASURES = {"map", "map_cut.20", "recall.1,10"}
NAMES = {"map": "map", "map_cut_20": "map@20", "recall_1": "recall@1", "recall_10": "recall@10"}
POOL = "pool"  # stands where a candidate language stands: the candidates of all languages together

Table = dict[tuple[str, str, str], float]  # (metric, query language, candidate language or POOL) -> mean


@dataclass
class Language:
    """What one file holds; `answers` maps a query id to the id of its relevant candidate."""

    queries: dict[str, str] = field(default_factory=dict)
    candidates: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)


def read_language(path: Path) -> Language:
    """Reads one LAReQA file; anything that the definitions above do not cover is an error."""
    language = Language()
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    for number, paragraph in enumerate(paragraphs):
        breaks = paragraph["sentence_breaks"]
        sentences = [paragraph["context"][start:end] for start, end in breaks]
        names = [f"{path.stem}_{number}_{i}" for i in range(len(sentences))]
        for name, sentence, published in zip(names, sentences, paragraph["sentences"], strict=True):
            if sentence != published:
                print(f"note: {name}: sentence_breaks give {sentence!r}, `sentences` has {published!r}")
        language.candidates.update(zip(names, sentences, strict=True))
        for qa in paragraph["qas"]:
            (answer,) = qa["answers"]
            at = answer["answer_start"]
            hits = [name for name, (start, end) in zip(names, breaks, strict=True) if start <= at < end]
            if not hits or qa["id"] in language.queries:
                raise ValueError(f"{path}: query {qa['id']} is repeated, or its answer is in no sentence")
            language.queries[qa["id"]] = qa["question"]
            language.answers[qa["id"]] = hits[0]
    return language


def fingerprint(model: Path, texts: Iterable[str]) -> str:
    """A hash of the model's files and of the texts: cached vectors are used only for exactly these."""
    digest = hashlib.sha256()
    for path in sorted(p for p in model.rglob("*") if p.is_file()):
        digest.update(path.relative_to(model).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    digest.update(json.dumps(list(texts)).encode())
    return digest.hexdigest()


def same_inputs(encoder: SentenceTransformer, texts: list[str]) -> list[int]:
    """For each text, the place of the first one that the model cannot tell from it."""
    cut = {"truncation": True, "max_length": encoder.max_seq_length, "padding": False}
    first: dict[tuple[int, ...], int] = {}
    tokens = encoder.tokenizer(texts, **cut)["input_ids"]
    return [first.setdefault(tuple(ids), place) for place, ids in enumerate(tokens)]


def encode(
    model: Path, encoder: SentenceTransformer, queries: list[str], candidates: list[str], cache: Path | None
) -> list[np.ndarray]:
    """Unit vectors of the queries and of the candidates, from the cache where it holds exactly these."""
    key = fingerprint(model, [*queries, "", *candidates])
    if cache and cache.exists():
        with np.load(cache) as stored:
            if str(stored["key"]) == key:
                return [stored["queries"], stored["candidates"]]

    options = {"normalize_embeddings": True, "show_progress_bar": True, "batch_size": 32}
    vectors = [encoder.encode_query(queries, **options), encoder.encode_document(candidates, **options)]
    if cache:
        partial = cache.with_name(cache.stem + ".partial.npz")
        np.savez(partial, key=key, queries=vectors[0], candidates=vectors[1])
        os.replace(partial, cache)
    return vectors


def rank_distance(ids: list[str], scores: list[float], relevant: set[str]) -> int:
    """Largest minus smallest rank of the relevant ids, by sorting the whole pool."""
    ranking = sorted(zip(scores, ids, strict=True), reverse=True)
    ranks = [rank for rank, (_, name) in enumerate(ranking) if name in relevant]
    return max(ranks) - min(ranks)


def score(languages: dict[str, Language], model: Path, cache: Path | None, block: int) -> Table:
    """The mean of every metric in every cell and in the pool, `block` queries at a time."""
    texts = sorted({text for language in languages.values() for text in language.candidates.values()})
    encoder = SentenceTransformer(str(model), device="cpu")
    row_of = dict(zip(texts, same_inputs(encoder, texts), strict=True))
    asked = [(ql, name) for ql, language in languages.items() for name in language.queries]
    queries = [languages[ql].queries[name] for ql, name in asked]
    query_vectors, text_vectors = encode(model, encoder, queries, texts, cache)

    ids = {cl: list(language.candidates) for cl, language in languages.items()}
    rows = {cl: [row_of[text] for text in language.candidates.values()] for cl, language in languages.items()}
    ids[POOL], rows[POOL] = list(chain(*ids.values())), list(chain(*rows.values()))

    relevant: dict[str, dict[str, set[str]]] = {cl: defaultdict(set) for cl in ids}  # candidates by query id
    for cl, language in languages.items():
        for name, candidate in language.answers.items():
            relevant[cl][name].add(candidate)
            relevant[POOL][name].add(candidate)
    if max(map(len, relevant[POOL].values())) > 20:
        raise ValueError("a query has more than 20 relevant candidates: map_cut_20 would not be map@20")

    values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    progress = tqdm(total=len(asked), unit="query", mininterval=5)
    for ql in languages:
        places = [place for place, (language, _) in enumerate(asked) if language == ql]
        for some in (places[i : i + block] for i in range(0, len(places), block)):
            similarity = query_vectors[some] @ text_vectors.T
            for cl in ids:
                scores = similarity[:, rows[cl]].tolist()
                run, qrels = {}, {}
                for place, line in zip(some, scores, strict=True):
                    name = asked[place][1]
                    if name in relevant[cl]:
                        run[name] = dict(zip(ids[cl], line, strict=True))
                        qrels[name] = dict.fromkeys(relevant[cl][name], 1)
                    if cl == POOL:
                        distance = rank_distance(ids[cl], line, relevant[cl][name])
                        values["rank_distance", ql, cl].append(distance)
                        values["rank_distance_normalised", ql, cl].append(distance / (len(ids[cl]) - 1))
                for result in pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(run).values():
                    for measure, metric in NAMES.items():
                        values[metric, ql, cl].append(result[measure])
            progress.update(len(some))
    progress.close()
    return {cell: fmean(found) for cell, found in values.items()}


def summarise(benchmark: str, table: Table) -> dict[str, float]:
    """The flat keys: cells, means per query language, macro averages."""
    flat: dict[str, float] = {}
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)  # what the macro average of each setting is over
    others: dict[tuple[str, str], list[float]] = defaultdict(list)  # crosslingual cells of one query language
    for (metric, ql, cl), value in table.items():
        setting = "multilingual" if cl == POOL else "monolingual" if ql == cl else "crosslingual"
        groups[setting, metric].append(value)
        if setting == "crosslingual":
            others[metric, ql].append(value)
        flat[f"{benchmark}/{setting}/{metric}/{ql}" + (f"-{cl}" if setting == "crosslingual" else "")] = value
    for (metric, ql), found in others.items():
        flat[f"{benchmark}/crosslingual/{metric}/{ql}"] = fmean(found)
    for (setting, metric), found in groups.items():
        flat[f"{benchmark}/{setting}/{metric}"] = fmean(found)
    return dict(sorted(flat.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a sentence-transformers folder")
    parser.add_argument("--data-dir", type=Path, required=True, help="one LAReQA file per language: xx.json")
    parser.add_argument("--benchmark", choices=["xquad_r", "mlqa_r"], required=True, help="first part of every key")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--vectors", type=Path, help="an .npz file to keep the vectors in")
    parser.add_argument("--block", type=int, default=200, help="queries scored at once: bounds the memory")
    options = parser.parse_args()
    if not options.model.is_dir():
        parser.error(f"no such folder: {options.model}")
    languages = {path.stem: read_language(path) for path in sorted(options.data_dir.glob("*.json"))}
    if not languages:
        parser.error(f"no xx.json in {options.data_dir}")
    if options.vectors and options.vectors.suffix != ".npz":
        parser.error("--vectors wants a name that ends in .npz")
    queries = sum(len(language.queries) for language in languages.values())
    candidates = sum(len(language.candidates) for language in languages.values())
    print(f"{options.benchmark}: {len(languages)} languages, {queries:,} queries, {candidates:,} candidates")

    begin = time.perf_counter()
    flat = summarise(options.benchmark, score(languages, options.model, options.vectors, options.block))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(flat, indent=1) + "\n", encoding="utf-8")
    for key, value in flat.items():
        if key.count("/") == 2:
            print(f"{key:<48}{value:12.6f}")
    print(f"{len(flat):,} values in {options.output}, {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
