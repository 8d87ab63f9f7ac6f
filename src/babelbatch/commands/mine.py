"""The composition root of babelbatch-mine: from an encoder and a corpus to a table of hard negatives."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from babelbatch.batches import Mined, concatenated, write_negatives
from babelbatch.commands.build import build, device_of
from babelbatch.commands.data import build_corpus
from babelbatch.commands.evaluate import load_checkpoint
from babelbatch.configuration.former_targets import load_config
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.inputs import input_versions
from babelbatch.encoder import Encoder, Role
from babelbatch.evaluation.encoding import encode
from babelbatch.progress import bar
from babelbatch.records import ABSENT
from babelbatch.runs.files import CONFIG_FILE, METRICS_FILE, NEGATIVES_FILE
from babelbatch.runs.provenance import provenance
from babelbatch.search.index import HNSW, IVF, NO_ROW, Exact, Search, measure_recall
from babelbatch.search.mining import (
    Mining,
    SearchPool,
    answer_groups,
    choose_negatives,
    search_depth,
    search_pools,
    used_queries,
)
from babelbatch.search.vectors import Vectors, VectorWriter
from babelbatch.storage import write_atomically

log = logging.getLogger(__name__)

_THREADS = torch.get_num_threads()  # one job of a sweep must not inherit another's
_SHARD_TEXTS = 65_536  # encoded, and written to disk, at once
_QUERIES = 8_192  # searched at once
_VECTORS_FOLDER = "vectors"

Index = Exact | IVF | HNSW


def mine(cfg: DictConfig, folder: Path) -> None:
    """Leaves `negatives.parquet` in `folder`, and last metrics.json, which says how it was made.

    The vectors that an earlier attempt left in the folder are not made again.
    """
    sources = provenance() | input_versions(cfg)
    torch.set_num_threads(cfg.threads or _THREADS)
    encoder: Encoder = load_checkpoint(Path(cfg.checkpoint)) if cfg.checkpoint else build(cfg.encoder)
    encoder = encoder.to(device_of(cfg.device)).eval()
    corpus = build_corpus(cfg.corpus or corpus_of_run(Path(cfg.checkpoint)))
    settings: Mining = build(cfg.mining)
    index: Index = build(cfg.index)
    weights = fingerprint(encoder)
    pools = search_pools(corpus, answer_groups(corpus), settings.languages)
    log.info(
        "mining %s for %s items in %d languages: %s passages in %d pools, index %s",
        corpus.name, f"{len(corpus):,}", len(corpus.languages), f"{sum(len(pool.rows) for pool in pools):,}",
        len(pools), cfg.index._target_.rpartition(".")[2],
    )  # fmt: skip

    started = time.perf_counter()
    place = folder / _VECTORS_FOLDER
    asked = used_queries(pools)
    made = partial(encoded, encoder, weights=weights, token_budget=cfg.token_budget)
    queries = made(corpus.query_texts, asked, "query", folder=place / "queries")
    parts, recalls = [], {}
    for number, pool in enumerate(pools):
        if len(pool.items) == 0:  # a language without passages
            continue
        passages = made(corpus.passage_texts, pool.rows, "passage", folder=place / f"passages-{pool.name}")
        search = index.build(passages, cfg.threads)
        rows_of = np.searchsorted(asked, pool.queries)
        if not isinstance(index, Exact):
            recalls[pool.name] = _recall(search, queries, passages, rows_of, search_depth(pool, settings), cfg.threads)
        parts.append(mined_from(pool, search, queries, passages, rows_of, settings, number))
    mined = concatenated(parts) if parts else _none()
    taken = time.perf_counter() - started

    slots = sum(len(pool.items) for pool in pools)
    facts: dict[str, object] = {
        "encoder": cfg.checkpoint or cfg.encoder.get("name_or_path", cfg.encoder._target_),
        "fingerprint/encoder": weights,
        "mining": asdict(settings),
        "index": OmegaConf.to_container(cfg.index),
        **{f"recall/{name}": recall for name, recall in recalls.items()},
    }
    write_negatives(folder / NEGATIVES_FILE, corpus, mined, facts)
    facts |= {
        "name": cfg.name,
        "config_hash": config_hash(cfg),
        "benchmarks": [],
        "corpus": corpus.name,
        "fingerprint/corpus": corpus.fingerprint,
        **summary(mined, slots),
        "seconds/mine": taken,
        **sources,
    }
    if not cfg.keep_vectors:
        shutil.rmtree(place)
    write_atomically(folder / METRICS_FILE, json.dumps(facts, indent=1, allow_nan=False) + "\n")


def corpus_of_run(checkpoint: Path) -> DictConfig:
    """The corpus that a run was trained on, as its configuration says: of the run's folder, its `encoder` folder or a
    .ckpt file in its checkpoints folder. Raises ValueError if there is no such configuration."""
    for folder in (checkpoint, *checkpoint.absolute().parents[:2]):
        if (folder / CONFIG_FILE).is_file():
            cfg = load_config(folder / CONFIG_FILE)
            if "corpus" in cfg:
                return cfg.corpus
    raise ValueError(f"checkpoint: {checkpoint} does not say which corpus it was trained on; choose one: corpus=...")


def fingerprint(encoder: Encoder) -> str:
    """SHA-256 over the weights, the vocabulary and the settings of an encoder, first 16 hex digits."""
    # Not the tokenizer's own serialisation, which tells how long the texts were that it met last.
    read = [asdict(encoder.settings), encoder.tokenizer.get_vocab(), encoder.tokenizer.special_tokens_map]
    digest = hashlib.sha256(json.dumps(read, sort_keys=True, default=str).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def encoded(
    encoder: Encoder,
    texts: tuple[str, ...],
    rows: np.ndarray,
    role: Role,
    *,
    folder: Path,
    weights: str,
    token_budget: int,
) -> Vectors:
    """The vectors of texts[rows] on disk, made shard by shard. What is there already is not made again.

    weights: the fingerprint of the encoder.
    """
    identity = hashlib.sha256(f"{weights} {role}".encode())
    for row in rows:
        identity.update(texts[row].encode() + b"\0")
    writer = VectorWriter(folder, encoder.dimensions, identity.hexdigest(), _SHARD_TEXTS)
    for start in range(writer.rows, len(rows), _SHARD_TEXTS):
        shard = [texts[row] for row in rows[start : start + _SHARD_TEXTS]]
        writer.append(encode(encoder, shard, role, token_budget))
    return writer.close()


def mined_from(
    pool: SearchPool,
    search: Search,
    all_queries: Vectors,
    passages: Vectors,
    rows_of: np.ndarray,
    settings: Mining,
    number: int,
) -> Mined:
    """The negatives of every slot of a pool that has some.

    rows_of: (S,) the row of each slot's query in `all_queries`. number: of the pool; random choices differ by it.
    """
    depth = search_depth(pool, settings)
    parts = []
    with bar(f"searching {pool.name}", len(rows_of), unit="queries") as progress:
        for start in range(0, len(rows_of), _QUERIES):
            block = slice(start, start + _QUERIES)
            queries, positives = all_queries.take(rows_of[block]), pool.positives[block]
            neighbours = search(queries, depth)
            positive_scores = np.einsum("qd,qd->q", queries, passages.take(positives))
            answers = pool.groups[neighbours.rows] == pool.groups[positives][:, None]
            random = np.random.default_rng([settings.seed, number, start])
            chosen, ranks = choose_negatives(
                neighbours.rows != NO_ROW, neighbours.scores, answers, positive_scores, settings, random
            )
            query, place = np.nonzero(chosen != ABSENT)
            column = chosen[query, place]
            parts.append(
                Mined(
                    items=pool.items[block][query],
                    languages=pool.languages[block][query],
                    passages=pool.rows[neighbours.rows[query, column]],
                    ranks=ranks[query, column].astype(np.int32),
                    scores=neighbours.scores[query, column],
                    positive_scores=positive_scores[query],
                )
            )
            progress.advance(len(queries))
    return concatenated(parts)


def summary(mined: Mined, slots: int) -> dict[str, object]:
    """What was mined, in numbers. slots: items times languages that negatives were looked for."""
    filled = len(np.unique(np.stack([mined.items, mined.languages]), axis=1).T)
    found: dict[str, object] = {"negatives": len(mined), "slots": slots, "slots_filled": filled}
    if len(mined):
        found["median_rank"] = float(np.median(mined.ranks))
        found["mean_score"] = float(mined.scores.mean(dtype=np.float64))
        found["mean_positive_score"] = float(mined.positive_scores.mean(dtype=np.float64))
    return found


def _recall(
    search: Search, queries: Vectors, passages: Vectors, rows_of: np.ndarray, k: int, threads: int | None
) -> float:
    sample = queries.take(np.random.default_rng(0).permutation(rows_of)[:1000])
    return measure_recall(search, sample, k, pool=passages, threads=threads)


def _none() -> Mined:
    whole, real = np.empty(0, np.int64), np.empty(0, np.float32)
    return Mined(whole, whole, whole.astype(np.int32), whole.astype(np.int32), real, real)
