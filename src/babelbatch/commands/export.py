"""The composition root of babelbatch-export: the encoder of a run as a folder to use or to publish."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig

from babelbatch.commands.checkpoint import load_checkpoint
from babelbatch.encoder import (
    Encoder,
    load,
    push_to_hub,
    require_packages,
    save,
    truncated,
    why_not_exportable,
    write_graphs,
)
from babelbatch.evaluation.encoding import encode
from babelbatch.progress import waiting
from babelbatch.report.model_card import CARD_FILE, write_card
from babelbatch.runs.files import CONFIG_FILE, ENCODER_FOLDER, MERGE_FILE, METRICS_FILE
from babelbatch.storage import write_atomically

_TEXTS = ("Is it?", "It is the largest city of Peru, and has been its capital since the country became independent.")
_MEASURED = "measured on two English sentences, as queries and as passages"
_TOLERANCES = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}
"""Of the difference of a vector from the run's, relative to its length: what rounding to the type may cost."""


def export(cfg: DictConfig) -> None:
    """Writes the folder, checks that it gives the vectors of the run, and uploads it if asked for.

    The folder appears when it is whole. Raises ValueError, and leaves nothing, for what cannot be exported.
    """
    output, formats = Path(cfg.output).expanduser(), list(cfg.formats or ())
    require_packages(formats)
    with waiting("loading the encoder"):
        encoder = load_checkpoint(Path(cfg.run).expanduser()).eval()
    if cfg.dimensions is not None:
        encoder = truncated(encoder, cfg.dimensions)
    partial = output.with_name(f"{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        expected = _vectors(encoder)
        save(encoder, partial)
        whole = load(partial).eval()  # with adapters merged
        for name in formats:
            difference = write_graphs(whole, partial, name)
            print(
                f"{name}: states of the backbone, at most {difference:.1e} of the largest away from those of torch, "
                "measured on short English texts"
            )
        if cfg.dtype != "float32":
            save(whole.to(getattr(torch, cfg.dtype)), partial)
        _write_card(cfg, partial)
        difference = _difference(expected, _vectors(load(partial).eval()))
        if not difference <= _TOLERANCES[cfg.dtype]:
            raise ValueError(
                f"dtype: vectors of the weights in {cfg.dtype} differ by {difference:.2g} of their length from those "
                "of the run, for one of two English sentences; set dtype=float32"
            )
        partial.rename(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    away = f"at most {difference:.1e} of their length away from those of the run ({_MEASURED})"
    print(f"{output}: vectors of {encoder.dimensions} components, {away}")
    if (reason := why_not_exportable(encoder)) is not None:
        print(f"sentence-transformers cannot read it: {reason}")
    if cfg.push_to_hub is not None:
        print(push_to_hub(output, cfg.push_to_hub, private=cfg.private))


def _write_card(cfg: DictConfig, folder: Path) -> None:
    """The model card, if the encoder is that of a finished run or of an average of runs."""
    run = Path(cfg.run).expanduser()
    run = run.parent if run.name == ENCODER_FOLDER else run
    changes = [f"weights in {cfg.dtype}"] if cfg.dtype != "float32" else []
    changes += [f"the first {cfg.dimensions} components of its vectors"] if cfg.dimensions is not None else []
    note = f"Exported with {' and '.join(changes)}" if changes else ""
    if (run / METRICS_FILE).is_file() and (run / CONFIG_FILE).is_file():
        write_card(run, folder, f"{note}; the scores below are those of the whole model." if note else "")
    elif (run / MERGE_FILE).is_file() and (card := run / ENCODER_FOLDER / CARD_FILE).is_file():
        head, heading, sections = card.read_text(encoding="utf-8").partition("\n## ")
        write_atomically(folder / CARD_FILE, "".join([head, f"\n{note}.\n" if note else "", heading, sections]))
    else:
        print("no model card: only a finished training run knows what is in one")


def _vectors(encoder: Encoder) -> NDArray[np.float32]:
    """Of two texts in both roles."""
    roles = [encode(encoder, _TEXTS, role) for role in ("query", "passage")]
    return np.concatenate(roles)


def _difference(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """The largest distance of two vectors, relative to the length of the first."""
    return float((np.linalg.norm(vectors - others, axis=1) / np.linalg.norm(vectors, axis=1)).max())
