"""What a reader must know before believing a report: seeds, settings, weights, clusters, runs that were left out."""

from __future__ import annotations

from collections.abc import Sequence

from babelbatch.report.comparisons import Study
from babelbatch.report.enumeration import listed, some
from babelbatch.report.grouping import Group
from babelbatch.report.run_scores import DEFAULT_UNIT
from babelbatch.report.runs import FoundRuns, custom_metrics
from babelbatch.report.scored_weights import chosen_on_benchmarks, monitors_of, steps_of
from babelbatch.report.unnamed_settings import note_on_settings
from babelbatch.runs.files import EVALUATED_STEP
from babelbatch.statistics import Comparison, smallest_p_value


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
    if two := [group.label for group in trained if len(group.runs) == 2]:
        of_some = "" if len(two) == len(trained) else f" of {some(two)}"
        notes.append(
            f"Two seeds{of_some} say little about how much training varies: intervals are wide. Run at least three."
        )
    if any(group.strategy == "merged" for group in study.groups):
        notes.append(
            "Merged is the average of the weights of finished runs, a rival of hybrid batches: one encoder that costs "
            "as much to train as all of these runs together."
        )
    notes += note_on_settings(study.groups)
    notes += chosen_on_benchmarks([run for group in study.groups for run in group.runs])
    notes += _best_weights(study.groups)
    notes += map(_sample, studies)
    notes += [note for each in studies for note in (*_too_few_clusters(each), *_left_out_metrics(each))]
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
    """Which scores are of an earlier step than the last."""
    named: dict[str, list[str]] = {}
    for group in groups:
        runs = [(run.metrics.get(EVALUATED_STEP), steps_of(run)) for run in group.runs]
        earlier = [(step, last) for step, last in runs if step is not None and last is not None and step < last]
        if earlier:
            scored, trained = (_range(numbers) for numbers in zip(*earlier, strict=True))
            of_runs = "" if len(earlier) == len(runs) else f" in {len(earlier)} of {len(runs)} runs"
            by = listed(sorted({monitor for run in group.runs for monitor in monitors_of(run)}))
            named.setdefault(by or "score", []).append(f"{group.label} (step {scored} of {trained}{of_runs})")
    return [
        f"The scores of {some(of_groups)} are of the weights with the best {monitor}, not of the last. Alpha and its "
        "schedule are those planned for the whole run; the costs are of all steps that were trained."
        for monitor, of_groups in named.items()
    ]


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _too_few_clusters(study: Study) -> list[str]:
    """Says if no difference can be significant, because the queries come from so few clusters."""
    smallest = smallest_p_value(study.clusters.count)
    planned = sum(isinstance(each.test, Comparison) for each in study.planned)
    families = [(planned, "planned comparisons for a difference"), (len(study.pairs), "exploratory comparisons")]
    without = [f"{count} {name}" for count, name in families if count and smallest * count >= 1 - study.level]
    if not without:
        return []
    unit = study.clusters.unit
    return [
        f"{study.benchmark}: {study.clusters.count:,} {'queries' if unit == DEFAULT_UNIT else f'{unit}s'} are too few: "
        f"no p-value is below {smallest:.2g}, so that after Holm's correction none of {listed(without)} can be "
        "significant, however large the difference."
    ]


def _left_out_metrics(study: Study) -> list[str]:
    """The user's own metrics that some groups lack, and that no group is therefore compared by."""
    groups = [group for group in study.groups if not group.foreign]
    of_group = {group.label: [custom_metrics(run.metrics) for run in group.runs] for group in groups}
    shown = {measure.metric for measure in study.measures}
    names = dict.fromkeys(name for of_runs in of_group.values() for own in of_runs for name in own if name not in shown)
    return [
        f"{study.benchmark}: {name} is left out, because some runs of "
        f"{some([label for label, of_runs in of_group.items() if any(name not in own for own in of_runs)])} lack it."
        for name in names
        if any(name not in own for of_runs in of_group.values() for own in of_runs)
    ]


def _sample(study: Study) -> str:
    """How many queries there are, and in how many independent clusters."""
    clusters = study.clusters
    queries = f"{study.benchmark}: {clusters.queries:,} queries"
    if clusters.contradicted:
        return (
            f"{queries}, taken as independent: the runs record different articles, passages or subjects for them, as "
            "versions of the data may. Evaluate them again on one version to have these clustered."
        )
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
