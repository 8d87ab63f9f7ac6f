"""What a reader must know before believing a report: seeds, weights, clusters, runs that were left out."""

from __future__ import annotations

from collections.abc import Sequence

from babelbatch.report.comparisons import Study
from babelbatch.report.enumeration import NAMED, listed
from babelbatch.report.grouping import Group
from babelbatch.report.run_scores import DEFAULT_UNIT
from babelbatch.report.runs import FoundRuns


def caveats(studies: Sequence[Study], found: FoundRuns) -> list[str]:
    """What a reader must know before believing the rest. What it takes to know more comes first."""
    notes, study = [], studies[0]
    trained = [group for group in study.groups if not group.fixed]
    single = [group.label for group in trained if len(group.runs) == 1]
    if not trained:
        notes.append("No system here was trained with a seed: intervals and tests are over queries only.")
    elif len(single) == len(trained):
        notes.append(
            "One run of each strategy. Run at least three seeds (seed=0,1,2) to compare strategies: other seeds can "
            "order them otherwise. Until then this page compares runs, and its intervals and tests are over queries "
            "only."
        )
    elif single:
        notes.append(
            f"One run only: {listed(single)}. A single run does not show how much its training varies, so "
            f"{'it is' if len(single) == 1 else 'they are'} not tested against strategies of several runs; "
            f"{'its interval is' if len(single) == 1 else 'their intervals are'} over queries only. Run more seeds."
        )
    elif min(len(group.runs) for group in trained) == 2:
        notes.append("Two seeds say little about how much training varies: intervals are wide. Run at least three.")
    if any(group.strategy == "merged" for group in study.groups):
        notes.append(
            "Merged is the average of the weights of finished runs, a rival of hybrid batches: one encoder that costs "
            "as much to train as all of these runs together."
        )
    notes += _best_weights(study.groups)
    notes += map(_sample, studies)
    notes += found.notes
    if found.not_selected:
        count = found.not_selected
        notes.append(
            f"{count} {'run was' if count == 1 else 'runs were'} tried and not selected on validation, and "
            f"{'is' if count == 1 else 'are'} left out of every comparison."
        )
    if found.unfinished:
        count = len(found.unfinished)
        names = ", ".join(path.name for path in found.unfinished[:5]) + (", ..." if count > 5 else "")
        notes.append(f"{count} unfinished {'run is' if count == 1 else 'runs are'} left out: {names}.")
    if found.repeated:
        count = len(found.repeated)
        notes.append(f"{count} {'run is' if count == 1 else 'runs are'} there twice and counted once.")
    return notes


def _best_weights(groups: Sequence[Group]) -> list[str]:
    """Which scores are of an earlier step than the last, while alpha, the schedule and the costs count all steps."""
    named = []
    for group in groups:
        runs = [(run.metrics.get("evaluated_step"), run.metrics.get("steps")) for run in group.runs]
        earlier = [(step, last) for step, last in runs if step is not None and last is not None and step < last]
        if earlier:
            scored, trained = (_range(numbers) for numbers in zip(*earlier, strict=True))
            some_runs = "" if len(earlier) == len(runs) else f" in {len(earlier)} of {len(runs)} runs"
            named.append(f"{group.label}: step {scored} of {trained}{some_runs}")
    if not named:
        return []
    more = f"; {len(named) - NAMED} more" if len(named) > NAMED else ""
    return [
        "Scores are of the best weights on validation, which are not always the last "
        f"({'; '.join(named[:NAMED])}{more}). Alpha, the schedule and the costs are of all steps."
    ]


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _sample(study: Study) -> str:
    """How many queries there are, and in how many independent clusters."""
    clusters = study.clusters
    queries = f"{study.benchmark}: {clusters.queries:,} queries"
    if not clusters.recorded:
        return (
            f"{queries}, taken as independent: some runs do not record which queries are about one article, passage or "
            "subject. Evaluate them again to have these clustered."
        )
    if clusters.unit == DEFAULT_UNIT:
        return f"{queries}, taken as independent; the versions of a query in several languages are one observation."
    unit = clusters.unit if clusters.count == 1 else f"{clusters.unit}s"
    return (
        f"{queries} in {clusters.count:,} {unit}; the queries of one {clusters.unit}, in all languages, are one "
        "observation."
    )
