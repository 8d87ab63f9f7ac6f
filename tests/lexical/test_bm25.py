"""BM25 and character n-grams: terms and scores by hand, and the whole evaluation on real files."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babelbatch.benchmarks.lareqa import load_benchmark
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.ranking import rank
from babelbatch.lexical import BM25, CharNgrams, Lexical
from babelbatch.lexical.terms import stemmer, terms
from babelbatch.records import Benchmark
from babelbatch.search.index import Exact
from commands import metrics, run_forked


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Don't PANIC: 42 %!", "en", ["don", "t", "panic", "42"]),
        ("Straße", "de", ["strasse"]),
        ("İstanbul IŞIK", "tr", ["istanbul", "ışık"]),
        ("I\u0307stanbul IS\u0327IK", "az", ["istanbul", "ışık"]),
        ("IŞIK", "de", ["işik"]),
        ("हिन्दी में", "hi", ["हिन्दी", "में"]),  # vowel signs are marks, not letters
        ("cafe\u0301 caf\u00e9", "fr", ["caf\u00e9", "caf\u00e9"]),
        ("ＡＢＣ ①", "ja", ["abc", "1"]),
        ("我是中国人。人 ABC한국", "zh", ["我是", "是中", "中国", "国人", "人", "abc", "한국"]),
        ("データを使う", "ja", ["デー", "ータ", "タを", "を使", "使う"]),
        ("ﾃﾞｰﾀ", "ja", ["デー", "ータ"]),  # half width
        ("iPhone15を買う", "ja", ["iphone15", "を買", "買う"]),
        ("ไทยดี", "th", ["ไท", "ทย", "ยดี"]),  # a consonant keeps its vowel
        ("", "en", []),
        ("?! … 。", "zh", []),
    ],
)
def test_terms(text, language, expected):
    assert terms(text, language) == expected


def test_words_are_stemmed_and_pairs_are_not():
    assert terms("running runs", "en", stemmer("en")) == ["run", "run"]
    assert terms("Häuser", "de", stemmer("de")) == terms("Haus", "de", stemmer("de"))
    assert terms("running 中国人", "zh", lambda word: word[:3]) == ["run", "中国", "国人"]
    assert stemmer("vi") is None


def benchmark_of(queries: list[str], candidates: list[str], language: str = "en") -> Benchmark:
    """All in one language; candidate 0 answers everything."""
    return Benchmark(
        name="small",
        languages=(language,),
        query_ids=tuple(f"q{row}" for row in range(len(queries))),
        query_texts=tuple(queries),
        query_languages=np.zeros(len(queries), np.int16),
        candidate_ids=tuple(f"d{row}" for row in range(len(candidates))),
        candidate_texts=tuple(candidates),
        candidate_languages=np.zeros(len(candidates), np.int16),
        relevant_offsets=np.arange(len(queries) + 1),
        relevant=np.zeros(len(queries), np.int64),
        protocol="made by hand",
    )


def scores_of(lexical: Lexical, benchmark: Benchmark) -> np.ndarray:
    queries, candidates = lexical.vectors(benchmark)
    return (queries @ candidates.T).toarray()


def test_bm25_of_one_term_by_hand():
    """Of 3 candidates 2 have 'red'. Lengths are 2, 3 and 1, 2 on average. With k1 = 1 and b = 0.5 the saturation is
    f / (f + 0.5 + 0.25 length): 1 / 2 for 'red car', 2 / 3.25 for 'red red house'."""
    benchmark = benchmark_of(["red", "red red", "blue", ""], ["red car", "red red house", "boat"])
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = np.array([idf / 2, idf * 2 / 3.25, 0])
    found = scores_of(BM25(k1=1.0, b=0.5), benchmark)
    np.testing.assert_allclose(found, [expected, 2 * expected, 0 * expected, 0 * expected], rtol=1e-6)


WORDS = ["the", "the", "the", "is", "is", "a", "a", "red", "red", "blue", "sky", "sea", "boat", "bird"]


def test_bm25_beside_the_formula():
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 1 + row % 9)) for row in range(60)]
    queries = [" ".join(random.choice([*WORDS, "unheard"], 4)) for _ in range(20)]
    counts = [Counter(text.split()) for text in texts]
    mean = sum(count.total() for count in counts) / len(counts)
    having = Counter(word for count in counts for word in count)
    k1, b = 0.9, 0.4

    def by_formula(query: str, count: Counter[str]) -> float:
        return sum(
            math.log(1 + (60 - having[word] + 0.5) / (having[word] + 0.5))
            * (count[word] / (count[word] + k1 * (1 - b + b * count.total() / mean)))
            for word in query.split()
        )

    expected = [[by_formula(query, count) for count in counts] for query in queries]
    np.testing.assert_allclose(scores_of(BM25(stem=False), benchmark_of(queries, texts)), expected, rtol=1e-5)


def test_statistics_are_of_the_whole_pool():
    """'die' is rare in English, 1 of 2 candidates, and common in the pool: 3 of 4 have it."""
    benchmark = benchmark_of(["die"], ["die eins", "die zwei", "to die", "two"])
    languages = np.array([0, 0, 1, 1], np.int16)
    two = replace(benchmark, languages=("de", "en"), candidate_languages=languages)
    alone, among = scores_of(BM25(stem=False), benchmark), scores_of(BM25(stem=False), two)
    assert np.array_equal(alone, among)
    expected = math.log(1 + (4 - 3 + 0.5) / (3 + 0.5)) / (1 + 0.9 * (0.6 + 0.4 * 2 / 1.75))
    assert among[0, 2] == pytest.approx(expected, rel=1e-6)


def test_columns_are_in_the_order_of_first_occurrence():
    """Not in that of a set, which is another one in every process, and with it the rounding of every sum."""
    queries, candidates = BM25(stem=False).vectors(benchmark_of(["b d a b"], ["d c", "b d", "a"]))
    assert queries.toarray().tolist() == [[1, 0, 2, 1]]
    assert (candidates.toarray() > 0).tolist() == [
        [True, True, False, False], [True, False, True, False], [False, False, False, True],
    ]  # fmt: skip
    assert (queries.dtype, candidates.dtype) == (np.float32, np.float32)


def test_char_ngrams_by_hand():
    """Bigrams of ' ab ' and ' ab ac ', with N = 2. ' a' and 'ab', 'b ' are in both: idf 1. 'ac' and 'c ' are in one:
    idf 1 + ln(3 / 2). ' a' comes twice in the second: 1 + ln 2."""
    benchmark = benchmark_of(["ab", "AC", "xyz"], ["ab", "ab ac"])
    rare, twice = 1 + math.log(3 / 2), 1 + math.log(2)
    first = np.array([1, 1, 1, 0, 0])
    second = np.array([twice, 1, 1, rare, rare])
    asked = np.array([1, 0, 0, rare, rare])  # ' a', 'ac', 'c '

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return a @ b / math.sqrt((a @ a) * (b @ b))

    expected = [[1, cosine(first, second)], [cosine(asked, first), cosine(asked, second)], [0, 0]]
    np.testing.assert_allclose(scores_of(CharNgrams(least=2, most=2), benchmark), expected, atol=1e-6)


@pytest.mark.parametrize("lexical", [BM25(), CharNgrams()])
def test_equal_texts_tie_and_the_greater_id_goes_first(lexical):
    texts = ["a red car", "the blue boat and a red sky", "A  RED car!", "the blue boat and a red sky"]
    benchmark = benchmark_of(["which car is red?", "sky"], texts)
    if isinstance(lexical, CharNgrams):
        texts[2] = texts[0]
        benchmark = benchmark_of(["which car is red?", "sky"], texts)
    top = rank(benchmark, *lexical.vectors(benchmark), k=4)[1]
    assert top.candidates.tolist() == [[2, 0, 3, 1], [3, 1, 2, 0]]
    assert (top.scores[:, 0] == top.scores[:, 1]).all()
    assert (top.scores[:, 2] == top.scores[:, 3]).all()


def test_a_pool_without_anything_to_find():
    with pytest.raises(ValueError, match=r"^benchmark small: no candidate has a letter or a digit"):
        BM25().vectors(benchmark_of(["red"], ["?", "!"]))
    with pytest.raises(ValueError, match=r"^benchmark small: no candidate has anything but spaces"):
        CharNgrams().vectors(benchmark_of(["red"], ["", " "]))
    with pytest.raises(ValueError, match=r"^encoder\.least: 3 is not between 1 and encoder\.most=2$"):
        CharNgrams(least=3, most=2)


def test_what_needs_dense_vectors():
    benchmark = benchmark_of(["red"], ["red", "blue"])
    with pytest.raises(ValueError, match=r"^an index searches dense vectors"):
        Evaluation(index=Exact())(BM25(), benchmark)
    with pytest.raises(ValueError, match=r"^debias works on dense vectors"):
        Evaluation(debias="centre")(BM25(), benchmark)


@pytest.mark.parametrize("lexical", [BM25(), CharNgrams()])
def test_xquad_r(shared_data, lexical):
    """Good within a language, in any script; across languages little more than names and numbers."""
    benchmark = load_benchmark("xquad_r", str(shared_data / "xquad-r"), languages=["en", "ru", "th", "zh"])
    found = Evaluation()(lexical, benchmark).metrics
    for language in benchmark.languages:
        assert 0.7 < found[f"xquad_r/monolingual/map/{language}"] < 0.9
    assert 0.01 < found["xquad_r/crosslingual/map"] < 0.15
    assert found["xquad_r/multilingual/map"] < 0.35
    assert found["xquad_r/multilingual/language_preference"] > 0.9


@pytest.mark.slow
def test_the_command(tmp_path: Path):
    """The same numbers and files as of a dense encoder."""
    few = ["benchmarks.world_facts.languages=[de,en]", "logger=none", "evaluation.trec_files=true"]
    run_forked("babelbatch-evaluate", "encoder=bm25", "encoder.k1=1.2", *few, "output_dir=found", cwd=tmp_path)
    found = metrics(tmp_path / "found")
    assert found["parameters"] == 0
    assert found["world_facts/monolingual/map"] > 1.5 * found["world_facts/crosslingual/map"] > 0
    assert {"mrc@10", "peer@100", "rank_distance"} <= {key.split("/")[2] for key in found if key.count("/") == 2}
    for name in ("per_query.parquet", "trec/world_facts_multilingual.run", "world_facts_map.png"):
        assert (tmp_path / "found" / name).is_file()


@pytest.mark.slow
def test_a_sweep_of_evaluations_ends_with_its_report(tmp_path: Path):
    few = ["benchmarks.world_facts.languages=[de,en]", "logger=none"]
    done = run_forked("babelbatch-evaluate", "-m", "encoder=bm25,char_ngrams", *few, cwd=tmp_path)
    place = tmp_path / "multirun" / "evaluate"
    for folder in place.glob("*_*"):  # whose table is whose
        assert f"world_facts: {folder.name}" in " ".join(done.stdout.split())
    assert done.stdout.endswith(f"Report, with confidence intervals and tests:\n  {place / 'report' / 'report.html'}\n")
    report = (place / "report" / "report.md").read_text()
    assert "No system here was trained with a seed: intervals and tests are over queries only." in report
    assert "run at least three" not in report
