"""An encoder that is saved and loaded again before it is trained: the same vectors, or a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from babelbatch.encoder import Encoder, check_saved, static, tiny
from babelbatch.encoder import round_trip as module

TEXTS = ["red green blue", "green", "blue and grey and white", "grün und blau"]


def new(**settings: object) -> Encoder:
    torch.manual_seed(0)
    return tiny(TEXTS, vocab_size=80, hidden_size=16, layers=1, heads=2, **settings)


@pytest.mark.parametrize(
    "encoder",
    [new(), new(shared=False, dimensions=5), static(TEXTS, vocab_size=80)],
    ids=["one tower", "two towers with projections", "static"],
)
def test_what_is_good_passes_and_changes_nothing(encoder: Encoder, tmp_path: Path) -> None:
    before, weights = torch.get_rng_state(), {name: part.clone() for name, part in encoder.state_dict().items()}
    check_saved(encoder, "it", tmp_path / "untrained")
    assert torch.equal(torch.get_rng_state(), before)
    assert encoder.training
    assert not list(tmp_path.iterdir())
    assert all(torch.equal(part, weights[name]) for name, part in encoder.state_dict().items())


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "untrained").mkdir()
    (tmp_path / "untrained" / "config.json").write_text("{")
    check_saved(new(), "it", tmp_path / "untrained")
    assert not list(tmp_path.iterdir())


def test_a_backbone_with_numbers_that_are_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = new()
    backbone = encoder.tower("query").backbone
    forward = backbone.forward

    def with_a_constant(input_ids: Tensor, attention_mask: Tensor) -> object:
        output = forward(input_ids=input_ids, attention_mask=attention_mask)
        output.last_hidden_state[..., 0] += 5
        return output

    monkeypatch.setattr(backbone, "forward", with_a_constant)
    with pytest.raises(ValueError, match="saved and loaded") as caught:
        check_saved(encoder, "it", tmp_path / "untrained")
    line = str(caught.value)
    assert line.startswith(
        "encoder.name_or_path: it, saved and loaded again, gives a query another vector (they differ by "
    )
    assert line.endswith(
        " of its length), so the trained model could not be used; its code computes with numbers that its files do not "
        "store: use another model"
    )
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_whose_files_lack_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = new()
    load = module.load_pretrained

    def without_special_tokens(name: str, **options: object) -> Encoder:
        saved = load(name, **options)
        assert isinstance(saved.tokenizer, PreTrainedTokenizerFast)
        call = type(saved.tokenizer).__call__
        monkeypatch.setattr(
            type(saved.tokenizer),
            "__call__",
            lambda tokenizer, *texts, **more: call(
                tokenizer, *texts, **more | {"add_special_tokens": tokenizer is not saved.tokenizer}
            ),
        )
        return saved

    monkeypatch.setattr(module, "load_pretrained", without_special_tokens)
    with pytest.raises(ValueError, match="tokenizer") as caught:
        check_saved(encoder, "it", tmp_path / "untrained")
    ids = encoder.tokenizer("Is it?")["input_ids"]
    tokens = encoder.tokenizer.convert_ids_to_tokens(ids)
    assert str(caught.value) == (
        "encoder.name_or_path: the tokenizer of it, saved and loaded again, reads a query differently "
        f"({' '.join(tokens[1:-1])} instead of {' '.join(tokens)}), so the trained model could not be used; save it "
        "with AutoTokenizer in this version of transformers, and name that folder"
    )
