"""The command babelbatch-data: describes a corpus and benchmarks, and reports problems with them."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from errno import EISDIR
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from babelbatch.benchmarks.leakage import overlaps, refuse_leaking_validation, used_queries
from babelbatch.commands.data import build_benchmarks, build_corpus
from babelbatch.configuration.check import check
from babelbatch.configuration.home import put_home
from babelbatch.configuration.schema import ConfigError, register
from babelbatch.configuration.shipped import CONF
from babelbatch.configuration.signatures import parameters
from babelbatch.corpora import with_language_fraction
from babelbatch.describe.batches import Draws, batch_problems, unchecked
from babelbatch.describe.facts import benchmark_facts, corpus_facts
from babelbatch.describe.findings import notes, problems
from babelbatch.describe.tables import blocks, show, to_markdown
from babelbatch.jobs.fetching import check_needs
from babelbatch.jobs.overrides import force_overrides, search_path
from babelbatch.jobs.plan import check_jobs
from babelbatch.jobs.plugins import refuse_broken_plugins
from babelbatch.storage import write_atomically

_USER_ERROR, _INTERRUPTED = 2, 130
PAIRS = "babelbatch.batches.data_module.PairData"  # whose validation items are not trained on
_OWN_KEYS = {"near", "sample", "json", "markdown"}  # which babelbatch-train does not have
_EPILOG = """settings, as of babelbatch-train:
  experiment=<name>                corpus and benchmarks of an experiment; all its settings can be changed
  corpus=<{corpora}>, corpus.<key>=
  benchmarks=[<{benchmarks}>], benchmarks.<name>.<key>=
  sampling=<name>, sampling.<key>= the batches that the corpus must fill
  encoder=<name>, encoder.<key>=   count tokens, and how many texts are truncated
  sample=2000                      tokenise so many texts of each language
  near=false                       do not look for near duplicates of evaluation queries
  json=<file>, markdown=<file>     write tables, problems and notes
"""


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0, or 2 if there is a problem with the data or with the command."""
    options = {
        group: "|".join(sorted(path.stem for path in (CONF / group).glob("*.yaml")))
        for group in ("corpus", "benchmarks")
    }
    parser = argparse.ArgumentParser(
        "babelbatch-data",
        description="Describes a corpus and benchmarks before a run: languages, pairs, cells, lengths, duplicates, and "
        "evaluation queries that are in the corpus. Exit code 2 if there is a problem.",
        epilog=_EPILOG.format(corpora=options["corpus"], benchmarks=options["benchmarks"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--config-dir", "-cd", help="a folder with options of your own, corpus/mine.yaml and so on")
    parsed = parser.parse_args(arguments)
    register()
    try:
        refuse_broken_plugins()
        return _describe(*_compose(parsed.overrides, parsed.config_dir), Console())
    except ConfigError as error:
        return _user_error(str(error))
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):
            return _user_error(str(error.__cause__))
        raise
    except KeyboardInterrupt:
        return _INTERRUPTED


def _compose(typed: list[str], config_dir: str | None) -> tuple[DictConfig, Draws, DictConfig | None]:
    """The checked configuration of the command, what a run would draw from the corpus, and its validation corpus if it
    has one of its own. Raises ConfigError.

    With an experiment, corpus, benchmarks and sampling are those of its training run, and all settings of
    babelbatch-train are accepted.
    """
    overrides, search = force_overrides(typed), search_path(config_dir)
    roots = [re.split(r"[.=@]", override.lstrip("+~"))[0] for override in overrides]
    held_out = parameters(PAIRS)["validation_fraction"].value
    if "experiment" not in roots:
        check_jobs("describe", overrides, multirun=False, config_dir=config_dir)
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("describe", [*search, *overrides])
        put_home(cfg)
        check_needs([cfg])
        of_strategy = [each for each in overrides if re.match(r"[+~]*sampling[.=@]", each)]
        chosen = any("sampling.batch_size=" not in each for each in of_strategy)
        return cfg, Draws(instantiate(cfg.sampling, _convert_="all"), chosen, held_out), None
    training = [override for override, root in zip(overrides, roots, strict=True) if root not in _OWN_KEYS]
    own = [override for override, root in zip(overrides, roots, strict=True) if root in {*_OWN_KEYS, "encoder"}]
    check_jobs("train", training, multirun=False, config_dir=config_dir)
    check_jobs("describe", [*own, "corpus=world_facts"], multirun=False, config_dir=config_dir)  # any corpus will do
    with initialize_config_dir(str(CONF), version_base="1.3"):
        run = compose("train", [*search, *training])
        cfg = compose("describe", [*search, *own])
    put_home(run)
    put_home(cfg)
    for group in ("corpus", "benchmarks", "sampling"):
        cfg[group] = OmegaConf.to_container(run[group], resolve=True)
    check(cfg, "describe")
    check_needs([cfg, OmegaConf.masked_copy(run, ["validation"])])
    fraction = 0.0 if run.validation is not None else run.data.get("validation_fraction", held_out)
    draws = Draws(
        instantiate(cfg.sampling, _convert_="all"),
        True,
        fraction,
        dict(run.language_fraction or {}),
        run.seed,
        validates=fraction > 0,
        train_on_test=run.train_on_test,
        copies=(run.transform or {}).get("copies", 1),
    )
    return cfg, draws, run.validation


def _describe(cfg: DictConfig, draws: Draws, validation_node: DictConfig | None, console: Console) -> int:
    named = {"json": cfg.json, "markdown": cfg.markdown}
    outputs = {key: Path(path).expanduser() for key, path in named.items() if path is not None}
    for key, path in outputs.items():
        _refuse_unwritable(key, path)  # before the work, which may take long
    try:
        corpus = build_corpus(cfg.corpus) if cfg.corpus else None
        if corpus is not None and draws.language_fraction:
            corpus = with_language_fraction(corpus, draws.language_fraction, draws.seed)
        validation = None if validation_node is None else build_corpus(validation_node, "validation")
        benchmarks = build_benchmarks(cfg.benchmarks)
    except ValueError as error:
        return _user_error(str(error))
    encoder = None
    if cfg.encoder:
        from babelbatch.commands.build import build_encoder  # imports torch, which nothing else here needs

        encoder = build_encoder(cfg.encoder, corpus)
    of_corpus = None if corpus is None else corpus_facts(corpus, encoder, cfg.sample)
    of_benchmarks = [benchmark_facts(benchmark, encoder, cfg.sample) for benchmark in benchmarks.values()]
    languages = draws.sampling.languages
    shared = [] if corpus is None else overlaps(used_queries(corpus, languages), benchmarks, near=cfg.near)
    found_problems = list(problems(of_corpus, shared, languages=languages, train_on_test=draws.train_on_test))
    found_notes = list(notes(of_corpus, of_benchmarks, shared, train_on_test=draws.train_on_test))
    if corpus is not None and of_corpus is not None:
        found_problems += batch_problems(corpus, of_corpus, draws, validation)
        if (reason := unchecked(corpus, draws)) is not None:
            found_notes.append(f"corpus: {reason}")
        if validation is not None and not draws.train_on_test:
            try:
                refuse_leaking_validation(corpus, validation, benchmarks, languages)
            except ValueError as error:
                found_problems.append(f"validation: {error}")
    tables = list(blocks(of_corpus, of_benchmarks, shared))
    show(tables, console)
    for title, sentences in (("Problems", found_problems), ("Notes", found_notes)):
        if sentences:
            lines = "\n".join(f"  - {sentence}" for sentence in sentences)
            console.print(f"{title}:\n{lines}", markup=False, highlight=False, soft_wrap=True)
    if not found_problems:
        console.print("No problems.", highlight=False)
    facts = {
        "corpus": of_corpus,
        "benchmarks": {of_benchmark["name"]: of_benchmark for of_benchmark in of_benchmarks},
        "overlap": [asdict(overlap) for overlap in shared],
        "problems": found_problems,
        "notes": found_notes,
    }
    texts = {
        "json": json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "markdown": to_markdown(tables, found_problems, found_notes),
    }
    for key, path in outputs.items():
        with _disk_errors_as_config_errors(key, path):
            write_atomically(path, texts[key])
    return _USER_ERROR if found_problems else 0


def _refuse_unwritable(key: str, path: Path) -> None:
    """Creates the folder of an output file. Raises ConfigError if the file cannot be written there."""
    with _disk_errors_as_config_errors(key, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        with tempfile.TemporaryFile(dir=path.parent):
            pass


@contextmanager
def _disk_errors_as_config_errors(key: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError([f"{key}: {path} cannot be written ({error.strerror}); name another file"]) from error


def _user_error(message: str) -> int:
    print(f"babelbatch: {message}", file=sys.stderr)
    return _USER_ERROR
