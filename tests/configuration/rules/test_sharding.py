"""What cannot be combined with weights that are divided among the ranks is refused, each with its remedy."""

import pytest

from configurations import problems

FSDP = ["trainer=fsdp", "trainer.devices=4"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (FSDP, []),
        ([*FSDP, "trainer.shards=2", "trainer.precision=bf16-mixed", "optimizer.fused=true", "grad_cache=true",
          "data.chunk_tokens=100", "tuning.activation_checkpointing=true", "tuning.freeze_embeddings=true"], []),
        ([*FSDP, "tuning=lora"], []),
        (["trainer=fsdp", "trainer.devices=1"],
         ["trainer.strategy: fsdp divides weights among several devices, and there is one; raise trainer.devices, or "
          "set trainer=default"]),
        ([*FSDP, "trainer.shards=3"], ["trainer.shards: 3 does not divide 4 devices; set a divisor, or leave it out"]),
        ([*FSDP, "trainer.shards=1"], ["trainer.shards: 1 is not at least 2"]),
        (["trainer=ddp", "+trainer.shards=2"],
         ["trainer.shards: only fsdp divides weights; set trainer=fsdp, or leave it out"]),
        ([*FSDP, "trainer.precision=bf16-true"],
         ["trainer.precision: fsdp trains in 32-true or bf16-mixed, not in bf16-true; set one of them"]),
        ([*FSDP, "optimizer._target_=torch.optim.Adafactor"],
         ["optimizer._target_: torch.optim.Adafactor may need whole weights, and fsdp divides them; use one of AdamW, "
          "Adam, SGD, or set trainer=ddp"]),
        ([*FSDP, "tuning.compile=true"],
         ["tuning.compile: fsdp gathers a layer between its operations; set tuning.compile=false, or trainer=ddp"]),
        ([*FSDP, "loss.learn_temperature=true"],
         ["loss.learn_temperature: fsdp trains weights of the encoder only; leave it out, or set trainer=ddp"]),
        ([*FSDP, "loss=mimo", "teacher=some/model"],
         ["loss: mimo trains a projection of its own, and fsdp weights of the encoder only; set trainer=ddp"]),
    ],
)  # fmt: skip
def test_what_is_combined_with_sharded_weights(overrides: list[str], expected: list[str]) -> None:
    assert problems(*overrides) == expected


def test_rounded_weights_are_not_divided() -> None:
    """Nor does this machine have a GPU, or bitsandbytes."""
    found = problems(*FSDP, "tuning=lora", "tuning.four_bit=true", "encoder.dtype=bfloat16")
    assert "tuning.four_bit: fsdp does not divide weights in four bits; leave it out, or set trainer=ddp" in found
    assert "encoder.dtype: fsdp divides weights in float32, not in bfloat16; leave it out, or set trainer=ddp" in found
