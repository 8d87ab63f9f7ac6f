"""Which languages and which items a step holds (arXiv 2408.10536, section 2.2).

`Sampling` holds the settings of a strategy, a `Sampler` plans its steps on a corpus: pure functions of (seed, step).
"""

from babelbatch.sampling.alpha import course as course
from babelbatch.sampling.sampler import Sampler as Sampler
from babelbatch.sampling.sampler import largest_batch as largest_batch
from babelbatch.sampling.settings import Sampling as Sampling
