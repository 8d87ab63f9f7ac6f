"""Which languages and which items a step holds (arXiv 2408.10536, section 2.2).

`Sampling` holds the settings of a strategy; a `Sampler` plans its steps on a corpus. Plans are pure functions of
(seed, step), made by a counter-based generator (`randomness`). A new strategy is a set of `Sampling`'s settings, see
`conf/sampling/`, or a subclass whose `sampler` plans steps in its own way.
"""

from babelbatch.sampling.alpha import describe_alpha
from babelbatch.sampling.fitting import refuse_unfit_corpus, refuse_unfit_validation
from babelbatch.sampling.pools import Availability
from babelbatch.sampling.randomness import random_below
from babelbatch.sampling.sampler import Sampler
from babelbatch.sampling.settings import Sampling
from babelbatch.sampling.validation_sampler import validation_sampler
from babelbatch.sampling.validation_split import HeldOutPassages, held_out

__all__ = [
    "Availability",
    "HeldOutPassages",
    "Sampler",
    "Sampling",
    "describe_alpha",
    "held_out",
    "random_below",
    "refuse_unfit_corpus",
    "refuse_unfit_validation",
    "validation_sampler",
]
