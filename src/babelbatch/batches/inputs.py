"""What a run supplies to its batches, beside the settings of `data` in the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from babelbatch.batches.code_switching import CodeSwitching
from babelbatch.batches.negatives import Mined
from babelbatch.encoder import Encoder
from babelbatch.records import BatchRequirements, Corpus
from babelbatch.sampling import Availability, Sampling


@dataclass(frozen=True)
class TrainingInputs:
    """The data, encoders and length of one run.

    encoder: for its tokenizer, prefixes and lengths.
    steps: number of training batches; with max_tokens, the most that are allowed, None for any number.
    max_tokens: the training ends with the optimiser step at which the trained encoder has encoded so many tokens, see
        `token_budget.steps_for_tokens`. batches_per_step: batches of an optimiser step.
    mined: hard negatives for the training items, beside the corpus's own.
    validation: a separate corpus for the validation loss; then nothing of `corpus` is held out.
    requirements, teacher: of the objective. transform: changes the training texts only; the texts of the validation
        loss and of the teacher stay unchanged.
    stuck_minutes: how long to wait for a data worker.
    availability: `Availability(corpus)` if at hand, which takes most of the time of a start.
    """

    corpus: Corpus
    sampling: Sampling
    encoder: Encoder
    seed: int
    steps: int | None
    mined: Mined | None = None
    validation: Corpus | None = None
    requirements: BatchRequirements = field(default_factory=BatchRequirements)
    teacher: Encoder | None = None
    transform: CodeSwitching | None = None
    max_tokens: int | None = None
    batches_per_step: int = 1
    stuck_minutes: float = 10.0
    availability: Availability | None = None
