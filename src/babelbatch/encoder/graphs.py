"""The backbone as an ONNX or OpenVINO graph, by the exporters of transformers."""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from babelbatch.encoder.huggingface import quiet
from babelbatch.encoder.model import Encoder, Role
from babelbatch.encoder.preflight import TEXTS
from babelbatch.progress import waiting

Format = Literal["onnx", "openvino"]

_PACKAGES: dict[str, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "openvino": ("openvino",)}
_TOLERANCE = 1e-3  # of the largest state; OpenVINO rounds more than ONNX Runtime


def require_packages(formats: list[str]) -> None:
    """Raises ValueError if a package that writes or runs one of the formats is not installed."""
    for name in formats:
        if missing := [package for package in _PACKAGES[name] if importlib.util.find_spec(package) is None]:
            raise ValueError(
                f"formats: {name} needs {', '.join(missing)}; pip install 'babelbatch[export]', or leave it out"
            )


def write_graphs(encoder: Encoder, folder: Path, name: Format) -> float:
    """Writes the graph of each backbone: from token ids and mask to the states of the tokens, of any batch and length.

    It is in `<folder>/<name>`, that of a passage tower of its own in `<folder>/passage/<name>`. Returns the largest
    difference of a state from that of torch, relative to the largest state, for texts that it was not traced with.

    encoder: in evaluation mode, without adapters. Raises ValueError if the architecture cannot be exported, or if the
    graph computes other states.
    """
    roles: tuple[Role, ...] = ("query",) if encoder.settings.shared else ("query", "passage")
    worst = 0.0
    for role in roles:
        place = folder / "passage" / name if role == "passage" else folder / name
        with waiting(f"writing {place}"):
            worst = max(worst, _write_graph(encoder, role, place, name))
    return worst


def _write_graph(encoder: Encoder, role: Role, place: Path, name: Format) -> float:
    backbone = encoder.tower(role).backbone
    try:
        with quiet(), redirect_stdout(io.StringIO()), warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of torch's own deprecated names
            exporter, config = _exporter(name)
            exported = exporter.export(backbone, _inputs(encoder, list(TEXTS)), config=config)
            exported.save_pretrained(place)
            other = _inputs(encoder, [text[:40] for text in (TEXTS[1], *TEXTS)])
            ours = backbone(**other).last_hidden_state.numpy()
            theirs = np.asarray(exported(**other)["last_hidden_state"])
    except Exception as error:  # the exporters' errors have no common class
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"formats: {name} cannot be written for {type(backbone).__name__} ({reason[:200]}); leave it out"
        ) from error
    mask = other["attention_mask"].numpy()[..., None]  # states of padding mean nothing
    difference = float(np.abs((ours - theirs) * mask).max() / np.abs(ours * mask).max())
    if not difference <= _TOLERANCE:
        raise ValueError(
            f"formats: the {name} graph of {type(backbone).__name__} computes other states (they differ by "
            f"{difference:.2g} of the largest); leave it out"
        )
    return difference


def _exporter(name: Format) -> tuple[Any, Any]:
    for library in ("onnxscript", "onnx_ir", "torch.onnx", "torch.export"):
        logging.getLogger(library).setLevel(logging.ERROR)
    if name == "onnx":
        from transformers.exporters.configs import OnnxConfig
        from transformers.exporters.exporter_onnx import OnnxExporter

        return OnnxExporter(), OnnxConfig(dynamic=True)
    from transformers.exporters.configs import OpenVINOConfig
    from transformers.exporters.exporter_openvino import OpenVINOExporter

    return OpenVINOExporter(), OpenVINOConfig(dynamic=True)


def _inputs(encoder: Encoder, texts: list[str]) -> dict[str, torch.Tensor]:
    batch = encoder.tokenizer(texts, padding=True, return_tensors="pt")
    return {name: batch[name] for name in ("input_ids", "attention_mask")}
