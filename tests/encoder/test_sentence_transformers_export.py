"""A saved encoder, loaded by sentence-transformers: a text has the same vector there, whatever the encoder is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from torch import nn

from babelbatch.encoder import load, pretrained, save
from babelbatch.encoder.sentence_transformers_export import why_not_exportable
from babelbatch.evaluation.encoding import encode
from small_encoders import PREFIXES, SmallEncoders

TEXTS = [
    "red green blue", "green", "blue and grey and white, and red again and again and again and again", "grün und blau",
    "Το νόμισμα του Περού", "秘鲁的货币是索尔", "สกุลเงินของเปรูคือซอล", "عملة بيرو هي السول", "",
]  # fmt: skip
ENCODERS = SmallEncoders(TEXTS, vocabulary=120)
CASES = ENCODERS.cases()
new = ENCODERS.new


@pytest.mark.parametrize("case", CASES)
def test_equal_vectors(case: str, tmp_path: Path) -> None:
    encoder = CASES[case]()
    folder = tmp_path / "encoder"
    texts = [text for text in TEXTS if text or case != "Qwen3, last token"]  # an empty text has no last token there
    if case.startswith("static"):
        texts = [text for text in texts if text]  # nor here
    ours = {role: encode(encoder, texts, role, 256) for role in ("query", "passage")}
    save(encoder, folder)
    theirs = SentenceTransformer(str(folder), device="cpu")
    for role, there in (("query", theirs.encode_query), ("passage", theirs.encode_document)):
        np.testing.assert_allclose(there(texts, batch_size=3), ours[role], atol=1e-5)
        loaded, original = load(folder), ours[role]
        # Merged adapters add up in another order: in double precision only the rounding of the merged weights is left.
        if case == "adapters":
            loaded, original = loaded.double(), encode(encoder.double(), texts, role, 256)
        np.testing.assert_allclose(encode(loaded, texts, role, 256), original, atol=1e-6)
    if case != "one length":
        assert abs(ours["query"] - ours["passage"]).max() > 0.01  # the roles are not mixed up
    expected = np.abs(ours["query"] @ ours["passage"].T)
    np.testing.assert_allclose(
        np.abs(theirs.similarity(ours["query"], ours["passage"]).numpy()), expected, atol=1e-4, rtol=1e-4
    )


def test_prompts_of_tasks(tmp_path: Path) -> None:
    """They are named prompts there, and a query of a task has the vector of `encode(prompt=...)`."""
    prompts = {"mlqa_r": "Which passage? ", "facts": ""}
    encoder = new(query_prompts=prompts, query_length=24, **PREFIXES)
    save(encoder, tmp_path)
    with pytest.raises(
        ValueError, match=r"encoder\.query_prompts\.mlqa_r: it has 17 tokens, and a query is cut to 12, so"
    ):
        pretrained(str(tmp_path), query_length=12)
    with pytest.raises(
        ValueError, match=r"encoder\.query_prompts\.document: in sentence-transformers this is the prompt"
    ):
        pretrained(str(tmp_path), query_prompts={"document": "passage: "})
    theirs = SentenceTransformer(str(tmp_path), device="cpu")
    assert {name: theirs.prompts[name] for name in ("mlqa_r", "facts")} == {"mlqa_r": "Which passage? ", "facts": ""}
    loaded = load(tmp_path)
    assert loaded.settings == encoder.settings
    for task, prompt in {"mlqa_r": "Which passage? ", "facts": "", "another": PREFIXES["query_prefix"]}.items():
        ours = encode(encoder, TEXTS, "query", 256, task=task)
        np.testing.assert_allclose(theirs.encode_query(TEXTS, prompt=prompt), ours, atol=1e-5)
        np.testing.assert_allclose(encode(loaded, TEXTS, "query", 256, task=task), ours, atol=1e-6)
    np.testing.assert_allclose(
        theirs.encode_query(TEXTS, prompt_name="mlqa_r"), encode(encoder, TEXTS, "query", 256, task="mlqa_r"), atol=1e-5
    )
    stored = json.loads((tmp_path / "babelbatch.json").read_text())
    for wrong in (["a"], {"mlqa_r": 3}):
        (tmp_path / "babelbatch.json").write_text(json.dumps(stored | {"query_prompts": wrong}))
        with pytest.raises(ValueError, match=r"query_prompts is .*, not Mapping"):
            load(tmp_path)
    each = encode(encoder, TEXTS[:3], "query", 256, task=["mlqa_r", "facts", "another"])
    alone = [
        encode(encoder, TEXTS[row : row + 1], "query", 256, task=task)[0]
        for row, task in enumerate(("mlqa_r", "facts", None))
    ]
    np.testing.assert_allclose(each, alone, atol=1e-6)
    assert abs(each[0] - encode(encoder, TEXTS[:1], "query", 256)[0]).max() > 0.01
    np.testing.assert_array_equal(
        encode(encoder, TEXTS, "passage", 256, task="mlqa_r"), encode(encoder, TEXTS, "passage", 256)
    )


def test_what_sentence_transformers_cannot_compute(tmp_path: Path) -> None:
    long = ENCODERS.static_with(passage_length=70_000)
    assert why_not_exportable(long) == (
        "a static embedding with special tokens or pooling=mean reads at most 65,536 tokens there, and this encoder "
        "70,000"
    )
    other = new(pooling="pooler")
    other.tower("query").backbone.pooler.activation = nn.ReLU()
    assert why_not_exportable(other) == (
        "the pooler of this architecture is not a dense layer with tanh on the first token"
    )
    save(long, tmp_path)
    assert not (tmp_path / "modules.json").exists()


def test_encode_without_a_role(tmp_path: Path) -> None:
    """Where both roles have one prefix, it is the default prompt; else there is none, and the longer length counts."""
    same = new(query_prefix="text: ", passage_prefix="text: ", query_length=9, passage_length=14)
    save(same, tmp_path / "same")
    there = SentenceTransformer(str(tmp_path / "same"), device="cpu")
    np.testing.assert_allclose(there.encode(TEXTS), encode(same, TEXTS, "passage", 256), atol=1e-5)
    assert there.max_seq_length == 14
    save(new(**PREFIXES), tmp_path / "two")
    assert SentenceTransformer(str(tmp_path / "two"), device="cpu").default_prompt_name is None


def test_saved_again_by_sentence_transformers(tmp_path: Path) -> None:
    """What the library itself writes of our folder is read back, by it and by us."""
    encoder = new(dimensions=5, **PREFIXES, query_length=14, passage_length=14)
    save(encoder, tmp_path / "ours")
    SentenceTransformer(str(tmp_path / "ours"), device="cpu").save(str(tmp_path / "theirs"))
    for role in ("query", "passage"):
        expected = encode(encoder, TEXTS, role, 256)
        np.testing.assert_allclose(encode(pretrained(str(tmp_path / "theirs")), TEXTS, role, 256), expected, atol=1e-6)


def test_the_weights_are_not_pickled(tmp_path: Path) -> None:
    save(ENCODERS.two_towers_with_all(), tmp_path)
    assert not [path for end in ("bin", "pt", "pkl", "ckpt") for path in tmp_path.rglob(f"*.{end}")]
    assert json.loads((tmp_path / "config_sentence_transformers.json").read_text())["prompts"] == {
        "query": "query: ", "document": "passage: ",
    }  # fmt: skip
