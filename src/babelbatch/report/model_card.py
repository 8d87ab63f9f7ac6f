"""The model card of a run: README.md of its encoder, as the Hugging Face hub reads it, from what the run knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCardData

from babelbatch.evaluation.metrics import TITLES
from babelbatch.progress import percent_at_least
from babelbatch.records import primary_language
from babelbatch.report.comparisons import PREFERENCE, SAME_LANGUAGE, Study, study
from babelbatch.report.grouping import grouped
from babelbatch.report.licences import DataSource, data_sources
from babelbatch.report.numbers import MISSING, fixed, general, percent
from babelbatch.report.places import without_html
from babelbatch.report.runs import Run, read_run
from babelbatch.report.tables import column_title
from babelbatch.runs.files import COMMAND_FILE
from babelbatch.storage import write_atomically
from babelbatch.storage.documents import UnreadableDocument, read_json_object

_UNNAMED = "train"  # what babelbatch-train calls runs without name=
CARD_FILE = "README.md"
_RECIPE = {
    "strategy": "sampling strategy", "alpha": "alpha", "alpha_realised": "share of X-X batches", "seed": "seed",
    "steps": "steps", "tokens/encoded": "tokens encoded", "parameters": "parameters",
    "parameters_trained": "parameters trained",
}  # fmt: skip
_OF_THE_PAPER = ("x_x", "x_y", "hybrid")


_USES = ("Trained", "Validated", "Scored", "this run did not train on it")
_USES_OF_RUNS = (
    *(f"One or more of the runs were {use}" for use in ("trained", "validated", "scored")),
    "none of them trained on it",
)
_FOLDER = re.compile(r"(?<==)[/~][^\s'\",\]]*(?=/)")
"""The folder of an absolute path in a command."""
_NUMBER = re.compile(rf"[-−]?[\d,.]+|{MISSING}|")
_BIAS = {
    "same_language_lift@10": "the same, over the language's share of the pool",
    "peer@100": "PEER@100",
    "mrc@10": "rank correlation with translations (MRC@10)",
}


def write_card(run_folder: Path, encoder_folder: Path, note: str = "") -> None:
    """Writes README.md into the folder of an encoder of the finished run.

    note: a sentence on how the encoder differs from the run's. Raises ValueError for a run whose files are damaged.
    """
    run = read_run(run_folder)
    settings = _settings_of(encoder_folder / "babelbatch.json")
    studies = [study(name, grouped([run]), tested=False) for name in run.benchmarks]
    exported = (encoder_folder / "modules.json").is_file()
    parts = [
        f"---\n{metadata(run, exported, scored=not note and _debias(run) is None).to_yaml()}\n---\n",
        f"# {without_html(_title(run))}\n",
        _introduction(run),
        *([f"{note}\n"] if note else []),
        *use_section(settings, exported),
        *_training(run, run_folder),
        *(part for each in studies for part in _scores(run, each)),
        *_provenance(run),
    ]
    write_atomically(encoder_folder / CARD_FILE, "\n".join(parts).rstrip() + "\n")


def _settings_of(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except (UnreadableDocument, OSError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}); save the encoder there again") from None


def _introduction(run: Run) -> str:
    batches = ""
    if run.metrics.get("strategy") in _OF_THE_PAPER:
        batches = " with the batches of [arXiv 2408.10536](https://arxiv.org/abs/2408.10536)"
    return f"An encoder of queries and passages for retrieval, trained by babelbatch{batches}.\n"


def _debias(run: Run) -> str | None:
    """What changed the vectors before they were scored; None if nothing did."""
    method = run.settings.get("evaluation.debias")
    return None if method in (None, "none") else str(method)


def metadata(run: Run, exported: bool, *, scored: bool = True) -> ModelCardData:
    """The block that the hub reads. Without a licence, which the run does not know. exported: whether
    sentence-transformers reads the folder. scored: whether the run's scores are those of the encoder's vectors."""
    name = _title(run)
    base = run.settings.get("encoder.name_or_path")
    of_corpus = run.metrics.get("languages/corpus") or ()
    codes = dict.fromkeys(map(primary_language, run.settings.get("sampling.languages") or of_corpus))
    languages = [code for code in codes if re.fullmatch(r"[a-z]{2,3}", code)]
    results = [
        EvalResult(
            task_type="retrieval",
            dataset_type=benchmark,
            dataset_name=benchmark,
            metric_type=f"{setting}/{metric}",
            metric_name=f"{setting} {TITLES[metric]}",
            metric_value=round(float(run.metrics[key]), 6),
        )
        for benchmark in (run.benchmarks if scored else ())
        for metric in [str(run.metrics.get(f"metric/{benchmark}", "map"))]
        for setting in ("monolingual", "crosslingual", "multilingual")
        if (key := f"{benchmark}/{setting}/{metric}") in run.metrics
    ]
    return ModelCardData(
        model_name=name,
        language=languages or None,
        base_model=base if isinstance(base, str) and is_on_the_hub(base) else None,
        library_name="sentence-transformers" if exported else None,
        pipeline_tag="feature-extraction",
        tags=["babelbatch", "multilingual", "retrieval"],
        eval_results=results or None,
    )


def use_section(settings: Mapping[str, Any], exported: bool) -> list[str]:
    """Five lines for each library, and what turns a text into a vector."""
    theirs = (
        "from sentence_transformers import SentenceTransformer", "",
        'model = SentenceTransformer("this folder")',
        'passages = model.encode_document(["Lima is the capital of Peru."])',
        'queries = model.encode_query(["Was ist die Hauptstadt von Peru?"])',
        "print(model.similarity(queries, passages))",
    )  # fmt: skip
    ours = (
        "from babelbatch import load", "",
        'model = load("this folder")',
        'passages = model.encode_passages(["Lima is the capital of Peru."])',
        'queries = model.encode_queries(["Was ist die Hauptstadt von Peru?"])',
        "print(queries @ passages.T)",
    )  # fmt: skip
    rows = [
        (
            role,
            _prompt(settings[f"{role}_prefix"]),
            f"{settings[f'{role}_length']:,} tokens",
        )
        for role in ("query", "passage")
    ]
    rows += [
        (f"query of {task}", _prompt(prompt), rows[0][2]) for task, prompt in settings.get("query_prompts", {}).items()
    ]
    scaled = "scaled to unit length" if settings["normalise"] else "not scaled"
    return [
        "## How to use it\n",
        *(code_block("python", theirs) if exported else []),
        *code_block("python", ours),
        *([] if exported else ["sentence-transformers cannot compute the vectors of this encoder.\n"]),
        table(("text", "prompt", "cut to"), rows),
        f"Pooling: {settings['pooling']}. Vectors are {scaled}.\n",
    ]


def _training(run: Run, folder: Path) -> list[str]:
    recipe = [(title, _shown(run.metrics[key])) for key, title in _RECIPE.items() if run.metrics.get(key) is not None]
    if run.settings.get("sampling.schedule", "constant") != "constant":
        recipe = [("alpha (mean of the schedule)" if title == "alpha" else title, value) for title, value in recipe]
    if (best := run.metrics.get("evaluated_step")) not in (None, run.metrics.get("steps")):
        recipe.append(("weights of step", _shown(best)))
    command = folder / COMMAND_FILE
    return [
        "## Training\n",
        table(("setting", "value"), recipe),
        *(
            code_block("bash", [_FOLDER.sub("...", command.read_text(encoding="utf-8").strip())])
            if command.is_file()
            else []
        ),
        "<details><summary>Configuration</summary>\n",
        *code_block("yaml", [yaml.safe_dump(without_folders(run.settings), allow_unicode=True, width=110).strip()]),
        "</details>\n",
        *data_section(data_sources(run.settings)),
    ]


def data_section(sources: Sequence[DataSource], several: bool = False) -> list[str]:
    """The data with their licences, and a sentence for each that limits the use of the model. several: whether the
    model is an average of runs, each of which used some of the data."""
    trained, validated, scored, not_trained = _USES_OF_RUNS if several else _USES
    limited = [each for each in sources if each.limits and not each.key.startswith(("benchmarks.", "validation"))]
    return [
        "## Data and licences\n",
        table(
            ("setting", "data", "licence", "limits"),
            [(each.key, each.name, each.licence, each.limits) for each in sources],
        ),
        *(f"{trained} on {each.name}, which is {each.limits}.\n" for each in limited),
        *(
            f"{use} on {each.name}, which is {each.limits}; {not_trained}.\n"
            for use, start in ((validated, "validation"), (scored, "benchmarks."))
            for each in sources
            if each.limits and each.key.startswith(start) and each.name not in {one.name for one in limited}
        ),
    ]


def _scores(run: Run, of: Study) -> list[str]:
    (group,) = of.groups
    estimates = [(column_title(measure), of.estimates[group.label, measure], measure) for measure in of.measures]
    scores = [
        (title, measure.shown(found.value), measure.interval(found.low, found.high))
        for title, found, measure in estimates
    ]
    bias = [
        (measure.name, measure.shown(found.value), measure.interval(found.low, found.high))
        for measure in (PREFERENCE, SAME_LANGUAGE)
        if (found := of.estimates.get((group.label, measure))) is not None
    ]
    for metric, title in _BIAS.items():
        if (value := run.metrics.get(f"{of.benchmark}/multilingual/{metric}")) is not None:
            bias.append((title, fixed(value, 3), ""))
    over = f"{percent(of.level)} interval, clustered by {of.clusters.unit}"
    return [
        f"## Scores on {of.benchmark}\n",
        f"{run.metrics.get(f'protocol/{of.benchmark}', '')}. One run: the intervals say nothing about other seeds.\n",
        *(f"{each}\n" for each in _how_scored(run, of.benchmark)),
        table(("metric", "score", over), scores),
        *(
            ["Language bias over the pool of all languages:\n", table(("measure", "value", "interval"), bias)]
            if bias
            else []
        ),
        f"{of.metric_title} of each query language (rows) and candidate language (columns):\n",
        _map(run, of),
    ]


def _how_scored(run: Run, benchmark: str) -> Iterator[str]:
    """Where the scores are not those of an exact ranking of the encoder's vectors."""
    if (method := _debias(run)) is not None:
        yield (
            f"The vectors were changed before they were scored (`evaluation.debias={method}`, computed from the "
            "candidates of the benchmark). The code above gives them unchanged, with other scores."
        )
    index = run.metrics.get(f"search/{benchmark}")
    recalls = [share for key, share in run.metrics.items() if key.startswith(f"search_recall/{benchmark}/")]
    if index is not None and recalls:
        least = percent_at_least(min(recalls), 1)
        yield f"Searched with {index}, which finds {least} of the exact first hundred, or more, in each pool."


def _map(run: Run, of: Study) -> str:
    """The L x L map as a table."""

    def cell(query: str, candidate: str) -> str:
        inner = (
            f"monolingual/{of.metric}/{query}"
            if query == candidate
            else f"crosslingual/{of.metric}/{query}-{candidate}"
        )
        value = run.metrics.get(f"{of.benchmark}/{inner}")
        return MISSING if value is None else fixed(value, 3)

    rows = [(query, *(cell(query, candidate) for candidate in of.languages)) for query in of.languages]
    return table(("", *of.languages), rows)


def _provenance(run: Run) -> list[str]:
    prefixes = ("versions/", "fingerprint/")
    facts = [("commit", run.metrics.get("commit"))]
    facts += [(key, value) for key, value in run.metrics.items() if key.startswith(prefixes)]
    rows = [
        (key, f"`{short_digest(value) if key.startswith('fingerprint/') else value}`")
        for key, value in facts
        if value is not None
    ]
    return ["## Provenance\n", table(("fact", "value"), rows)]


def without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the last part only of each absolute path: a card is published, the machine is not."""
    return {
        key: f".../{Path(value).name}" if isinstance(value, str) and value.startswith(("/", "~")) else value
        for key, value in settings.items()
    }


def short_digest(digest: object) -> str:
    """Its first 16 digits: enough to tell any two apart, and a table fits a page."""
    return str(digest)[:16]


def _title(run: Run) -> str:
    """The name of a run, which the runs of a sweep share, and that of its folder."""
    name, folder = str(run.metrics.get("name", run.folder.name)), run.folder.resolve().name
    return folder if name in (folder, _UNNAMED) else f"{name} {folder}"


def _prompt(prompt: str) -> str:
    return f"`{json.dumps(prompt, ensure_ascii=False)}`" if prompt else "none"


def is_on_the_hub(name: str) -> bool:
    """Whether a model's name can be one of the hub: `name` or `owner/name`, and no folder here."""
    return bool(re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name)) and not Path(name).exists()


def _shown(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return general(value) if isinstance(value, float) else str(value)


def code_block(language: str, lines: Iterable[str]) -> list[str]:
    """Lines of code, fenced."""
    return [f"```{language}", *lines, "```\n"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of GitHub's Markdown. Columns of numbers are aligned to the right."""
    content = [tuple(row) for row in rows]
    columns = zip(*content, strict=True) if content else ([()] * len(head))
    rule = ["---:" if all(map(_NUMBER.fullmatch, column)) and any(column) else "---" for column in columns]
    lines = [head, rule, *content]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"
