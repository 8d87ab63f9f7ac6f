"""Which weights of a run were scored: of which step, and by what they were chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from babelbatch.report.enumeration import some
from babelbatch.report.runs import Run
from babelbatch.runs.files import STEPS_OF_RUN, TRAINED


def steps_of(run: Run) -> int | None:
    """The steps of the training, also of a run that was evaluated again."""
    steps: int | None = run.metrics.get(STEPS_OF_RUN, run.metrics.get("steps"))
    return steps


def monitors_of(run: Run) -> list[str]:
    """What callbacks chose the weights, or the end of training, by: `validation/loss`, for instance."""
    return sorted({
        str(value)
        for path, value in run.settings.items()
        if path.startswith("callbacks.") and path.endswith(".monitor") and value is not None
    })  # fmt: skip


def monitored_benchmarks(run: Run) -> list[str]:
    """Those monitors that are scores on a benchmark of the run."""
    return [monitor for monitor in monitors_of(run) if monitor.partition("/")[0] in run.benchmarks]


def chosen_on_benchmarks(runs: Sequence[Run]) -> list[str]:
    """A note for runs whose weights were chosen by a score that they are then judged by."""
    found: dict[str, list[str]] = {}
    for run in runs:
        for monitor in monitored_benchmarks(run):
            found.setdefault(monitor, []).append(run.folder.name)
    return [
        f"The weights of {len(folders)} of {len(runs)} runs were chosen by {monitor}, a score of the benchmark itself, "
        f"so their scores on {monitor.partition('/')[0]} are too good ({some(folders)}). Choose them on validation "
        "(monitor=validation/loss)."
        for monitor, folders in found.items()
    ]


def judged(candidates: Iterable[Run]) -> str:
    """The end of what is said of a selection on validation: whether benchmarks had a part in it, and whether the
    validation scores are of the vectors that the benchmarks' are of."""
    candidates = list(candidates)
    told = "no candidate was judged by its score on a benchmark."
    if any(monitored_benchmarks(run) for run in candidates):
        told = "but weights of some candidates were chosen by a score on a benchmark, while they were trained."
    if any(_is_debiased_afterwards(run) for run in candidates):
        told += " Validation scores are those of the trained runs, without the evaluation.debias of their evaluations."
    return told


def _is_debiased_afterwards(run: Run) -> bool:
    evaluated = any(key.startswith(TRAINED) for key in run.metrics)
    return evaluated and run.settings.get("evaluation.debias", "none") != "none"
