"""Texts as token ids: the store, the padded matrices, and a tokenizer that comes out the same everywhere."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.tokens import Tokens, tokenise
from processes import python

TEXTS = ["red green blue", "green blue", "blue", "grün und blau", "红 绿 蓝"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, 200)


def test_padded_by_hand():
    tokens = Tokens(np.array([5, 6, 7, 8, 9, 10], np.int32), np.array([0, 1, 4, 4, 6]), pad_id=1)
    assert tokens.lengths.tolist() == [1, 3, 0, 2]
    padded = tokens.padded([3, 1, 0, 3])
    assert padded.input_ids.tolist() == [[9, 10, 1], [6, 7, 8], [5, 1, 1], [9, 10, 1]]
    assert padded.attention_mask.tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert padded.input_ids.dtype == padded.attention_mask.dtype == torch.int64


def test_padded_to_the_longest_of_its_rows():
    tokens = Tokens(np.array([5, 6, 7, 8], np.int32), np.array([0, 1, 4]), pad_id=1)
    assert tokens.padded(np.array([0])).input_ids.tolist() == [[5]]


def test_padded_does_not_depend_on_the_pad_id_being_unused():
    """A real token may look like padding; the mask says which it is."""
    tokens = Tokens(np.array([1, 1, 2], np.int32), np.array([0, 2, 3]), pad_id=1)
    assert tokens.padded([0, 1]).attention_mask.tolist() == [[1, 1], [1, 0]]


def test_distinct_by_hand():
    """[5] and [6, 7] occur twice; [5, 6], [] and [6] are texts of their own."""
    pieces = [[5], [6, 7], [5], [5, 6], [], [6, 7], [6]]
    tokens = Tokens(
        np.array([id_ for piece in pieces for id_ in piece], np.int32), np.cumsum([0, *map(len, pieces)]), pad_id=1
    )
    first, of = tokens.distinct()
    assert of.tolist() == [0, 1, 0, 2, 3, 1, 4]
    assert first.tolist() == [0, 1, 3, 4, 6]


@given(st.lists(st.lists(st.integers(0, 2), max_size=3), min_size=1, max_size=30))
def test_distinct_agrees_with_a_dictionary(pieces):
    tokens = Tokens(
        np.array([id_ for piece in pieces for id_ in piece], np.int32), np.cumsum([0, *map(len, pieces)]), pad_id=1
    )
    rows: dict[tuple[int, ...], int] = {}
    expected = [rows.setdefault(tuple(piece), row) for row, piece in enumerate(pieces)]
    first, of = tokens.distinct()
    assert first.tolist() == sorted(rows.values())
    assert first[of].tolist() == expected


def test_hashes_do_not_depend_on_what_stands_before():
    tokens = Tokens(np.array([7, 8, 9, 8, 9], np.int32), np.array([0, 1, 3, 5]), pad_id=1)
    hashes = tokens.hashes()
    assert hashes.dtype == np.uint64
    assert np.array_equal(hashes[1], hashes[2])
    assert not np.array_equal(hashes[0], hashes[1])
    alone = hashlib.blake2b(np.array([8, 9], "<i4").tobytes(), digest_size=16).digest()
    assert hashes[1].tobytes() == alone


def of(text: str, tokenizer: PreTrainedTokenizerFast, *, prefix: str = "", max_length: int = 100) -> list[int]:
    return tokenise([text], tokenizer, prefix=prefix, max_length=max_length, description="").ids.tolist()


def test_special_tokens_stand_around(tokenizer):
    blue = tokenizer.convert_tokens_to_ids("▁blue")
    assert tokenizer.convert_ids_to_tokens(range(4)) == ["<s>", "<pad>", "</s>", "<unk>"]
    assert of("blue", tokenizer) == [0, blue, 2]
    assert of("", tokenizer) == [0, 2]


def test_prefix(tokenizer):
    assert of("blue", tokenizer, prefix="green ") == of("green blue", tokenizer)


def test_cut_with_special_tokens_kept(tokenizer):
    red, green = tokenizer.convert_tokens_to_ids(["▁red", "▁green"])
    assert of("red green blue", tokenizer, max_length=4) == [0, red, green, 2]
    assert of("green blue", tokenizer, prefix="red ", max_length=3) == [0, red, 2]  # the prefix counts


def test_many_texts_are_the_same_as_each(tokenizer):
    """4,001 texts are tokenised in three chunks."""
    texts = [TEXTS[row % 5] for row in range(4_001)]
    tokens = tokenise(texts, tokenizer, prefix="", max_length=100, description="")
    each = [of(text, tokenizer) for text in TEXTS]
    assert len(tokens.lengths) == 4_001
    assert tokens.pad_id == 1
    assert tokens.ids.dtype == np.int32
    for row in (0, 1, 1_999, 2_000, 2_001, 3_999, 4_000):
        assert tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]].tolist() == each[row % 5]


def test_the_same_text_in_another_width(tokenizer):
    assert of("ｂｌｕｅ", tokenizer) == of("blue", tokenizer)


def test_text_comes_back(tokenizer):
    for text in TEXTS:
        assert tokenizer.decode(of(text, tokenizer), skip_special_tokens=True) == text


def test_what_was_never_seen_is_unknown(tokenizer):
    assert 3 in of("☃", tokenizer)


def many_ties() -> list[str]:
    """Words in which most pairs of letters are equally frequent."""
    return [f"{one}{two}{three} {three}{two}{one}" for one in "abcdef" for two in "ghijkl" for three in "mnopqr"]


def digest(tokenizer: PreTrainedTokenizerFast) -> str:
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


CODE = """
from babelbatch.encoder.backbones import train_tokenizer
from test_tokenizing import digest, many_ties
print(digest(train_tokenizer(many_ties(), 150)))
"""


def test_trained_the_same_in_every_process():
    """Which of equally frequent pairs is merged first must not be a matter of hashing or threads."""
    environment = os.environ | {
        "PYTHONHASHSEED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[:2])),
    }
    assert python(CODE, env=environment).stdout.strip() == digest(train_tokenizer(many_ties(), 150))


def test_trained_on_another_order_of_texts():
    """Counts decide, not the order of the texts."""
    one, other = train_tokenizer(TEXTS, 60), train_tokenizer(TEXTS[::-1], 60)
    assert digest(one) == digest(other)
