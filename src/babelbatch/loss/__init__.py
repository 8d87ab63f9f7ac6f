"""What a training step minimises: the contrastive loss, alone or with a term that draws languages together.

Start at `contrastive.py`. All objectives have one interface (`interface.Objective`), so that batch composition and
objective can be crossed; `matryoshka.py` cuts the vectors that any of them is summed over. A new objective is one more
file with such a class.
"""

from babelbatch.loss.alignment import Alignment
from babelbatch.loss.contrastive import Contrastive
from babelbatch.loss.interface import Encoded, Loss, Objective, PairedVectors
from babelbatch.loss.language_kl import LanguageKL
from babelbatch.loss.mimo import Mimo

__all__ = ["Alignment", "Contrastive", "Encoded", "LanguageKL", "Loss", "Mimo", "Objective", "PairedVectors"]
