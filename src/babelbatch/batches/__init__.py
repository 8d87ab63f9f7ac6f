"""From a planned step to a tokenised batch.

Start at `data_module.PairData`, which Lightning asks for batches; `streams` joins a sampler and a builder to a stream;
`builder.BatchBuilder` turns one plan into token ids. Code switching, translations and mined hard negatives have a file
each; a new transformation of texts is one more.
"""

from babelbatch.batches.code_switching import CodeSwitching
from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.negatives import Mined, concatenated, read_negatives, write_negatives

__all__ = [
    "CodeSwitching",
    "Mined",
    "PairData",
    "TrainingInputs",
    "concatenated",
    "read_negatives",
    "write_negatives",
]
