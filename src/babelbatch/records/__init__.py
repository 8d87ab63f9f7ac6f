"""The records that pass between wings: training data, evaluation data, and what one step holds.

Start at `corpus.py` and `benchmark.py`: they are the contract for a loader of your own. Both check themselves when they
are built (`checks.py`) and raise `RecordError`, which names the field. `batch.py` holds the plan of a step and its
tokenised batch. Frozen, typed, no imports from the rest of the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from babelbatch.records.languages import (
    LanguageCodes,
    canonical_language,
    english_name,
    find_language,
    is_registered,
    names_one_twice,
    primary_language,
    same_language,
    script_name,
    script_of,
)
from babelbatch.records.names import problem_of_name
from babelbatch.records.skipped_rows import SkippedRows
from babelbatch.records.text_identity import escaped, same_id, same_text

if TYPE_CHECKING:
    from babelbatch.records.batch import Batch, BatchRequirements, Padded, PairedTexts, Plan, TeacherBatch, Workload
    from babelbatch.records.benchmark import Benchmark, MissingRelevant
    from babelbatch.records.checks import RecordError
    from babelbatch.records.corpus import ABSENT, Corpus, Mixture

__all__ = [
    "ABSENT",
    "Batch",
    "BatchRequirements",
    "Benchmark",
    "Corpus",
    "LanguageCodes",
    "MissingRelevant",
    "Mixture",
    "Padded",
    "PairedTexts",
    "Plan",
    "RecordError",
    "SkippedRows",
    "TeacherBatch",
    "Workload",
    "canonical_language",
    "english_name",
    "escaped",
    "find_language",
    "is_registered",
    "names_one_twice",
    "primary_language",
    "problem_of_name",
    "same_id",
    "same_language",
    "same_text",
    "script_name",
    "script_of",
]

_WITH_NUMPY = {
    "batch": ("Batch", "BatchRequirements", "Padded", "PairedTexts", "Plan", "TeacherBatch", "Workload"),
    "benchmark": ("Benchmark", "MissingRelevant"),
    "checks": ("RecordError",),
    "corpus": ("ABSENT", "Corpus", "Mixture"),
}


def __getattr__(name: str) -> object:
    """Imports what needs numpy when it is first used: a command checks its configuration without it."""
    for module, names in _WITH_NUMPY.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
