"""Encodes texts with a backend of sentence-transformers, in an environment where babelbatch need not be installed.

    python bench/sentence_transformers_backend.py BACKEND FOLDER TEXTS.json VECTORS.npy

bench/encoding.py starts it, because sentence-transformers[openvino] needs an earlier transformers than babelbatch.
TEXTS.json: {"texts": [...], "prompt": ..., "normalise": ...}. For each batch size on the standard input it encodes all
texts in float32 with OMP_NUM_THREADS threads, writes the vectors, and prints the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

import numpy as np
from sentence_transformers import SentenceTransformer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backend", choices=["torch", "onnx", "openvino"])
    parser.add_argument("folder")
    parser.add_argument("texts")
    parser.add_argument("vectors")
    arguments = parser.parse_args()
    with open(arguments.texts, encoding="utf-8") as file:
        work = json.load(file)
    precise = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": int(os.environ["OMP_NUM_THREADS"])}
    options = {"ov_config": precise} if arguments.backend == "openvino" else {}
    model = SentenceTransformer(arguments.folder, device="cpu", backend=arguments.backend, model_kwargs=options)
    for line in sys.stdin:
        began = time.perf_counter()
        encoded = model.encode(
            work["texts"], prompt=work["prompt"], batch_size=int(line), normalize_embeddings=work["normalise"]
        )
        taken = time.perf_counter() - began
        np.save(arguments.vectors, encoded)
        print(f"seconds {taken}", flush=True)


if __name__ == "__main__":
    main()
