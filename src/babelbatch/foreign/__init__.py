"""Results of systems that were measured elsewhere, in the form of a run's: TREC runs, tables of scores, mteb folders.

Start at `results.read_systems`. `declaration` says what a `system.yaml` may hold; `names` reads languages from ids;
`trec`, `score_tables` and `mteb` read one format each, and `ranked_lists` scores lists. What is read is untrusted:
bounded, checked line by line, and no code is run. A new format is a module beside these and an entry in `results`.
"""

from babelbatch.foreign.declaration import SYSTEM_FILE, Declaration, from_argument, from_folder
from babelbatch.foreign.ranked_lists import MOST_HIDDEN
from babelbatch.foreign.results import Aggregate, System, read_systems

__all__ = [
    "MOST_HIDDEN",
    "SYSTEM_FILE",
    "Aggregate",
    "Declaration",
    "System",
    "from_argument",
    "from_folder",
    "read_systems",
]
