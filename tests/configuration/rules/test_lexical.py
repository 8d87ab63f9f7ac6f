"""What a lexical encoder can do, and what only a dense one can."""

import pytest

from babelbatch.configuration.rules import devices
from configurations import problems


@pytest.mark.parametrize("option", ["bm25", "char_ngrams"])
def test_what_a_lexical_encoder_cannot_do(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_no_gpu", lambda: False)
    name = {"bm25": "BM25", "char_ngrams": "CharNgrams"}[option]
    asked = [
        "checkpoint=.", "evaluation=search", "evaluation.vector_cache=true", "evaluation.token_budget=9",
        "evaluation.precision=bfloat16", "device=cuda",
    ]  # fmt: skip
    assert problems(f"encoder={option}", *asked, root="evaluate") == [
        f"checkpoint: {name} is evaluated without one; leave out either checkpoint or encoder",
        f"evaluation.index: {name} ranks all candidates; set evaluation=default",
        f"evaluation.token_budget: {name} has no forward pass; leave it out",
        f"evaluation.precision: {name} has no forward pass; leave it out",
        f"evaluation.vector_cache: {name} has no forward pass; leave it out",
        f"device: {name} is computed on the CPU; leave it out",
    ]
    assert problems(f"encoder={option}", "evaluation.debias=centre", root="evaluate") == [
        f"evaluation.debias: {name} has no dense vectors to take a language from; leave it out"
    ]
    assert problems(f"encoder={option}", "evaluation.dimensions=[8]", root="evaluate") == [
        f"evaluation.dimensions: {name} has no dense vectors to cut; leave it out"
    ]
    remedy = "choose another, and see how good it is with babelbatch-evaluate"
    assert problems(f"encoder={option}") == [f"encoder: {name} is not trained; {remedy}"]
    assert problems(f"encoder={option}", "corpus=world_facts", root="mine") == [
        f"encoder: {name} has no vectors to search; {remedy}"
    ]
    assert problems(f"encoder={option}", "evaluation.trec_files=true", "device=cpu", root="evaluate") == []


def test_options_of_the_lexical_encoders() -> None:
    assert problems("encoder=bm25", "encoder.b=1.2", "encoder.k1=-1", "encoder.stem=some", root="evaluate") == [
        "encoder.stem: 'some' is not bool",
        "encoder.k1: -1 is not at least 0",
        "encoder.b: 1.2 is not between 0 and 1",
    ]
    assert problems("encoder=char_ngrams", "encoder.least=0", root="evaluate") == ["encoder.least: 0 is not at least 1"]
