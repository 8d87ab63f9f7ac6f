"""What metrics.json says about the first query and the first passage: the text with its prompt, and its tokens."""

from __future__ import annotations

import logging

import pytest
import torch

from babelbatch.encoder import Encoder, tiny
from babelbatch.encoder.model import Settings
from babelbatch.evaluation.encoded_texts import encoded_texts

TEXTS = ["red green blue", "green", "blue and grey and white", "query: passage:"]


def test_text_with_prompt_tokens_and_pooling(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    made = tiny(TEXTS, vocab_size=120, hidden_size=16, layers=1, heads=2)
    settings = Settings(pooling="cls", query_prefix="query: ", query_length=6, passage_length=60)
    encoder = Encoder(made.tower("query").backbone, made.tokenizer, settings)
    caplog.set_level(logging.INFO)
    facts = encoded_texts(encoder, "red green blue and grey", "grey " * 30)
    assert facts["encoded/pooling"] == "cls"
    assert facts["encoded/query/text"] == "query: red green blue and grey"
    assert facts["encoded/query/tokens"] == ["<s>", "▁query:", "▁red", "▁green", "▁blue", "</s>"]
    assert facts["encoded/passage/text"] == "grey " * 30
    assert facts["encoded/passage/tokens"] == ["<s>", *["▁grey"] * 30, "▁", "</s>"]
    assert caplog.messages[-2:] == [
        "the first query as encoded: 6 tokens (<s> ▁query: ▁red ▁green ▁blue </s>), cls pooling",
        f"the first passage as encoded: 33 tokens (<s> {'▁grey ' * 23}...), cls pooling",
    ]


def test_prompts_of_tasks(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    made = tiny(TEXTS, vocab_size=120, hidden_size=16, layers=1, heads=2)
    settings = Settings(query_prefix="query: ", query_prompts={"nq": "red ", "xquad_r": "blue "})
    encoder = Encoder(made.tower("query").backbone, made.tokenizer, settings)
    caplog.set_level(logging.INFO)
    facts = encoded_texts(encoder, "green", "grey", "nq", {"nq": "green", "xquad_r": "white", "mlqa_r": "and"})
    assert {key: value for key, value in facts.items() if key.endswith("/text")} == {
        "encoded/query/text": "red green",
        "encoded/passage/text": "grey",
        "encoded/query/nq/text": "red green",
        "encoded/query/xquad_r/text": "blue white",
    }
    assert facts["encoded/query/xquad_r/tokens"] == ["<s>", "▁blue", "▁white", "</s>"]
    assert caplog.messages[-1] == (
        "the first query of xquad_r as encoded: 4 tokens (<s> ▁blue ▁white </s>), mean pooling"
    )
