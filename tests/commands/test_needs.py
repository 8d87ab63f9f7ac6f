"""What a run needs from elsewhere, listed before anything is fetched."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir

from babelbatch.commands.fetch import needs_table
from babelbatch.commands.needs import Need, needs_of, problems_of_missing
from babelbatch.configuration.plain import plain, without_hydra
from babelbatch.configuration.schema import ConfigError, register
from babelbatch.corpora.table import load_corpus
from babelbatch.describe import main as describe
from babelbatch.jobs.fetching import check_needs, main
from babelbatch.jobs.overrides import CONF, force_overrides
from babelbatch.jobs.plan import compose_jobs
from babelbatch.sources import download
from babelbatch.sources.hub import HubFiles, Published, has_all_shards
from babelbatch.sources.models import model_licence
from configurations import GROUPS

HAS_NO_FILES = {"world_facts", "table", "lareqa", "mixture", "bitext", "mewsli_x"}
"""Built in, or files of the user's, except `corpus=lareqa`."""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> Callable:
    def compose_all(*overrides: str, multirun: bool = False) -> list:
        register()
        return compose_jobs("train", force_overrides(list(overrides)), multirun=multirun)

    return compose_all


def refused(composed: list) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_needs(composed)
    return caught.value.problems


def nodes(group: str, option: str) -> dict:
    """An option of a group with the settings that it ships with."""
    register()
    more = ["++corpus.collection=talks", "++corpus.pairs=[en-de]"] if option == "parallel_sentences" else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        found = compose(f"{group}/{option}", more, return_hydra_config=False)
    return plain(found)


@pytest.mark.parametrize("group", ["corpus", "benchmarks"])
def test_every_shipped_loader_lists_its_files_and_opens_none(group: str, tmp_path: Path) -> None:
    for option in GROUPS[group]:
        if option in HAS_NO_FILES - ({"lareqa"} if group == "corpus" else set()):
            continue
        needs, problems = needs_of([nodes(group, option)])
        assert problems == [], option
        assert needs, option
        for need in needs:
            assert need.places, option
            assert need.cached() is None
            assert need.licence != "not known to babelbatch", option
    assert not (tmp_path / "cache" / "corpora").exists()


def test_files_are_listed_as_they_are_published(composed: Callable) -> None:
    (cfg,) = composed(
        "corpus=mmarco", "corpus.languages=[en,de]", "benchmarks=tatoeba", "benchmarks.tatoeba.languages=[de]"
    )
    own = without_hydra(cfg)
    own.output_dir = "."
    mmarco, tatoeba = needs_of([plain(own)])[0]
    assert [pattern for request in mmarco.requests for pattern in request.patterns] == [
        "data/triples.train.ids.small.tsv",
        "data/google/queries/train/english_queries.train.tsv",
        "data/google/collections/english_collection.tsv",
        "data/google/queries/train/german_queries.train.tsv",
        "data/google/collections/german_collection.tsv",
    ]
    assert (mmarco.path, mmarco.name, mmarco.licence) == ("corpus", "mMARCO", "MS MARCO's terms")
    assert [request.url.rpartition("/")[2] for request in tatoeba.requests] == [
        "tatoeba.deu-eng.deu",
        "tatoeba.deu-eng.eng",
    ]


def test_all_that_is_missing_is_named_at_once(composed: Callable) -> None:
    found = composed("corpus=lareqa", "benchmarks=[xquad_r]", "encoder=xlmr_base", "loss=mimo", "teacher=BAAI/bge-m3")
    why = (
        "is not in the cache, and HF_HUB_OFFLINE is set; fetch it where there is a connection (babelbatch-fetch with "
        "the same settings), or set"
    )
    assert refused(found) == [
        f"corpus: MLQA-R {why} corpus.data_dir to its files",
        f"benchmarks.xquad_r: XQuAD-R {why} benchmarks.xquad_r.data_dir to its files",
        f"encoder.name_or_path: FacebookAI/xlm-roberta-base {why} encoder.name_or_path to a folder",
        f"teacher: BAAI/bge-m3 {why} teacher to a folder",
    ]


def test_without_a_network_that_takes_seconds(composed: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with socket.socket() as closed:  # a port that nothing listens at
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(
            "babelbatch.commands.needs._server", lambda place: f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        )
        download._answers.cache_clear()
        started = time.monotonic()
        found = refused(composed("corpus=lareqa", "benchmarks=[xquad_r]", "encoder=xlmr_base"))
        download._answers.cache_clear()
    assert time.monotonic() - started < 15
    assert len(found) == 3
    assert found[0].startswith("corpus: MLQA-R is not in the cache, and 127.0.0.1:")
    assert " cannot be reached; fetch it where there is a connection" in found[0]


def test_a_server_that_does_not_answer_is_left_after_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PATIENCE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert not download.answers(f"http://127.0.0.1:{silent.getsockname()[1]}/file")


def test_a_language_that_a_data_set_lacks_is_named_before_anything_is_loaded(composed: Callable) -> None:
    found = composed(
        "corpus=lareqa", "corpus.languages=[en,xx]", "benchmarks=[xquad,world_facts]",
        "benchmarks.xquad.languages=[yy]",
        "benchmarks.world_facts.languages=[en,zz]",
    )  # fmt: skip
    assert refused(found) == [
        "corpus.languages: mlqa_r has no xx; it has: ar, de, en, es, hi, vi, zh",
        "benchmarks.xquad.languages: XQuAD has no yy; its languages are ar, de, el, en, es, hi, ro, ru, th, tr, vi, zh",
        "benchmarks.world_facts.languages: world_facts has no zz; its languages are "
        "ar, de, el, en, es, hi, ru, th, tr, vi, zh",
    ]


def test_a_language_to_train_on_that_the_corpus_lacks(composed: Callable) -> None:
    assert refused(composed("corpus=world_facts", "sampling.languages=[EN,deu_Latn,xx]")) == [
        "sampling.languages: world_facts has no xx; its languages are ar, de, el, en, es, hi, ru, th, tr, vi, zh"
    ]
    assert refused(composed("corpus=lareqa", "sampling.languages=[en,th]"))[0] == (
        "sampling.languages: mlqa_r has no th; it has: ar, de, en, es, hi, vi, zh"
    )
    check_needs(composed("corpus=world_facts", "sampling.languages=[EN,deu_Latn]"))
    with pytest.raises(ConfigError) as caught:
        composed("corpus.languages=[en,de]", "sampling.languages=[EN,fr,ru]", "language_fraction.zh=0.5")
    assert caught.value.problems == [
        "sampling.languages: fr, ru not among corpus.languages (en, de); add it there, or choose another",
        "language_fraction.zh: it is not trained on; add it to corpus.languages, or leave it out",
        "language_fraction.zh: it is not trained on; add it to sampling.languages, or leave it out",
    ]


def test_babelbatch_data_names_all_that_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert describe(["corpus=lareqa", "benchmarks=[xquad_r,tatoeba]", "encoder=labse"]) == 2
    lines = capsys.readouterr().err.splitlines()[1:]
    assert [line.partition(" is not in the cache, and HF_HUB_OFFLINE is set; ")[0] for line in lines] == [
        "  - corpus: MLQA-R", "  - benchmarks.xquad_r: XQuAD-R", "  - benchmarks.tatoeba: Tatoeba",
        "  - encoder.name_or_path: setu4993/LaBSE",
    ]  # fmt: skip


def test_what_the_user_has_is_not_asked_for(composed: Callable, tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    found = composed(
        "corpus=lareqa", f"corpus.data_dir={tmp_path}", "encoder=local", f"encoder.name_or_path={tmp_path}",
    )  # fmt: skip
    check_needs(found)
    assert problems_of_missing([]) == []


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_rows_of_the_hub_that_were_read_need_no_connection(
    composed: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those of another commit, or of a branch, are named with the way to read them."""
    (tmp_path / "owner" / "name").mkdir(parents=True)
    row = {"id": "1", "language": "en", "question": "Is it?", "passage": "It is."}
    (tmp_path / "owner" / "name" / "train.jsonl").write_text(json.dumps(row))
    table = ["corpus=table", "corpus.hub=owner/name"]
    monkeypatch.chdir(tmp_path)
    check_needs(composed(*table))  # a folder
    load_corpus(hub="owner/name", revision=COMMIT)
    monkeypatch.chdir(tmp_path / "owner")
    check_needs(composed(*table, f"corpus.revision={COMMIT}"))
    missing = "corpus: owner/name is not in the cache, and HF_HUB_OFFLINE is set; read it where there is a connection"
    other = "or set corpus.path to a folder with its files"
    for more, command in (
        (["corpus.revision=main"], "babelbatch-data with the same settings and corpus.revision=<commit>"),
        ([f"corpus.revision={COMMIT[::-1]}"], "babelbatch-data with the same settings"),
        ([f"corpus.revision={COMMIT}", "corpus.split=test"], "babelbatch-data with the same settings"),
    ):
        assert refused(composed(*table, *more)) == [f"{missing} ({command}), {other}"]


def test_rows_of_the_hub_are_not_fetched_by_trying_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus=table", "corpus.hub=owner/name", "benchmarks=[world_facts]", "encoder=static"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "babelbatch: corpus: hub: the rows of owner/name are streamed; read them into the cache with babelbatch-data "
        "and the commit as revision=",
        "babelbatch: 1 of 1 are not fetched",
    ]


def test_a_dry_run_lists_without_a_connection(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run", "experiment=mlqa_r", "encoder=xlmr_base", "benchmarks.xquad_r.languages=[en]"]) == 0
    place = "https://raw.githubusercontent.com/google-research-datasets/lareqa"
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [[cell.strip() for cell in row if cell] for row in rows] == [
        ["setting", "what", "size", "licence", "in the cache", "from"],
        ["corpus", "MLQA-R", "about 13.6 MB", "CC BY-NC 4.0", "no",
         f"{place}/354d67d1cd066854cdfbf5ad0e6105528976141d/mlqa-r/ (7 files)"],
        ["benchmarks.xquad_r", "XQuAD-R", "about 629 kB", "CC BY-SA 4.0", "no",
         f"{place}/9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c/xquad-r/en.json"],
        ["encoder.name_or_path", "FacebookAI/xlm-roberta-base", "about 1.1 GB", "see its page", "no",
         "https://huggingface.co/FacebookAI/xlm-roberta-base"],
        ["in all 1.1 GB"],
    ]  # fmt: skip


def test_of_a_data_set_that_is_fetched_in_part_the_whole_size_is_a_bound_and_counts_once(tmp_path: Path) -> None:
    mmarco, xquad_r, miracl = (
        f"babelbatch.{name}"
        for name in ("corpora.mmarco.load_corpus", "benchmarks.lareqa.load_benchmark", "corpora.miracl.load_corpus")
    )

    def listed(*loaders: dict) -> list[list[str]]:
        names = ("corpus", "validation")
        table = cells(needs_table(needs_of([dict(zip(names, loaders, strict=False))])[0]))
        return [row[2:3] if len(row) > 1 else row for row in table[1:]]

    german, english = ({"_target_": mmarco, "languages": [language]} for language in ("de", "en"))
    bound = ["at most 58.0 GB (the whole data set)"]
    assert listed(german, english) == [bound, bound, ["in all at most 58.0 GB"]]
    assert listed(german, {"_target_": miracl}) == [
        bound, ["unknown"], ["in all at most 71.4 GB, without what is unknown"],
    ]  # fmt: skip
    assert listed({"_target_": "babelbatch.corpora.mr_tydi.load_corpus"})[0] == ["at most 1.1 GB (the whole data set)"]
    # Files that two settings share, of which one needs more.
    some, more = ({"_target_": xquad_r, "dataset": "xquad_r", "languages": codes} for codes in (["en"], ["en", "de"]))
    assert listed(some, more) == [["about 629 kB"], ["about 1.4 MB"], ["in all 1.4 MB"]]
    # What the cache has of a data set is within the bound of the rest.
    (tmp_path / "file").write_bytes(b"0" * 1000)
    (missing,) = needs_of([{"corpus": english}])[0]
    there = SimpleNamespace(place=missing.places[0], cached=lambda: [tmp_path / "file"])
    needs = [Need("corpus", "mMARCO", "unknown", requests=[there]), missing]
    assert [row[2] for row in cells(needs_table(needs))[1:3]] == ["1.0 kB", *bound]
    assert needs_table(needs).endswith("\nin all at most 58.0 GB")
    assert needs_table(needs[:1]).endswith("\nin all 1.0 kB")
    assert needs_table([Need("corpus", "mine.load", "unknown")]).endswith("\nin all: unknown")


def test_two_data_sets_of_one_owner_are_no_files_of_a_folder() -> None:
    needs, _ = needs_of([{"corpus": {"_target_": "babelbatch.corpora.miracl.load_corpus", "languages": ["sw"]}}])
    places = [f"https://huggingface.co/datasets/miracl/{name}" for name in ("miracl", "miracl-corpus")]
    assert cells(needs_table(needs))[1][-1] == ", ".join(places)


def cells(printed: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell] for line in printed.splitlines()]


def test_what_a_loader_of_the_users_fetches_is_unknown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loader_of_mine.py").write_text("def load_from_hub(languages=None): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    typed = [
        "corpus=world_facts", "corpus._target_=loader_of_mine.load_from_hub", "encoder=tiny", "benchmarks=world_facts",
    ]  # fmt: skip
    unknown = "corpus: what loader_of_mine.load_from_hub fetches is unknown, and it is not fetched here."
    assert main(["--dry-run", *typed]) == 0
    assert cells(capsys.readouterr().out)[1] == [
        "corpus", "loader_of_mine.load_from_hub", "unknown", "not known to babelbatch", "unknown", "unknown",
    ]  # fmt: skip
    assert main(typed) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [unknown]
    monkeypatch.setattr("babelbatch.commands.fetch._fetched", lambda need, recorded: [])
    assert main([*typed, "encoder=labse"]) == 0
    assert capsys.readouterr().out.splitlines()[4:] == [
        unknown,
        f"Everything else is in {tmp_path / 'cache'}. On a machine without a connection set:",
        f"  export BABELBATCH_CACHE={tmp_path / 'cache'} HF_HUB_OFFLINE=1",
    ]


def test_every_part_of_the_users_is_listed_once_and_none_is_missing() -> None:
    own = {"_target_": "mine.load", "path": "/data"}
    cfg = {
        "corpus": {"_target_": "babelbatch.corpora.mixture.load_corpus", "parts": {"a": own}},
        "benchmarks": {"b": own},
        "transform": {"_target_": "mine.Transform"},
        "encoder": {"_target_": "mine.encoder", "name_or_path": "/models/a"},
        "loss": {"teacher": {"_target_": "mine.teacher", "name_or_path": "/models/b"}},
    }
    needs, problems = needs_of([cfg, cfg])
    assert [(need.path, need.name) for need in needs] == [
        ("corpus.parts.a", "mine.load"), ("benchmarks.b", "mine.load"), ("encoder", "mine.encoder"),
        ("loss.teacher", "mine.teacher"), ("transform", "mine.Transform"),
    ]  # fmt: skip
    assert all(need.is_unknown and need.cached() is None for need in needs)
    assert problems == problems_of_missing(needs) == []


def test_an_adapter_in_a_folder_needs_its_model(composed: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    stated = folder / "adapter_config.json"
    stated.write_text('{"peft_type": "LORA", "base_model_name_or_path": "FacebookAI/xlm-roberta-base"}')
    typed = ["encoder=local", f"encoder.name_or_path={folder}"]
    assert refused(composed(*typed)) == [
        f"encoder.name_or_path: FacebookAI/xlm-roberta-base, the model of the adapter in {folder}, is not in the "
        "cache, and HF_HUB_OFFLINE is set; fetch it where there is a connection (babelbatch-fetch with the same "
        f"settings), or name a folder as base_model_name_or_path in {stated}"
    ]
    (need,) = needs_of([{"encoder": {"name_or_path": str(folder)}}])[0]
    assert (need.path, need.model) == ("encoder.name_or_path", "FacebookAI/xlm-roberta-base")
    stated.write_text(f'{{"peft_type": "LORA", "base_model_name_or_path": "{tmp_path}"}}')
    check_needs(composed(*typed))
    stated.write_text('{"peft_type": "LORA", "base_model_name_or_path": "FacebookAI/xlm-roberta-base"}')
    (folder / "config.json").touch()  # a model of its own, beside which an adapter is not read
    check_needs(composed(*typed))


def test_what_is_typed_wrong_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run", "encodr=labse"]) == 2
    assert capsys.readouterr().err == (
        "babelbatch: the configuration cannot be run:\n  - encodr: no such key, did you mean 'encoder'?\n"
    )
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("babelbatch-fetch [--dry-run] [-m] ")


def shard(number: int, total: int) -> Path:
    return Path(f"data/train-{number:05}-of-{total:05}.parquet")


def test_a_split_in_parts_is_complete_with_all_of_them() -> None:
    assert has_all_shards([shard(0, 3), shard(1, 3), shard(2, 3), Path("data/dev-00000-of-00001.parquet")])
    assert not has_all_shards([shard(0, 3), shard(2, 3), Path("data/dev-00000-of-00001.parquet")])
    assert not has_all_shards([Path("model-00001-of-00002.safetensors"), Path("config.json")])
    assert has_all_shards([Path("a/train-00000-of-00002.parquet"), Path("a/train-00001-of-00002.parquet")])
    assert not has_all_shards([Path("a/train-00000-of-00002.parquet"), Path("b/train-00001-of-00002.parquet")])


def test_only_the_hub_knows_every_file_of_a_pattern_and_of_a_model() -> None:
    published = Published("team/data", "main", "unknown")
    literal, pattern = HubFiles(published, ("a.tsv", "b.tsv")), HubFiles(published, ("a.tsv", "docs-*.jsonl.gz"))
    assert Need("corpus", "data", "unknown", requests=[literal]).is_listed_in_full
    assert not Need("corpus", "data", "unknown", requests=[literal, pattern]).is_listed_in_full
    assert not Need("encoder.name_or_path", "team/model", "unknown", model="team/model").is_listed_in_full


def cached_card(root: Path, text: str) -> None:
    """A model's card in the hub's cache."""
    folder = root / "models--team--model"
    (folder / "snapshots" / ("1" * 40)).mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text("1" * 40)
    (folder / "snapshots" / ("1" * 40) / "README.md").write_text(text)


def test_the_licence_of_a_model_is_that_on_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert model_licence("team/model") == "see its page"
    for card, licence in {
        "---\nlicense: mit\nlanguage: [en]\n---\n# A model\n": "mit",
        "---\nlicense: other\nlicense_name: gemma\n---\n": "gemma",
        "---\nlicense: [mit, 1]\n---\n": "see its page",
        "---\nlicense: 'mit\n---\n": "see its page",
        "license: mit": "see its page",
    }.items():
        cached_card(tmp_path, card)
        assert model_licence("team/model") == licence, card
