"""Folders of many kinds, saved by sentence-transformers: do both libraries make the same vectors of them?

    python bench/sentence_transformers_folders.py [--model FOLDER]

Small random models, one a kind; and, if one is given, a published model. Texts in eleven languages, some of them cut
off, with the prompts of both roles. Prints the largest difference of a component, and stops if one is beyond rounding.
The models are saved in the format of the installed version; an older one is written by hand (a folder for the
transformer, flags for the pooling, `max_seq_length` in a file of its own, weights in pytorch_model.bin).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedModel,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from babelbatch.encoder import pretrained
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.evaluation.encoding import encode

SIZE, LENGTH = 32, 24
SENTENCES = [
    "The currency of Peru is the sol.",
    "Die Währung von Peru ist der Sol, und in Japan zahlt man mit Yen.",
    "La moneda del Perú",
    "Το νόμισμα του Περού",
    "عملة بيرو هي السول",
    "पेरू की मुद्रा सोल है",
    "Валюта Перу — новый соль, а столица Лима, в которой живёт десять миллионов человек, и это ещё не всё",
    "สกุลเงินของเปรูคือซอล",
    "Peru'nun para birimi",
    "Tiền tệ của Peru là sol",
    "秘鲁的货币是索尔",
    "a",
]
PROMPTS = {"query": "query: ", "document": "passage: "}


def transformers() -> Iterator[tuple[str, PreTrainedModel]]:
    """One of each family: positions from 0, from after padding, none; attention to both sides, to the left alone."""
    tokens = len(train_tokenizer(SENTENCES, 300))
    common = {"vocab_size": tokens, "hidden_size": SIZE, "num_hidden_layers": 2, "num_attention_heads": 2}
    middle = {"intermediate_size": 64}
    yield "BERT", BertModel(BertConfig(**common, **middle, max_position_embeddings=LENGTH))
    positions = {"max_position_embeddings": LENGTH + 2, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    yield "XLM-R", XLMRobertaModel(XLMRobertaConfig(**common, **middle, **positions))
    yield "T5", T5EncoderModel(T5Config(vocab_size=tokens, d_model=SIZE, d_kv=16, d_ff=64, num_layers=2, num_heads=2))
    yield "Qwen3", Qwen3Model(Qwen3Config(**common, **middle, num_key_value_heads=1, head_dim=16))


def kinds(folder: Path) -> Iterator[tuple[str, SentenceTransformer]]:
    tokenizer = train_tokenizer(SENTENCES, 300)
    made = {}
    for name, backbone in transformers():
        made[name] = folder / name
        backbone.save_pretrained(made[name])
        tokenizer.save_pretrained(made[name])

    def model(name: str, pooling: str, *rest: nn.Module, **options: object) -> SentenceTransformer:
        body = Transformer(str(made[name]), max_seq_length=LENGTH)
        return SentenceTransformer(modules=[body, Pooling(SIZE, pooling), *rest], device="cpu", **options)

    for name in made:
        yield f"{name}, mean, Normalize", model(name, "mean", Normalize(), prompts=PROMPTS)
    for pooling in ("cls", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"):
        yield f"XLM-R, {pooling}", model("XLM-R", pooling)
    yield "Qwen3, lasttoken, Normalize", model("Qwen3", "lasttoken", Normalize(), prompts=PROMPTS)
    yield "LaBSE's kind: cls, Dense, Normalize", model("BERT", "cls", Dense(SIZE, SIZE), Normalize())
    yield (
        "sentence-T5's kind: mean, Dense, Normalize",
        model("T5", "mean", Dense(SIZE, 16, bias=False, activation_function=nn.Identity()), Normalize()),
    )
    yield "several layers, one of them residual", model(
        "XLM-R", "mean", Dense(SIZE, 48, activation_function=nn.GELU()), Dense(48, 16, use_residual=True),
        Dense(16, 16, use_residual=True),
    )  # fmt: skip
    yield "not normalised, by dot product", model("BERT", "mean", similarity_fn_name="dot")
    yield "static", SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=SIZE)], device="cpu")
    yield (
        "static, Normalize",
        SentenceTransformer(
            modules=[StaticEmbedding(tokenizer, embedding_dim=SIZE), Normalize()], device="cpu", prompts=PROMPTS
        ),
    )


def as_version_2(folder: Path) -> None:
    """Rewrites a saved folder in the format of 2021: LaBSE's, as it was published."""
    body = folder / "0_Transformer"
    body.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).rename(body / name)
    (folder / "sentence_bert_config.json").unlink()
    stated = {"max_seq_length": LENGTH, "do_lower_case": False}
    (body / "sentence_bert_config.json").write_text(json.dumps(stated))
    flags = dict.fromkeys(("mean_tokens", "max_tokens", "mean_sqrt_len_tokens"), False) | {"cls_token": True}
    pooling = {"word_embedding_dimension": SIZE} | {f"pooling_mode_{name}": on for name, on in flags.items()}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    dense = folder / "2_Dense"
    torch.save(load_file(dense / "model.safetensors"), dense / "pytorch_model.bin")
    (dense / "model.safetensors").unlink()
    modules = json.loads((folder / "modules.json").read_text())
    for module in modules:
        module["type"] = "sentence_transformers.models." + module["type"].rpartition(".")[2]
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))


def largest_difference(folder: Path) -> tuple[float, int]:
    """Of any component of any vector of both roles, and how many dimensions they have."""
    theirs = SentenceTransformer(str(folder), device="cpu")
    ours = pretrained(str(folder)).eval()
    cosine = theirs.similarity_fn_name == "cosine"
    apart = 0.0
    for role, encode_theirs in (("query", theirs.encode_query), ("passage", theirs.encode_document)):
        expected = encode_theirs(SENTENCES, normalize_embeddings=cosine)
        found = encode(ours, SENTENCES, role, token_budget=256)
        assert found.shape == expected.shape, (found.shape, expected.shape)
        apart = max(apart, float(np.abs(found - expected).max()))
    return apart, ours.dimensions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder that sentence-transformers saved")
    options = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {}
        for name, model in kinds(Path(scratch)):
            folders[name] = Path(scratch) / f"saved {len(folders)}"
            model.save(str(folders[name]))
            if name.startswith("LaBSE"):
                old = f"{name}, in version 2's format"
                folders[old] = Path(scratch) / f"saved {len(folders)}"
                model.save(str(folders[old]))
                as_version_2(folders[old])
        if options.model:
            folders[options.model] = Path(options.model)
        for name, folder in folders.items():
            apart, dimensions = largest_difference(folder)
            print(f"{apart:.1e} in {dimensions} dimensions: {name}")
            assert apart < 2e-6, "the vectors differ"


if __name__ == "__main__":
    main()
