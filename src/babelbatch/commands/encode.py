"""The composition root of babelbatch-encode: one shard of the vectors of texts, written to disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from omegaconf import DictConfig

from babelbatch.commands.build import build
from babelbatch.commands.checkpoint import load_checkpoint
from babelbatch.commands.data import build_benchmarks, build_corpus
from babelbatch.encoder import Encoder, device_of
from babelbatch.evaluation.encoding import default_token_budget, encode_part
from babelbatch.evaluation.text_sets import (
    TextSet,
    candidates_of,
    corpus_passages,
    corpus_queries,
    encoder_digest,
    identity_of,
    passages_to_search,
    queries_of,
)
from babelbatch.progress import track, waiting
from babelbatch.search.shard_plan import BLOCK_ROWS, Shard, parse_shard
from babelbatch.search.shards import Contents, ShardWriter
from babelbatch.sources.passages import read_passages
from babelbatch.storage import replaced_file, try_lock

IDS_FILE = "ids.parquet"
_LOCK_FILE = ".lock"


def encode(cfg: DictConfig) -> None:
    """Writes the shard of the vectors of each set of texts that the configuration names.

    Pieces that an earlier command with the same texts and encoder completed are verified and left as they are.
    """
    shard = parse_shard(cfg.shard)
    with waiting("loading the encoder"):
        encoder: Encoder = load_checkpoint(Path(cfg.checkpoint)) if cfg.checkpoint else build(cfg.encoder)
    encoder = encoder.to(device_of(cfg.device)).eval()
    digest = encoder_digest(encoder)
    for texts in _text_sets(cfg):
        _write_shard(cfg, encoder, digest, texts, shard)


def _text_sets(cfg: DictConfig) -> Iterator[TextSet]:
    for benchmark in build_benchmarks(cfg.benchmarks).values():
        yield queries_of(benchmark)
        yield candidates_of(benchmark)
    if cfg.corpus:
        corpus = build_corpus(cfg.corpus)
        yield corpus_queries(corpus)
        yield corpus_passages(corpus)
    if cfg.passages is not None:
        passages = read_passages(cfg.passages, cfg.text_column, cfg.language_column, cfg.language, cfg.on_bad_row)
        yield passages_to_search(passages.texts)


def _write_shard(cfg: DictConfig, encoder: Encoder, digest: str, texts: TextSet, shard: Shard) -> None:
    device = next(encoder.parameters()).device
    token_budget = cfg.token_budget or default_token_budget(device)
    contents = Contents(
        identity=identity_of(texts, encoder, digest),
        rows=len(texts.texts),
        dimensions=encoder.dimensions,
        dtype=cfg.dtype,
        encoded_by=f"{cfg.precision} on {device.type}, {token_budget:,} tokens in a pass",
    )
    folder = Path(cfg.output) / texts.name
    (folder / str(shard)).mkdir(parents=True, exist_ok=True)
    with try_lock(folder / str(shard) / _LOCK_FILE) as is_mine:
        if not is_mine:
            raise ValueError(f"output: another process is writing {folder / str(shard)}; wait for it, or end it")
        writer = ShardWriter(folder, shard, contents)
        there = writer.written
        missing = writer.pieces[there:]  # alone, because the others would count as work in the rate
        for piece in track(missing, f"{texts.name}, shard {cfg.shard}", "pieces"):
            rows = slice(piece.block * BLOCK_ROWS, (piece.block + 1) * BLOCK_ROWS)
            task = texts.task if texts.task is None or isinstance(texts.task, str) else texts.task[rows]
            found, vectors = encode_part(
                encoder, texts.texts[rows], texts.role, piece.part, piece.parts, token_budget, cfg.precision, task
            )
            writer.write(found + rows.start, vectors)
        written = writer.rows()
        _write_ids(folder / str(shard) / IDS_FILE, written, texts.ids)
    reused = f"; {there} of {len(writer.pieces)} pieces were there" if there else ""
    size = f"{len(written):,} of {len(texts.texts):,} vectors, {encoder.dimensions} dimensions each"
    print(f"{folder / str(shard)}: {size}{reused}", flush=True)


def _write_ids(path: Path, rows: NDArray[np.int64], ids: Sequence[str] | None) -> None:
    """A table with the row of each text in its set and, if it has one, its id, in the order of the vectors."""
    columns: dict[str, pa.Array] = {"row": pa.array(rows)}
    if ids is not None:
        columns["id"] = pa.array([ids[row] for row in rows.tolist()], pa.string())
    with replaced_file(path) as file:
        pq.write_table(pa.table(columns), file)
