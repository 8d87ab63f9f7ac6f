"""What a training step minimises: the contrastive loss, alone or beside a term that draws languages together.

All objectives have one interface, `Objective`, so that batch composition and objective can be crossed.
"""

from babelbatch.loss.alignment import Alignment as Alignment
from babelbatch.loss.contrastive import Contrastive as Contrastive
from babelbatch.loss.contrastive import contrastive_loss as contrastive_loss
from babelbatch.loss.interface import Counterparts as Counterparts
from babelbatch.loss.interface import Encoded as Encoded
from babelbatch.loss.interface import Loss as Loss
from babelbatch.loss.interface import Objective as Objective
from babelbatch.loss.language_kl import LanguageKL as LanguageKL
from babelbatch.loss.mimo import Mimo as Mimo
