"""The panels of the workspace. Metric keys are those of metrics.json, columns those of a run's configuration.

Importing this module needs wandb-workspaces. Nothing here contacts a server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import wandb_workspaces.reports.v2.interface as wr
import wandb_workspaces.workspaces.interface as ws

from babelbatch.evaluation.metrics import TITLES

_SETTINGS = ("monolingual", "crosslingual", "multilingual")
_BIAS = {
    "rank_distance_normalised": "Rank distance as a share of the pool, lower is better",
    "language_preference": "Language preference: share of queries whose best-ranked relevant candidate is in their "
    "language",
    "same_language_lift@10": "Share of the query's language in the top 10, divided by its share of the pool",
    "mrc@10": "MRC@10",
    "peer@100": "PEER@100",
}
_KINDS = ("x_x", "x_y")
_STEP = "trainer/global_step"


def workspace(entity: str, project: str, name: str, benchmarks: Mapping[str, str]) -> ws.Workspace:
    """The workspace: for each benchmark the scores by alpha, trade-offs, language bias and cells; then curves and runs.

    benchmarks: name -> its first metric.
    The same arguments give the same workspace to the byte. Panels have fixed ids, so that a layout that a user changed
    in the app survives an update.
    """
    sections = [section for benchmark in benchmarks.items() for section in _of_benchmark(*benchmark)]
    sections += [
        _curves(),
        ws.Section(name="Runs", panels=[wr.RunComparer(diff_only="split")], layout_settings=_wide()),
    ]
    for section in sections:
        for place, panel in enumerate(section.panels):
            if isinstance(panel, wr.UnknownPanel):  # none of ours
                continue
            panel._id = hashlib.sha256(f"{section.name}/{place}".encode()).hexdigest()[:12]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=sections,
        settings=ws.WorkspaceSettings(x_axis=_STEP, max_runs=100),
        runset_settings=ws.RunsetSettings(pinned_columns=_columns(benchmarks)),
    )


def specification(of: ws.Workspace) -> dict[str, Any]:
    """The JSON that the server receives."""
    spec: dict[str, Any] = json.loads(of._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
    return spec


def updated(earlier: ws.Workspace, ours: ws.Workspace) -> ws.Workspace:
    """`earlier` with our sections first, as they are now. Its other sections, settings and filters do not change."""
    names = {section.name for section in ours.sections}
    earlier.sections = [*ours.sections, *(section for section in earlier.sections if section.name not in names)]
    return earlier


def _of_benchmark(benchmark: str, metric: str) -> list[ws.Section]:
    title = TITLES[metric]
    alpha = [
        _against_alpha(f"{benchmark}/{setting}/{metric}", f"{benchmark}: {setting} {title} by alpha")
        for setting in _SETTINGS
    ]
    bias = [
        _against_alpha(f"{benchmark}/multilingual/{name}", f"{benchmark}: {title}") for name, title in _BIAS.items()
    ]
    return [
        ws.Section(
            name=f"{benchmark}: alpha",
            is_open=True,
            layout_settings=ws.SectionLayoutSettings(columns=2, rows=2),
            panels=[*alpha, _rank_distance(benchmark)],
        ),
        ws.Section(
            name=f"{benchmark}: trade-offs",
            is_open=True,
            layout_settings=_wide(),
            panels=[_parallel(benchmark, metric)],
        ),
        ws.Section(
            name=f"{benchmark}: language bias",
            panels=[
                *bias,
                _pictures(f"{benchmark}/top10_share_by_language", f"{benchmark}: languages of the top 10"),
                wr.WeavePanelSummaryTable(table_name=f"{benchmark}/languages"),
            ],
        ),
        ws.Section(
            name=f"{benchmark}: cells",
            layout_settings=ws.SectionLayoutSettings(columns=2, rows=1),
            panels=[
                _pictures(f"{benchmark}/{metric}_by_language", f"{benchmark}: {title}, query by candidate language"),
                wr.WeavePanelSummaryTable(table_name=f"{benchmark}/cells"),
            ],
        ),
    ]


def _against_alpha(metric: str, title: str, log: bool = False) -> wr.ScatterPlot:
    """A point a run, and their running mean, from alpha 0 (all X-Y) to 1 (all X-X)."""
    return wr.ScatterPlot(
        title=title,
        x=wr.Config("alpha"),
        y=wr.SummaryMetric(metric),
        range_x=(0.0, 1.0),
        log_y=log or None,
        running_ymean=True,
    )


def _rank_distance(benchmark: str) -> wr.ScatterPlot:
    title = f"{benchmark}: rank distance by alpha, lower is better"
    return _against_alpha(f"{benchmark}/multilingual/rank_distance", title, log=True)


def _parallel(benchmark: str, metric: str) -> wr.ParallelCoordinatesPlot:
    def column(of: wr.Config | wr.SummaryMetric, title: str, **scale: bool) -> wr.ParallelCoordinatesPlotColumn:
        return wr.ParallelCoordinatesPlotColumn(metric=of, display_name=title, **scale)

    scores = [
        column(wr.SummaryMetric(f"{benchmark}/{setting}/{metric}"), f"{setting} {TITLES[metric]}")
        for setting in _SETTINGS
    ]
    distance = wr.SummaryMetric(f"{benchmark}/multilingual/rank_distance")
    return wr.ParallelCoordinatesPlot(
        title=f"{benchmark}: trade-offs between measures",
        columns=[
            column(wr.Config("alpha"), "alpha"),
            column(wr.Config("seed"), "seed"),
            column(wr.Config("optimizer.lr"), "learning rate", log=True),
            *scores,
            column(distance, "rank distance (lower is better, axis inverted)", log=True, inverted=True),
        ],
    )


def _pictures(key: str, title: str) -> wr.MediaBrowser:
    return wr.MediaBrowser(title=title, media_keys=[key], mode="gallery", gallery_axis="run", num_columns=2)


def _curves() -> ws.Section:
    by_kind = [f"train/loss/{kind}" for kind in _KINDS]
    validation = ["validation/loss", *(f"validation/loss/{kind}" for kind in _KINDS)]
    masked = [f"train/masked_rate/{kind}" for kind in _KINDS]
    plots = {
        "Training loss by batch kind": by_kind,
        "Training loss": ["train/loss"],
        "Validation loss, all and by batch kind": validation,
        "Queries with a masked version of their passage, by batch kind": masked,
        "Share of X-X batches so far": ["train/alpha"],
        "Gradient norm before clipping": ["train/gradient_norm"],
        "Learning rate": ["train/learning_rate"],
        "Temperature": ["train/temperature"],
        "Tokens a second": ["train/tokens_per_second"],
    }
    return ws.Section(
        name="Learning curves",
        is_open=True,
        panels=[wr.LinePlot(title=title, x=_STEP, y=list(keys)) for title, keys in plots.items()],
        panel_settings=ws.SectionPanelSettings(x_axis=_STEP),
        layout_settings=ws.SectionLayoutSettings(columns=3, rows=3),
    )


def _columns(benchmarks: Mapping[str, str]) -> list[str]:
    """The columns that the list of runs shows first."""
    scores = [
        *(f"summary:{name}/{setting}/{metric}" for name, metric in benchmarks.items() for setting in _SETTINGS),
        *(f"summary:{benchmark}/multilingual/rank_distance" for benchmark in benchmarks),
    ]
    return ["run:displayName", *(f"config:{name}.value" for name in ("strategy", "alpha", "seed")), *scores]


def _wide() -> ws.SectionLayoutSettings:
    return ws.SectionLayoutSettings(columns=1, rows=1)
