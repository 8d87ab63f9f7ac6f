"""Language codes in every spelling."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest

from babelbatch.batches.code_switching import CodeSwitching
from babelbatch.benchmarks.from_rows import Judgement, Text, benchmark_from_rows
from babelbatch.configuration.rules.corpora import problems_of_language_fraction
from babelbatch.configuration.rules.sampling import problems_of_sampling
from babelbatch.corpora import mixture, with_language_fraction
from babelbatch.corpora.from_pairs import Pair, corpus_from_pairs
from babelbatch.corpora.table import load_corpus
from babelbatch.lexical import BM25
from babelbatch.records import (
    ABSENT,
    Benchmark,
    canonical_language,
    find_language,
    primary_language,
    same_language,
    script_of,
)
from babelbatch.report.languages import distance, language
from babelbatch.sampling import Sampling
from babelbatch.sampling.sampler import Sampler
from babelbatch.sources.languages import chosen_languages, select_languages

CANONICAL = {
    "en": "en", "EN": "en", "eng": "en", "eng_Latn": "en", "en-US": "en-US", "en_us": "en-US",
    "zh": "zh", "zh-Hans": "zh", "zho_Hans": "zh", "cmn": "zh", "zh_Hant": "zh-Hant", "zho_Hant": "zh-Hant",
    "ar": "ar", "arb_Arab": "ar", "ar_Latn": "ar-Latn", "arb_Latn": "ar-Latn", "pt_BR": "pt-BR", "sr-Latn": "sr-Latn",
    "srp_Cyrl": "sr", "kor_Hang": "ko", "jpn_Jpan": "ja", "swh_Latn": "sw", "pes_Arab": "fa", "nan": "nan",
    "npi_Deva": "ne", "iw": "he", "no": "no", "nb": "nb",
    "acm_Arab": "acm", "acq_Arab": "acq", "apc": "apc", "arz_Arab": "arz", "pbt_Arab": "pbt", "fuv_Latn": "fuv",
    "acm_Latn": "acm-Latn", "ajp_Arab": "ajp-Arab",
}  # fmt: skip


def test_one_tag_for_each_spelling():
    assert {code: canonical_language(code) for code in CANONICAL} == CANONICAL
    assert [primary_language(code) for code in ("en-US", "zh_Hant", "ENG_latn", "l1")] == ["en", "zh", "en", "l1"]
    assert find_language("eng_Latn", ["de", "EN"]) == "EN"
    assert find_language("en", ["de", "en-US"]) is None


@pytest.mark.parametrize("code", ["en/../x", "english", "", "e", "en ", "../en", "e n", "123"])
def test_what_is_no_code(code):
    message = f"'{code}' is not a language; write a code such as en or zh-Hant"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        canonical_language(code)


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def table(folder: Path, *codes: str) -> str:
    rows = [
        f'{{"id": "{n // 2}", "language": "{code}", "question": "q{n}", "passage": "p{n}"}}'
        for n, code in enumerate(codes)
    ]
    (folder / "t.jsonl").write_text("\n".join(rows))
    return str(folder / "t.jsonl")


def test_two_spellings_in_a_corpus_are_one_language_with_a_line(cached, caplog):
    path = table(cached, "de", "en", "DE", "EN", "deu_Latn", "eng_Latn")
    with caplog.at_level(logging.INFO):
        corpus = load_corpus(path)
    assert corpus.languages == ("de", "en")
    assert (corpus.queries != ABSENT).all()
    assert corpus.queries.shape == (3, 2)
    for line in (
        "DE, deu_Latn is read as the language de: one language",
        "EN, eng_Latn is read as the language en: one",
    ):
        assert any(message.startswith(f"corpus table: {line}") for message in caplog.messages), caplog.messages
    assert load_corpus(path, languages=["eng_Latn"]).languages == ("en",)


def test_a_code_that_is_none_is_named_with_its_line(cached):
    path = table(cached, "en", "en/../x")
    with pytest.raises(
        ValueError, match=r"t\.jsonl, line 2: 'en/\.\./x' is not a language; write a code such as en or"
    ):
        load_corpus(path)
    rows = [Text("1", "en/../x", "x")]
    with pytest.raises(ValueError, match=r"candidates of mine, line 1: 'en/\.\./x' is not a language"):
        benchmark_from_rows("mine", rows, rows, [Judgement("1", "1")], protocol="mine")


@pytest.mark.parametrize(
    ("code", "instead"),
    [
        ("jp", "if the country is meant, its language is 'ja'"),
        ("cz", "if the country is meant, its language is 'cs'"),
        ("faq", "write a code such as en or zh-Hant"),
        ("en-train", "write a code such as en or zh-Hant"),
    ],
)
def test_a_code_that_does_not_exist_is_no_language(cached: Path, code: str, instead: str) -> None:
    """Text under it would be one more language to draw from, and Japanese one that was not trained on."""
    with pytest.raises(ValueError, match=rf"t\.jsonl, line 2: there is no language '{code}'; {instead}"):
        load_corpus(table(cached, "en", code))
    with pytest.raises(ValueError, match=f"language: there is no language '{code}'"):
        load_corpus(table(cached, "en"), language=code)


@pytest.mark.parametrize("code", ["es-419", "kzj", "acm", "de-1996", "sr-Latn", "ber", "qaa"])
def test_rare_codes_that_exist(cached: Path, code: str) -> None:
    assert load_corpus(table(cached, code)).languages == (canonical_language(code),)


def test_what_yaml_makes_of_codes():
    assert chosen_languages(["NAN", "no"]) == ["nan", "no"]
    for value, code in ((float("nan"), "nan"), (False, "no")):
        message = f"languages: YAML reads a bare {code} as {value!r}; write it in quotes, '{code}'"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            chosen_languages([value, "en"])
    with pytest.raises(ValueError, match="names no language, or one twice"):
        chosen_languages(["en", "EN"])


def test_published_sets_keep_their_codes():
    assert select_languages("mine", ("en", "zh_Hant", "de"), ["zho_Hant", "ENG"]) == ("zh_Hant", "en")


def pairs(*codes: str) -> list[Pair]:
    return [Pair(str(n), code, f"q{n} {code}", f"p{n} {code}") for n in range(4) for code in codes]


def test_the_parts_of_a_mixture_share_their_languages():
    parts = {"a": corpus_from_pairs("a", pairs("en", "zh_Hant")), "b": corpus_from_pairs("b", pairs("eng_Latn", "de"))}
    corpus = mixture.load_corpus(parts)
    assert corpus.languages == ("en", "zh-Hant", "de")
    assert ((corpus.queries != ABSENT).sum(axis=0)).tolist() == [8, 4, 4]


def test_sampling_finds_a_language_in_another_spelling():
    corpus = corpus_from_pairs("a", pairs("en", "de", "fr"))
    sampler = Sampler(corpus, Sampling(name="x_x", alpha=1.0, batch_size=4, languages=["deu", "EN"]), seed=0)
    drawn = {language for step in range(8) for language in sampler.plan(step).query_languages.tolist()}
    assert drawn == {0, 1}


def benchmark(code: str) -> Benchmark:
    candidates = [Text("a", code, "the horses were running"), Text("b", code, "a cow")]
    return benchmark_from_rows(
        "mine", [Text("q", code, "horse run")], candidates, [Judgement("q", "a")], protocol="mine"
    )


@pytest.mark.parametrize("code", ["en", "EN", "en-US", "eng_Latn"])
def test_bm25_stems_in_every_spelling(code):
    queries, candidates = BM25().vectors(benchmark(code))
    assert (queries @ candidates.T).toarray()[0, 0] > 0


def test_bm25_says_where_no_stemmer_exists(caplog):
    with caplog.at_level(logging.INFO):
        BM25().vectors(benchmark("sw"))
        BM25().vectors(benchmark("en"))
        BM25(stem=False).vectors(benchmark("sw"))
    found = [message for message in caplog.messages if "stemmer" in message]
    assert found == ["mine: no stemmer exists for sw; words are compared as they are"]


def test_the_report_knows_a_language_in_every_spelling():
    for code in ("en-US", "eng_Latn", "EN"):
        assert (language(code).name, language(code).script, language(code).resources) == ("English", "Latin", 5)
        assert distance("syntactic", code, "deu_Latn") == distance("syntactic", "en", "de") is not None
    assert language("qqq").name == "qqq"
    assert np.isclose(distance("genetic", "en", "zho_Hans") or 0, distance("genetic", "en", "zh") or 1)


VARIETIES = {  # of Arabic, Pashto and Fulah in Belebele and FLORES: name, script
    "acm_Arab": ("acm_Arab", "Arabic"), "arz_Arab": ("Egyptian Arabic", "Arabic"), "pbt_Arab": ("pbt_Arab", "Arabic"),
    "fuv_Latn": ("fuv_Latn", "Latin"), "ary": ("Moroccan Arabic", "Arabic"), "ajp_Arab": ("ajp_Arab", "Arabic"),
}  # fmt: skip


def test_varieties_are_languages_of_their_own() -> None:
    """They do not get the resources and distances of the language that they belong to; unknown is unknown."""
    for code, known in VARIETIES.items():
        found = language(code)
        assert (found.name, found.script) == known, code
        assert found.resources is None
        assert distance("syntactic", code, "en") is None
    assert language("ar").resources == 5
    assert find_language("arb_Arab", ["acm", "ar"]) == "ar"
    assert find_language("acm_Arab", ["ar", "acm"]) == "acm"
    assert find_language("acm", ["ar"]) is None


def test_scripts_of_languages() -> None:
    assert (language("hi-Latn").script, language("hin_Deva").script) == ("Latin", "Devanagari")
    assert (language("zh-Hant").script, language("ja").script, language("kor_Hang").script) == (
        "Han",
        "Japanese",
        "Hangul",
    )
    assert (language("uk").name, language("uk").script, language("uk").resources) == ("Ukrainian", "Cyrillic", None)
    assert [language(code).script for code in ("qqq", "en/../x")] == [None, None]
    assert [script_of(code) for code in ("sr-Latn", "srp_Cyrl", "th", "zho_Hant", "english")] == [
        "Latn", "Cyrl", "Thai", "Hant", None,
    ]  # fmt: skip


def test_settings_find_a_language_in_another_spelling(make_corpus) -> None:
    corpus = make_corpus(20, ("en", "de", "zh"))
    plain, spelled = (with_language_fraction(corpus, {code: 0.5}, 0) for code in ("zh", "zho_Hans"))
    assert np.array_equal(plain.queries, spelled.queries)
    with pytest.raises(ValueError, match="language_fraction: zh, ZH name a language twice; leave one of them out"):
        with_language_fraction(corpus, {"zh": 0.5, "ZH": 0.5}, 0)
    cfg = {
        "corpus": {"languages": ["eng_Latn", "zho_Hans"]},
        "sampling": {"languages": ["EN", "zh"]},
        "language_fraction": {"zh-Hans": 0.5, "eng": 0.5},
    }
    assert list(problems_of_language_fraction(cfg)) == []
    cfg["language_fraction"] = {"acm": 0.5}
    assert [problem.partition(";")[0] for problem in problems_of_language_fraction(cfg)] == [
        "language_fraction.acm: it is not trained on"
    ] * 2
    crossing = {"alpha": 0.5, "languages": ["eng_Latn", "de"], "cross_language": "english"}
    assert list(problems_of_sampling(crossing)) == []
    assert list(problems_of_sampling(crossing | {"languages": ["fr", "de"]})) == [
        "languages: cross_language=english pairs languages with English; add en"
    ]


def test_the_source_and_the_targets_of_code_switching(tmp_path: Path) -> None:
    for name in ("en-de", "eng-fra", "de-en", "en-eng"):
        (tmp_path / f"{name}.txt").write_text("a b\n")
    assert list(CodeSwitching(str(tmp_path), source="eng_Latn").files) == ["de", "fra"]
    assert list(CodeSwitching(str(tmp_path), source="EN", targets=["fr"]).files) == ["fra"]


def test_two_codes_of_three_letters_are_two_languages() -> None:
    """As in the Tatoeba test set, though `kzj` has been retired in favour of `dtp`."""
    assert same_language(("dtp", "kzj", "en")) is None
    assert same_language(("dtp", "eng", "en")) == ("eng", "en")
