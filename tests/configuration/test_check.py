"""A configuration's problems: all at once, with path and remedy, before torch is imported."""

import os
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from babelbatch.configuration.check import check
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.schema import (
    ConfigError,
    better,
    job_folder,
    learning_rate_for,
    register,
    run_folder,
    sha256_of,
)
from babelbatch.jobs.overrides import CONF, force_overrides
from babelbatch.jobs.plan import check_jobs, experiment_sweep
from configurations import problems
from processes import python

GROUPS = {group.name: sorted(path.stem for path in group.glob("*.yaml")) for group in CONF.iterdir() if group.is_dir()}

SAMPLING_OF = dict.fromkeys(("nq", "yahoo_answers", "trivia_qa", "gooaq", "paq", "squad", "squad_shifts"), "x_x")
SAMPLING_OF |= dict.fromkeys(("bitext", "parallel_sentences"), "x_y")
SAMPLING_OF |= dict.fromkeys(("miracl", "mr_tydi"), "x_x")
"""Strategies of corpora that have only one kind of batch."""


LEXICAL = {("encoder", "bm25"), ("encoder", "char_ngrams")}  # nothing to train


@pytest.mark.parametrize(("group", "option"), [(group, option) for group in GROUPS for option in GROUPS[group]])
def test_every_shipped_option_composes_and_passes(group: str, option: str, tmp_path: Path) -> None:
    own = {
        ("encoder", "local"): f"encoder.name_or_path={tmp_path}",
        ("loss", "mimo"): f"teacher={tmp_path}",
        ("benchmarks", "lareqa"): f"benchmarks.lareqa.data_dir={tmp_path}",
        ("benchmarks", "mewsli_x"): f"benchmarks.mewsli_x.data_dir={tmp_path}",
        ("benchmarks", "table"): f"benchmarks.table.path={tmp_path}",
        ("corpus", "bitext"): f"corpus.data_dir={tmp_path}",
        ("corpus", "mixture"): "+corpus@corpus.parts.facts=world_facts",
        ("corpus", "table"): f"corpus.path={tmp_path}",
        ("transform", "code_switching"): f"transform.dictionaries={tmp_path}",
    }
    extra = [own[group, option]] if (group, option) in own else []
    value = f"[{option}]" if group == "benchmarks" else option
    extra += ["evaluation=search"] if option in {"miracl", "mr_tydi", "mewsli_x"} and group == "benchmarks" else []
    if group == "corpus" and option in SAMPLING_OF:
        extra.append(f"sampling={SAMPLING_OF[option]}")
    of_mining = group in {"index", "mining"}
    extra += ["checkpoint=."] if of_mining else []
    root = "mine" if of_mining else "evaluate" if (group, option) in LEXICAL else "train"
    assert problems(f"{group}={value}", *extra, root=root) == []


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            ["grad_cache=true"],
            "data.chunk_tokens: grad_cache holds one chunk in memory; say how large, such as data.chunk_tokens=8192",
        ),
        (
            ["encoder.attention=flash_attention_2"],
            "encoder.attention: flash_attention_2 computes in half precision only, but trainer.precision is 32-true; "
            "set trainer.precision=bf16-mixed, or encoder.attention=sdpa",
        ),
        (
            ["+trainer.plugins=[x]"],
            "trainer.plugins: set by the run itself, which saves its checkpoints in its own way",
        ),
        (["callbacks.checkpoint.every_n_steps=0"], "callbacks.checkpoint.every_n_steps: 0 is not at least 1"),
    ],
)
def test_options_of_the_engine_that_contradict(overrides: list[str], problem: str) -> None:
    assert problem in problems(*overrides)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["sampling=schedule", "sampling.schedule=cosine", "sampling.alpha_end=0.2"], []),
        (["sampling=sequential", "sampling.alpha=0", "sampling.alpha_end=1", "sampling.switch_at=0.3"], []),
        (["sampling=steps", "sampling.alpha_steps=[[0.1,0.5]]"], []),
        (["sampling=x_en", "sampling.cross_language=en_x"], []),
        (["sampling=x_y", "sampling.cross_language=english", "sampling.pair_exponent=0.5"], []),
        (["sampling=hybrid", "sampling.alpha=1", "sampling.pair_exponent=1", "sampling.language_exponent=0.3"], []),
        (["sampling=mixed", "sampling.language_exponent=0.3"], []),
        (
            ["sampling=schedule", "sampling.schedule=steps"],
            [
                "sampling.alpha_steps: schedule steps needs them; set them to [fraction, alpha] pairs, "
                "such as [[0.5,0]]",
                "sampling.alpha_end: schedule steps does not go there; set sampling.schedule=linear, or leave it out "
                "(null)",
            ],
        ),
        (
            ["sampling=hybrid", "sampling.schedule=linear", "sampling.alpha_end=0"],
            ["sampling.schedule: hybrid has one alpha throughout; set sampling=schedule"],
        ),
        (
            ["sampling=schedule", "sampling.schedule=linaer"],
            [
                "sampling.schedule: 'linaer' is not one of 'constant', 'linear', 'cosine', 'switch', 'steps'",
                "sampling.alpha_end: schedule linaer does not go there; set sampling.schedule=linear, or leave it out "
                "(null)",
            ],
        ),
        (["sampling=sequential", "sampling.switch_at=2"], ["sampling.switch_at: 2 is not a fraction between 0 and 1"]),
        (
            ["sampling=steps", "sampling.alpha_steps=half"],
            ["sampling.alpha_steps: 'half' is not list[list[float]] or None"],
        ),
        (
            ["sampling=x_x", "sampling.pair_exponent=1"],
            ["sampling.pair_exponent: there are no X-Y batches at alpha 1; leave it out, or set sampling=hybrid"],
        ),
        (
            ["sampling=x_en", "sampling.language_exponent=1"],
            ["sampling.language_exponent: there are no X-X batches at alpha 0; leave it out, or set sampling=hybrid"],
        ),
        (
            ["sampling=x_y", "sampling.same_language=pair"],
            ["sampling.same_language: there are no X-X batches at alpha 0; leave it out, or set sampling=hybrid"],
        ),
        (
            ["sampling=x_en", "sampling.languages=[de,zh]"],
            ["sampling.languages: cross_language=x_en pairs languages with English; add en"],
        ),
        (
            ["sampling=sequential", "sampling.languages=[en]"],
            ["sampling.languages: X-Y batches need two languages; add one, or set sampling.alpha=1"],
        ),
    ],
)
def test_strategies_that_contradict_themselves(overrides: list[str], expected: list[str]) -> None:
    assert problems(*overrides) == expected


MIXTURE = ["corpus=mixture", "+corpus@corpus.parts.facts=world_facts", "+corpus@corpus.parts.mlqa=lareqa"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["corpus.exponent=0.5", "corpus.parts.mlqa.languages=[en,de]", "corpus.parts.mlqa.negatives=2"], []),
        (["corpus.exponent=big"], ["corpus.exponent: 'big' is not float"]),
        (
            ["corpus.parts.mlqa.langages=[en]"],
            ["corpus.parts.mlqa.langages: load_corpus takes no such argument, did you mean 'languages'?"],
        ),
        (["corpus.parts.mlqa.data_dir=gone"], ["corpus.parts.mlqa.data_dir: there is no folder 'gone'"]),
        (["corpus.parts.facts.negatives=-1"], ["corpus.parts.facts.negatives: -1 is not at least 0"]),
        (
            ["corpus.parts.mlqa.passage=context", "corpus.parts.mlqa.negatives=1"],
            [
                "corpus.parts.mlqa.negatives: they are other sentences of the paragraph; with "
                "corpus.parts.mlqa.passage=context set it to 0"
            ],
        ),
        (
            ["corpus.parts.fact.languages=[en]"],
            ["corpus.parts.fact: not among the chosen parts (facts, mlqa), did you mean 'facts'?"],
        ),
        (["corpus@validation=lareqa", "validation.negatives=-1"], ["validation.negatives: -1 is not at least 0"]),
        (["sampling=hybrid", "~corpus.parts.mlqa", "+corpus@corpus.parts.nq=nq"], []),
        (
            ["~corpus.parts.mlqa", "~corpus.parts.facts", "+corpus@corpus.parts.nq=nq"],
            ["sampling.alpha: all parts are in English only; set sampling=x_x, or add a parallel corpus"],
        ),
        (
            ["~corpus.parts.mlqa", "~corpus.parts.facts", "+corpus@corpus.parts.talks=parallel_sentences"],
            ["sampling.alpha: all parts are bitext, which has no X-X batches; set sampling=x_y, or add another corpus"],
        ),
        (
            ["+corpus@corpus.parts.both=mixture"],
            ["corpus.parts.both: is a mixture itself; name its parts beside the others"],
        ),
    ],
)
def test_parts_of_a_mixture(overrides: list[str], expected: list[str]) -> None:
    assert problems(*MIXTURE, *overrides) == expected


def test_a_mixture_in_an_experiment(tmp_path: Path) -> None:
    """As conf/corpus/mixture.yaml shows it; and nothing to mix."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - /corpus@corpus.parts.facts: world_facts\n"
        "  - /corpus@corpus.parts.mlqa: lareqa\n  - override /corpus: mixture\n"
        "corpus:\n  parts:\n    mlqa: {languages: [en, de]}\n"
    )
    register()
    assert len(check_jobs("train", ["experiment=mine"], multirun=False, config_dir=str(tmp_path))) == 1
    assert problems("corpus=mixture") == [
        "corpus.parts: nothing to mix; add corpora, such as +corpus@corpus.parts.mine=world_facts"
    ]


def test_all_groups_are_shipped() -> None:
    assert set(GROUPS) == {
        "benchmarks", "callbacks", "corpus", "data", "encoder", "evaluation", "experiment",
        "hydra", "index", "logger", "loss", "mining", "optimizer", "sampling", "scheduler", "trainer",
        "transform", "tuning",
    }  # fmt: skip


def test_the_names_people_type() -> None:
    assert problems("benchmarks=xquad_r") == []
    assert problems("benchmarks=[xquad_r,mlqa_r]", "benchmarks.xquad_r.candidate=sentence_with_context") == []
    assert (
        problems("sampling=hybrid", "sampling.alpha=0.25", "trainer.max_steps=5", "trainer.precision=bf16-mixed") == []
    )
    assert problems("corpus=lareqa", "encoder=xlmr_base", "encoder.pooling=cls", "seed=7", "logger=none") == []
    assert problems("sampling.alpha=0,0.5,1", "seed=0,1", multirun=True) == []


def test_any_corpus_can_be_the_validation_set() -> None:
    own = {
        "table": ["validation.path=."],
        "bitext": ["validation.data_dir=."],
        "mixture": ["+corpus@validation.parts.facts=world_facts"],
    }
    for corpus in GROUPS["corpus"]:
        chosen = ["corpus=lareqa", "corpus.data_dir=.", f"corpus@validation={corpus}"]
        assert problems(*chosen, *own.get(corpus, [])) == []
    assert problems("corpus@validation=mixture") == [
        "validation.parts: nothing to mix; add corpora, such as +corpus@validation.parts.mine=world_facts"
    ]
    watched = ["corpus@validation=lareqa", "callbacks=early_stopping", "data.validation_fraction=0"]
    assert problems(*watched, "validation.languages=[en]") == []
    overrides = force_overrides(["corpus@validation=lareqa", "validation.negatives=0"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
        assert cfg.validation == {"_target_": "babelbatch.corpora.lareqa.load_corpus", "negatives": 0}
        assert compose("train").validation is None


def test_defaults_of_a_signature_can_be_overridden_without_a_plus() -> None:
    register()
    overrides = force_overrides(["loss.temperature=0.02", "sampling.batch_size=32", "encoder=static"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
    assert (cfg.loss.temperature, cfg.sampling.batch_size) == (0.02, 32)
    assert force_overrides(["sampling=x_x", "+a=1", "~b", "hydra.verbose=true", "seed=1"]) == [
        "sampling=x_x", "+a=1", "~b", "hydra.verbose=true", "++seed=1",
    ]  # fmt: skip


def test_what_is_not_key_and_value_is_named() -> None:
    assert problems("seed 0", "corpus.languages=[en,de", "corpus.columns.question=question_{language}", "seed=1") == [
        "'seed 0' is not understood; settings are written key=value, such as sampling.alpha=0.5",
        "corpus.languages: '[en,de' cannot be read (no viable alternative at input '[en,de'); close every bracket, or, "
        "if they are part of a text, quote it: 'corpus.languages=\"[en,de\"'",
        "corpus.columns.question: 'question_{language}' cannot be read (mismatched input '{' expecting <EOF>); close "
        "every bracket, or, if they are part of a text, quote it: "
        "'corpus.columns.question=\"question_{language}\"'",
    ]


def test_the_options_of_a_group_include_those_below_it() -> None:
    (found,) = problems("experiment=paper/xlmr_hybird")
    assert found.startswith("experiment: no option 'paper/xlmr_hybird', did you mean 'paper/xlmr_hybrid'? (there are: ")
    assert "demo, mlqa_r, lareqa/en_en, " in found
    assert "question/typology" in found


def test_reports_every_problem_at_once() -> None:
    found = problems(
        "sampling=hybird",
        "seed=x",
        "sampling.alhpa=0.5",
        "samplign.alpha=0.5",
        "encoder.pooling=maxx",
        "optimizer.lr=fast",
        "loss._target_=babelbatch.loss.Contrastiv",
        "callbacks.evalute.during_training=true",
        "trainer.devices=auto",
    )
    assert found == [
        "sampling: no option 'hybird', did you mean 'hybrid'? "
        "(there are: english, hybrid, mixed, schedule, sequential, steps, x_en, x_x, x_y)",
        "seed: Value 'x' of type 'str' could not be converted to Integer",
        "samplign: no such key, did you mean 'sampling'?",
        "callbacks.evalute: not among the chosen callbacks (evaluate, telemetry, checkpoint, progress_bar), "
        "did you mean 'evaluate'?",
        "sampling.alhpa: Sampling takes no such argument, did you mean 'alpha'?",
        "encoder.pooling: 'maxx' is not one of 'cls', 'mean', 'pooler', 'max', 'last', 'weighted_mean', "
        "'mean_sqrt_length'",
        "loss._target_: 'babelbatch.loss' has no 'Contrastiv', did you mean 'Contrastive'?",
        "optimizer.lr: 'fast' is not float or Tensor",
        "trainer.devices: 'auto' does not say how many; set a number, or a list such as [0,2]",
    ]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["sampling.alpha=1.5"], "sampling.alpha: 1.5 is not between 0 and 1"),
        (["sampling.batch_size=1"], "sampling.batch_size: 1 is not at least 2"),
        (["sampling.batch_size=many"], "sampling.batch_size: 'many' is not int"),
        (["trainer.max_steps=-1"], "trainer.max_steps: -1 is not at least 1"),
        (["trainer.precision=bf"], None),
        (
            ["trainer.callbacks=[]"],
            "trainer.callbacks: set by the run itself; use the config groups callbacks and logger instead",
        ),
        (
            ["trainer.enable_progress_bar=false"],
            "trainer.enable_progress_bar: set by the run itself; use the config groups callbacks and logger instead",
        ),
        (["trainer.val_check_interval=0.5"], "trainer.val_check_interval: 0.5 is not a number of steps"),
        (["seed=-1"], "seed: -1 is not between 0 and 4294967295"),
        (["sampling.alpha=nan"], "sampling.alpha: nan is not between 0 and 1"),
        (["sampling=x_y", "sampling.alpha=0.5"], "sampling.alpha: x_y means alpha 0; to mix, set sampling=hybrid"),
        (["benchmarks=[]"], "benchmarks: choose at least one"),
        (["sampling=null"], "sampling: Config group override must be a string or a list. Got NoneType"),
        (
            ["~sampling._target_"],
            "sampling: nothing to build; choose an option of the group "
            "(in an experiment file: `defaults: [override /sampling: ...]`)",
        ),
        (["name=${sampling.nmae}"], "Interpolation key 'sampling.nmae' not found"),
        (
            ["loss._target_=babelbatch.lossy.X"],
            "loss._target_: 'babelbatch' has no module 'lossy', did you mean 'loss'?",
        ),
        (
            ["loss._target_=nowhere.X"],
            "loss._target_: there is no package 'nowhere'; put the folder that holds it on PYTHONPATH",
        ),
        (["corpus.data_dir=nowhere", "corpus=lareqa"], "corpus.data_dir: there is no folder 'nowhere'"),
        (
            ["corpus=bitext", "corpus.data_dir=.", "sampling=hybrid"],
            "sampling.alpha: in an X-X batch of bitext each sentence would be its own translation; set sampling=x_y, "
            "or make bitext a part of corpus=mixture",
        ),
        (
            ["corpus=bitext", "corpus.data_dir=null", "sampling=x_y"],
            "corpus.data_dir: missing; set it to a folder of parallel sentences, or set corpus.collection",
        ),
        (
            ["corpus=squad"],
            "sampling.alpha: the corpus is in English only, and X-Y batches need two languages; set sampling=x_x",
        ),
        (
            ["corpus=miracl", "sampling=hybrid"],
            "sampling.alpha: each question of the corpus is in one language only, and so are its passages: there are "
            "no X-Y batches; set sampling=x_x, or make it a part of corpus=mixture",
        ),
        (["corpus=paq", "corpus.limit=0"], "corpus.limit: 0 is not at least 1"),
        (
            ["benchmarks.xquad_r.data_dir=x"],
            "benchmarks.xquad_r: not among the chosen benchmarks (world_facts)",
        ),
        (
            ["encoder=local"],
            "encoder.name_or_path: missing; set it to a folder or hub name (to evaluate a run: set checkpoint)",
        ),
        (["encoder=local", "encoder.name_or_path=./gone"], "encoder.name_or_path: there is no folder './gone'"),
        (
            ["loss=mimo"],
            "loss.teacher.name_or_path: missing; set teacher to the folder or hub name of an encoder to learn from",
        ),
        (["loss=mimo", "teacher=./gone"], "teacher: there is no folder './gone'"),
        (
            ["loss=mimo", "teacher=x/y", "corpus.languages=[de,zh]"],
            "corpus.languages: the teacher reads 'en', which is not among them; add it, or set loss.language",
        ),
        (
            ["loss=mimo", "teacher=x/y", "loss.contrastive_weight=1.5"],
            "loss.contrastive_weight: 1.5 is not between 0 and 1",
        ),
        (["loss=mimo", "teacher=x/y", "loss.warmup=2"], "loss.warmup: 2 is not between 0 and 1"),
        (
            ["sampling=english", "loss=alignment"],
            "sampling.languages: a loss of translations needs two languages; add one, or set loss=contrastive",
        ),
        (
            ["sampling=x_x", "loss=language_kl", "corpus.languages=[de]"],
            "corpus.languages: a loss of translations needs two languages; add one, or set loss=contrastive",
        ),
        (["loss=language_kl", "loss.weight=-1"], "loss.weight: -1 is not at least 0"),
        (["loss=language_kl", "loss.kl_temperature=0"], "loss.kl_temperature: 0 is not at least 0.001"),
        (["loss=alignment", "loss.sides=all"], "loss.sides: 'all' is not one of 'queries', 'passages', 'both'"),
        (
            ["sampling.languages=[en]"],
            "sampling.languages: X-Y batches need two languages; add one, or set sampling.alpha=1",
        ),
        (
            ["corpus=lareqa", "corpus.passage=context", "corpus.negatives=2"],
            "corpus.negatives: they are other sentences of the paragraph; with corpus.passage=context set it to 0",
        ),
        (
            ["callbacks=early_stopping", "data.validation_fraction=0"],
            "monitor: 'validation/loss' needs a validation split, but data.validation_fraction is 0; "
            "raise it, or set callbacks=default",
        ),
        (
            ["callbacks=early_stopping", "trainer.max_steps=250"],
            "trainer.val_check_interval: 100 does not divide trainer.max_steps=250: the last steps would "
            "never be judged; set it to a divisor, or set callbacks=default",
        ),
        (["monitor=validation/loss/x_y"], "monitor: nothing watches it; set callbacks=early_stopping"),
        (
            ["corpus@validation=lareqa", "data.validation_fraction=0.1"],
            "data.validation_fraction: nothing is held out where there is a validation corpus; leave out either "
            "this or corpus@validation",
        ),
        (
            ["corpus@validation=world_facts"],
            "validation: it is the corpus itself; leave it out, and some of the corpus is held out",
        ),
        (
            ["validation.languages=[en]"],
            "validation: nothing to build; choose a corpus for it, such as corpus@validation=squad_shifts",
        ),
        (
            ["corpus@validation=lareqa", "validation.data_dir=nowhere"],
            "validation.data_dir: there is no folder 'nowhere'",
        ),
        (
            ["corpus@validation=lareqa", "validation.langages=[en]"],
            "validation.langages: load_corpus takes no such argument, did you mean 'languages'?",
        ),
        (
            ["callbacks=early_stopping", "monitor=validation/los"],
            "monitor: no 'validation/los'; there are validation/loss, validation/loss/x_x and validation/loss/x_y",
        ),
        (
            ["callbacks=early_stopping", "monitor=world_facts/multilingual/map"],
            "monitor: 'world_facts/multilingual/map' is not evaluated during training; "
            "set callbacks.evaluate.during_training=true",
        ),
        (
            ["callbacks=early_stopping", "monitor=xquad_r/multilingual/map"],
            "monitor: nothing is logged as 'xquad_r/multilingual/map', did you mean 'world_facts/multilingual/map'?",
        ),
        (
            [
                "callbacks=early_stopping",
                "monitor=world_facts/multilingual/mpa",
                "callbacks.evaluate.during_training=true",
            ],
            "monitor: 'world_facts/multilingual/mpa' is not <benchmark>/<setting>/<metric>, "
            "such as world_facts/multilingual/map",
        ),
        (
            [
                "evaluation=search",
                "callbacks=early_stopping",
                "monitor=world_facts/multilingual/map",
                "callbacks.evaluate.during_training=true",
            ],
            "monitor: a search does not find map; set monitor=world_facts/multilingual/ndcg@10, or evaluation=default",
        ),
        (
            ["evaluation=search", "evaluation.debias=lir"],
            "evaluation.debias: a search does not look at all candidates, which it is fitted on; leave it out, or set "
            "evaluation=default",
        ),
        (
            ["evaluation=search", "evaluation.trec_files=true"],
            "evaluation.trec_files: a search does not look at all candidates; leave it out, or set evaluation=default",
        ),
        (
            ["evaluation=search", "index@evaluation.index=ivf", "evaluation.index.probes=0"],
            "evaluation.index.probes: 0 is not at least 1",
        ),
        (["evaluation.index=ivf"], "evaluation.index: 'ivf' is not Exact or IVF or HNSW or None"),
        (["seed=[1"], None),
        (
            ["evaluation.index.probes=64"],
            "evaluation.index: no index is chosen; set index@evaluation.index=ivf, or exact or hnsw, or leave it out",
        ),
        (["evaluation.debias=center"], "evaluation.debias: 'center' is not one of 'none', 'centre', 'lir'"),
        (["evaluation.components=2"], "evaluation.components: only LIR removes components; set evaluation.debias=lir"),
        (["evaluation.debias=lir", "evaluation.components=0"], "evaluation.components: 0 is not at least 1"),
        (
            ["evaluation.sample_queries=50"],
            "evaluation.sample_queries: nothing is evaluated during training; "
            "set callbacks.evaluate.during_training=true",
        ),
        (
            ["evaluation.trec_depth=10"],
            "evaluation.trec_depth: no TREC files are written; set evaluation.trec_files=true",
        ),
    ],
)
def test_one_problem(overrides: list[str], expected: str | None) -> None:
    found = problems(*overrides)
    assert len(found) >= 1
    if expected is not None:
        assert expected in found


@pytest.mark.parametrize("loss", ["mimo", "language_kl", "alignment"])
def test_bitext_has_no_text_in_two_languages(loss: str, tmp_path: Path) -> None:
    """Alone, or in all parts of a mixture; beside another part it may stand."""
    more = ["sampling=x_y", f"loss={loss}", f"teacher={tmp_path}"]
    part = "+corpus@corpus.parts.talks=parallel_sentences"
    for corpus in (
        ["corpus=parallel_sentences"],
        ["corpus=bitext", f"corpus.data_dir={tmp_path}"],
        ["corpus=mixture", part],
    ):
        (problem,) = problems(*corpus, *more)
        assert problem.startswith("loss: ")
        assert "needs a text in two languages, but an item of bitext has its question in one" in problem
        assert problems(*corpus, "sampling=x_y") == []
    assert problems(*MIXTURE, part, *more) == []


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            [],
            "encoder.name_or_path: missing; set it to a folder or hub name (to evaluate a run: set checkpoint)",
        ),
        (
            ["checkpoint=.", "encoder=labse"],
            "checkpoint: it brings its own encoder; leave out either checkpoint or encoder.name_or_path",
        ),
        (["checkpoint=gone"], "checkpoint: there is no 'gone'"),
        (
            ["checkpoint=.", "encoder.query_length=96"],
            "encoder.query_length: the checkpoint's own encoder is used as it is; leave it out, or in place of "
            "checkpoint set encoder.name_or_path=<run>/encoder",
        ),
        (
            ["encoder=tiny"],
            "encoder: a new encoder has learned nothing; set checkpoint=<run>, or encoder=local encoder.name_or_path=",
        ),
        (["sampling=x_x"], None),
        (
            ["checkpoint=.", "evaluation.sample_queries=50"],
            "evaluation.sample_queries: only for evaluations during training; leave it out",
        ),
    ],
)
def test_one_problem_of_an_evaluation(overrides: list[str], expected: str | None) -> None:
    found = problems(*overrides, root="evaluate")
    assert (found == [expected]) if expected else len(found) >= 1


@pytest.mark.parametrize("option", ["bm25", "char_ngrams"])
def test_what_a_lexical_encoder_cannot_do(option: str) -> None:
    name = {"bm25": "BM25", "char_ngrams": "CharNgrams"}[option]
    asked = [
        "checkpoint=.", "evaluation=search", "evaluation.vector_cache=true", "evaluation.token_budget=9", "device=cuda",
    ]  # fmt: skip
    assert problems(f"encoder={option}", *asked, root="evaluate") == [
        f"checkpoint: {name} is evaluated without one; leave out either checkpoint or encoder",
        f"evaluation.index: {name} ranks all candidates; set evaluation=default",
        f"evaluation.token_budget: {name} has no forward pass; leave it out",
        f"evaluation.vector_cache: {name} has no forward pass; leave it out",
        f"device: {name} is computed on the CPU; leave it out",
    ]
    assert problems(f"encoder={option}", "evaluation.debias=centre", root="evaluate") == [
        f"evaluation.debias: {name} has no dense vectors to take a language from; leave it out"
    ]
    remedy = "choose another, and see how good it is with babelbatch-evaluate"
    assert problems(f"encoder={option}") == [f"encoder: {name} is not trained; {remedy}"]
    assert problems(f"encoder={option}", "corpus=world_facts", root="mine") == [
        f"encoder: {name} has no vectors to search; {remedy}"
    ]
    assert problems(f"encoder={option}", "evaluation.trec_files=true", "device=cpu", root="evaluate") == []


def test_options_of_the_lexical_encoders() -> None:
    assert problems("encoder=bm25", "encoder.b=1.2", "encoder.k1=-1", "encoder.stem=some", root="evaluate") == [
        "encoder.stem: 'some' is not bool",
        "encoder.k1: -1 is not at least 0",
        "encoder.b: 1.2 is not between 0 and 1",
    ]
    assert problems("encoder=char_ngrams", "encoder.least=0", root="evaluate") == ["encoder.least: 0 is not at least 1"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["checkpoint=."], []),
        (["checkpoint=.", "corpus=world_facts", "index=hnsw", "index.search=64", "mining.languages=any"], []),
        (["checkpoint=gone"], ["checkpoint: there is no 'gone'"]),
        (
            ["encoder=labse"],
            ["corpus: choose one, or set checkpoint to a run, whose corpus is then mined"],
        ),
        (
            ["checkpoint=.", "corpus.languages=[en]"],
            [
                "corpus: nothing to build; choose an option of the group (in an experiment file: "
                "`defaults: [override /corpus: ...]`)"
            ],
        ),
        (
            ["checkpoint=.", "encoder=labse"],
            ["checkpoint: it brings its own encoder; leave out either checkpoint or encoder.name_or_path"],
        ),
        (
            ["checkpoint=.", "mining.first_rank=98"],
            ["mining.last_rank: ranks 98 to 100 do not hold 5 negatives; raise it"],
        ),
        (["checkpoint=.", "mining.negatives=0"], ["mining.negatives: 0 is not at least 1"]),
        (["checkpoint=.", "mining.relative_margin=5"], ["mining.relative_margin: 5 is not between 0 and 1"]),
        (["checkpoint=.", "mining.choice=worst"], ["mining.choice: 'worst' is not one of 'best', 'random'"]),
        (
            ["checkpoint=.", "mining.negative=3"],
            ["mining.negative: Mining takes no such argument, did you mean 'negatives'?"],
        ),
        (["checkpoint=.", "index=ivf", "index.probes=0"], ["index.probes: 0 is not at least 1"]),
        (
            ["checkpoint=.", "index.probes=8"],
            ["index.probes: Exact takes no such argument (it takes: )"],
        ),
    ],
)
def test_what_mining_is_told(overrides: list[str], expected: list[str]) -> None:
    assert problems(*overrides, root="mine") == expected


def test_a_table_of_negatives(tmp_path: Path) -> None:
    table = tmp_path / "negatives.parquet"
    assert problems(f"negatives={table}") == [
        f"negatives: there is no file '{table}'; babelbatch-mine writes one, negatives.parquet"
    ]
    assert problems("negatives_sha256=12") == [
        "negatives_sha256: there are no negatives; set negatives=<the table>, or leave it out"
    ]
    table.write_bytes(b"one")
    assert problems(f"negatives={table}") == []
    digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert sha256_of(str(table)) == digest
    register()
    folders = []
    for content in (b"one", b"two", b"one"):
        table.write_bytes(content)
        os.utime(table, ns=(len(folders), len(folders)))
        (folder,) = check_jobs("train", [f"++negatives={table}"], multirun=False)
        folders.append(folder)
    assert folders[0] == folders[2] != folders[1]
    assert sha256_of(None) is sha256_of(str(tmp_path / "gone")) is None


def test_what_may_be_said() -> None:
    watched = ["callbacks=early_stopping", "callbacks.evaluate.during_training=true"]
    for metric in (
        "multilingual/map@20/de",
        "crosslingual/recall@1/de-zh",
        "multilingual/rank_distance",
        "monolingual/map",
        "monolingual/ndcg@10",
        "multilingual/mrc@10/de",
    ):
        assert problems(*watched, f"monitor=world_facts/{metric}") == []
    assert problems("evaluation.debias=lir", "evaluation.components=3", "evaluation.vector_cache=true") == []
    assert problems("evaluation.trec_files=true", "evaluation.trec_depth=10") == []
    assert problems("evaluation=search", "index@evaluation.index=hnsw", "evaluation.index.search=200") == []
    assert problems(*watched, "evaluation=search", "monitor=world_facts/multilingual/ndcg@10") == []
    assert problems(*watched[1:], "evaluation.sample_queries=50") == []
    assert problems("trainer.devices=[1]", "data.validation_fraction=0", "output_dir=x/${hydra:job.num}") == []
    assert problems("sampling.alpha=range(0,1.1,0.5)", "sampling=glob(h*)", multirun=True) == []


def test_composition_and_objective_are_crossed(tmp_path: Path) -> None:
    register()
    crossed = ["sampling=x_x,x_y,hybrid", "loss=contrastive,language_kl,alignment,mimo", f"teacher={tmp_path}"]
    assert len(check_jobs("train", force_overrides(crossed), multirun=True)) == 12
    assert problems(*crossed, multirun=True) == []


def test_a_sweep_is_checked_whole() -> None:
    assert problems("sampling.alpha=0,2,3", "seed=0,1", multirun=True) == [
        "sampling.alpha: 2 is not between 0 and 1",
        "sampling.alpha: 3 is not between 0 and 1",
    ]


def test_a_typo_in_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nsead: 7\nloss:\n  temprature: 0.1\n")
    register()
    with pytest.raises(ConfigError) as caught:
        check_jobs("train", ["experiment=mine"], multirun=False, config_dir=str(tmp_path))
    assert caught.value.problems == [
        "experiment: In 'experiment/mine': ConfigKeyError raised while composing config: "
        "Key 'sead' not in 'TrainConfig'"
    ]


def test_missing_argument() -> None:
    cfg = OmegaConf.create({"sampling": {"_target_": "babelbatch.sampling.Sampling", "alpha": 1.0}})
    with pytest.raises(ConfigError, match=r"sampling\.name: missing; Sampling needs it"):
        _check_partial(cfg)


def _check_partial(cfg: object) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        whole = compose("train")
    OmegaConf.set_struct(whole, False)
    whole.sampling = cfg.sampling
    check(whole, "train")


def test_neither_help_nor_an_error_waits_for_torch() -> None:
    script = (
        "import sys\n"
        "from babelbatch.cli import train\n"
        "sys.argv = ['babelbatch-train', 'sampling.alhpa=1']\n"
        "try:\n    train()\n"
        "except SystemExit as stop:\n    print(stop.code, 'torch' in sys.modules, 'pytorch_lightning' in sys.modules)\n"
    )
    done = python(script)
    assert done.stdout.strip() == "2 False False"
    assert done.stderr == (
        "babelbatch: checking the configuration\n"
        "babelbatch: the configuration cannot be run:\n"
        "  - sampling.alhpa: Sampling takes no such argument, did you mean 'alpha'?\n"
    )


def test_resolvers() -> None:
    monitors = ("validation/loss/x_y", "x/multilingual/map", "x/multilingual/rank_distance/de")
    assert [better(monitor) for monitor in monitors] == ["min", "max", "min"]
    assert better("glossary/multilingual/map") == "max"  # a benchmark, whatever it is called
    targets = ("babelbatch.encoder.pretrained", "babelbatch.encoder.tiny", "babelbatch.encoder.static")
    assert [learning_rate_for(target) for target in targets] == [3e-5, 1e-3, 1e-2]


def test_a_job_s_folder_says_what_it_overrides_and_what_it_is() -> None:
    cfg = OmegaConf.create({"output_dir": None, "seed": 1})
    digits = config_hash(cfg)[:8]

    def named(overrides: str) -> str:
        name = job_folder(overrides, _root_=cfg)
        assert name.endswith(f"_{digits}")
        return name.removesuffix(f"_{digits}")

    assert named("++sampling.alpha=0.25,++seed=1,sampling=hybrid") == "hybrid_alpha-0.25_seed-1"
    assert named("") == "default"
    assert named("++encoder.name_or_path=/a/b c,++corpus.languages=[en,de]") == "name_or_path-a-b-c_languages-en_de"
    assert named("++logger.wandb.tags=[a,b],logger=csv,++data.num_workers=2,~callbacks.last") == "callbacks.last"
    assert len(job_folder("x" * 500, _root_=cfg)) <= 100
    assert run_folder(None, "demo", "sampling=x_x", _root_=cfg) == f"multirun/demo/x_x_{digits}"
    assert run_folder("mine", "demo", "sampling=x_x", _root_=cfg) == "mine"


DDP = ["trainer=ddp", "trainer.devices=2"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (DDP, []),
        (["trainer.devices=[1]"], []),
        (["trainer.devices=[0,1]", "trainer.strategy=ddp"], []),
        (
            ["trainer.devices=2"],
            ["trainer.strategy: 2 devices need the strategy ddp, not 'auto'; set trainer=ddp"],
        ),
        (
            ["trainer.devices=2", "trainer.strategy=ddp_spawn"],
            ["trainer.strategy: 2 devices need the strategy ddp, not 'ddp_spawn'; set trainer=ddp"],
        ),
        (
            ["trainer.devices=-1"],
            ["trainer.devices: -1 does not say how many; set a number, or a list such as [0,2]"],
        ),
        (
            [*DDP, "trainer.devices=4", "sampling.batch_size=3"],
            ["sampling.batch_size: 3 pairs do not give each of 4 devices one; raise it"],
        ),
        (
            [*DDP, "trainer.num_nodes=2"],
            [
                "trainer.num_nodes: nothing has started the processes on 2 machines; "
                "use srun, torchrun or a launcher such as submitit_slurm"
            ],
        ),
    ],
)
def test_several_devices(overrides: list[str], expected: list[str]) -> None:
    assert problems(*overrides) == expected


def test_several_devices_in_a_sweep_need_fresh_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = [*DDP, "seed=0,1"]
    assert problems(*sweep, multirun=True) == [
        "trainer.devices: in a sweep, 2 devices need fresh processes; set hydra/launcher=fresh"
    ]
    assert problems(*sweep, "hydra/launcher=fresh", multirun=True) == []
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert problems(*DDP) == []
    assert problems(*sweep, "hydra/launcher=fresh", multirun=True) == [
        "hydra/launcher: a sweep starts the processes of its jobs itself; type it without torchrun or srun"
    ]
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert problems(*DDP) == ["trainer.devices: 3 processes were started, but trainer.devices times num_nodes is 2"]


def test_the_same_job_has_the_same_folder_alone_and_in_every_sweep() -> None:
    register()
    alone = check_jobs("train", ["sampling=hybrid", "++seed=1"], multirun=False)
    small = check_jobs("train", ["++seed=1", "sampling=hybrid,x_x"], multirun=True)
    large = check_jobs("train", ["++seed=0,1,2", "sampling=x_y,x_x,hybrid", "logger=none"], multirun=True)
    assert set(alone) <= set(small) <= set(large)
    assert len(large) == 9
    (folder,) = alone
    assert folder == Path.cwd() / "multirun" / "train" / f"hybrid_seed-1_{alone[folder][:8]}"
    assert set(check_jobs("train", ["sampling=hybrid", "++output_dir=mine"], multirun=False)) == {Path.cwd() / "mine"}
    assert {path.parent for path in check_jobs("train", ["++seed=0,1", "++output_dir=mine"], multirun=True)} == {
        Path.cwd() / "mine"
    }


def test_srun_must_count_by_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_NTASKS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_JOB_NAME": "train"}.items():
        monkeypatch.setenv(name, value)
    assert problems(*DDP) == [
        "trainer.devices: srun was told the number of processes in all; type srun --nodes=1 --ntasks-per-node=2"
    ]
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    assert problems(*DDP) == []


def test_an_experiments_own_sweep_is_checked_whole(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "question.yaml"
    lines = ["# @package _global_", "hydra:", "  sweeper:", "    params:", "      sampling: x_x,x_y", "      seed: 0,1"]
    file.write_text("\n".join(lines))
    planned = check_jobs("train", ["experiment=question"], multirun=True, config_dir=str(tmp_path))
    assert len(planned) == 4
    typed = ["experiment=question", "++seed=1,2,3"]
    assert experiment_sweep("train", typed, str(tmp_path)) == ["sampling=x_x,x_y", "hydra.sweeper.params=null"]
    other = check_jobs("train", typed, multirun=True, config_dir=str(tmp_path))
    assert len(other) == 6
    assert len(set(other) & set(planned)) == 2  # seed 1 of both
    assert experiment_sweep("train", ["++seed=0,1"]) == []
    with pytest.raises(ConfigError, match="experiment: question defines a sweep; run it in a command of its own"):
        experiment_sweep("train", ["experiment=question,demo"], str(tmp_path))
    file.write_text("\n".join([*lines, "      sampling.alpha: 1"]))
    with pytest.raises(ConfigError, match=r"sampling\.alpha: x_y means alpha 0; to mix, set sampling=hybrid"):
        check_jobs("train", ["experiment=question"], multirun=True, config_dir=str(tmp_path))
