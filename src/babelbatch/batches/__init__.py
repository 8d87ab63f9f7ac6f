"""From a planned step to a tokenised batch.

Start at `data_module.PairData`, which Lightning asks for batches; `builder.BatchBuilder` turns one plan into token
ids. What changes the texts or the negatives of a batch (code switching, translations, mined hard negatives) has a file
of its own here; a new transformation of texts is one more.
"""

from babelbatch.batches.data_module import PairData
from babelbatch.batches.negatives import Mined, concatenated, read_negatives, write_negatives

__all__ = ["Mined", "PairData", "concatenated", "read_negatives", "write_negatives"]
