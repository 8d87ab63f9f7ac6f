"""The built-in data: facts, their texts and their split."""

from __future__ import annotations

import hashlib
import os
from collections import Counter

import numpy as np
import pytest

from babelbatch.benchmarks.world_facts import load_benchmark
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.records import ABSENT
from babelbatch.sources.world_facts import LANGUAGES, RELATIONS, facts, split, texts
from babelbatch.sources.world_facts_wordings import load_wordings
from processes import python


def objects(relation: str) -> dict[str, str]:
    return {fact.subject: fact.object for fact in facts() if fact.relation == relation}


def query_and_passage(fact_id: str, language: str) -> tuple[str, str]:
    row = [fact.id for fact in facts()].index(fact_id)
    return texts(language).queries[row], texts(language).passages[row]


def test_counts():
    assert Counter(fact.relation for fact in facts()) == COUNTS
    assert len(facts()) == sum(COUNTS.values()) == 2331
    assert len({fact.id for fact in facts()}) == 2331


COUNTS = {
    "currency": 248,
    "currency_since": 248,
    "official_language": 244,
    "week_start": 247,
    "weekend_start": 247,
    "script": 515,
    "home": 520,
    "script_language": 62,
}


@pytest.mark.parametrize(
    ("relation", "known"),
    [
        ("currency", {"JP": "JPY", "DE": "EUR", "PE": "PEN", "EC": "USD", "CH": "CHF"}),
        ("currency_since", {"DE": "1999", "HR": "2023", "EC": "2000", "BR": "1994"}),
        # Not `BE: en`: English has more users in Belgium, but is not official there.
        ("official_language", {"BE": "nl", "BR": "pt", "CH": "de", "IN": "hi", "US": "en", "ME": "sr"}),
        ("week_start", {"DE": "0", "US": "6", "EG": "5", "MV": "4", "PT": "6"}),
        ("weekend_start", {"DE": "5", "EG": "4", "AF": "3", "IN": "6"}),
        ("script", {"tr": "Latn", "ru": "Cyrl", "hi": "Deva", "ar": "Arab", "ja": "Jpan", "grc": "Grek"}),
        ("home", {"pt": "BR", "de": "DE", "ca": "ES", "la": "VA"}),
        ("script_language", {"Deva": "hi", "Cyrl": "ru", "Hira": "ja", "Xsux": "akk"}),
    ],
)
def test_known_facts(relation, known):
    assert {subject: objects(relation)[subject] for subject in known} == known


@pytest.mark.parametrize(
    ("relation", "subject", "why"),
    [
        ("currency", "PA", "two currencies are legal tender"),
        ("currency", "AQ", "no currency"),
        ("official_language", "NU", "the first two languages are equal"),
        ("official_language", "AC", "no official language"),
        ("week_start", "ST", "its only locale would inherit the week of Portugal"),
        ("script", "zh", "CLDR calls the script `Simplified`"),
        ("script", "und", "not a language"),
        ("home", "eo", "at home in the whole world"),
        ("home", "apc", "CLDR has no name for it in some languages"),
    ],
)
def test_facts_left_out(relation, subject, why):
    assert subject not in objects(relation), why


def test_the_week_is_not_inherited_from_another_territory():
    """`pt_AO` inherits Portugal's Sunday; CLDR lists Portugal and Mozambique, but not Angola."""
    assert {code: objects("week_start")[code] for code in ("AO", "CV", "GW", "MZ")} == {
        "AO": "0",
        "CV": "0",
        "GW": "0",
        "MZ": "6",
    }


@pytest.mark.parametrize(
    ("fact_id", "language", "question", "passage"),
    [
        (
            "currency/JP",
            "de",
            "Mit welchem Geld bezahlt man im folgenden Land oder Gebiet: Japan?",
            "Die offizielle Währungseinheit Japanischer Yen gilt an folgendem Ort: Japan.",
        ),
        (
            "currency/JP",
            "en",
            "What money do people pay with in the following country or territory: Japan?",
            "The Japanese Yen circulates as official money in this place: Japan.",
        ),
        (
            "currency/JP",
            "zh",
            "日本使用哪种法定货币？",
            "在下列地方，商品以日元计价：日本。",
        ),
        (
            "currency/US",
            "tr",
            "Şu ülke veya bölgede ödemeler hangi parayla yapılır: Amerika Birleşik Devletleri?",
            "Amerika Birleşik Devletleri için yasal ödeme aracı şudur: ABD doları.",
        ),
        (
            "official_language/BE",
            "es",
            "¿Qué idioma oficial tiene más usuarios en el siguiente país o territorio: Bélgica?",
            "Bélgica: el idioma oficial que conoce una mayor parte de la población es el siguiente: neerlandés.",
        ),
        (
            "script/ru",
            "ru",
            "Какой системой письма, как правило, записаны тексты на следующем языке: русский?",
            "На языке «русский» чаще всего пишут, прибегая к следующей письменности: кириллица.",
        ),
        (
            "home/la",
            "el",
            "Με ποια χώρα ή περιοχή συνδέεται στενότερα η γλώσσα «Λατινικά»;",
            "Η γλώσσα «Λατινικά» αποδίδεται πρωτίστως στην εξής χώρα ή περιοχή: Βατικανό.",
        ),
        (
            "weekend_start/EG",
            "ar",
            "في أي يوم تبدأ عطلة نهاية الأسبوع في مصر؟",
            "يوم الجمعة هو مستهل العطلة الأسبوعية في المكان التالي: مصر.",
        ),
        (
            "week_start/AE",
            "th",
            "วันแรกของสัปดาห์ในประเทศหรือดินแดนต่อไปนี้คือวันอะไร: สหรัฐอาหรับเอมิเรตส์",
            "ผู้คนนับวันจันทร์เป็นวันขึ้นสัปดาห์ใหม่ในสถานที่ต่อไปนี้: สหรัฐอาหรับเอมิเรตส์",
        ),
        (
            "currency_since/BG",
            "vi",
            "Bulgaria dùng đồng tiền hiện nay từ khi nào?",
            "Tiền đang lưu hành được đưa vào sử dụng năm 1999 tại nơi sau đây: Bulgaria.",
        ),
        (
            "script_language/Deva",
            "hi",
            "यह लेखन प्रणाली सबसे ज़्यादा किस भाषा के लिए जानी जाती है: देवनागरी?",
            "“देवनागरी” लेखन प्रणाली वाला पाठ पूरी संभावना से इस भाषा का होगा: हिन्दी।",
        ),
        (
            "currency/CK",
            "ru",
            "О-ва Кука: какая валюта является там законным платёжным средством?",
            "О-ва Кука: местная денежная единица — новозеландский доллар.",
        ),
    ],
)
def test_sentences(fact_id, language, question, passage):
    assert query_and_passage(fact_id, language) == (question, passage)


def test_each_relation_has_two_wordings_in_each_language():
    wordings = load_wordings(tuple(RELATIONS), LANGUAGES)
    assert list(wordings) == [(relation, language) for relation in RELATIONS for language in LANGUAGES]
    for each in wordings.values():
        assert len(set(each.queries)) == len(set(each.passages)) == 2


END_OF_QUESTION = {"ar": "؟", "el": ";", "th": "", "zh": "？"}
END_OF_PASSAGE = {"hi": "।", "th": "", "zh": "。"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts(language):
    questions, passages = texts(language).queries, texts(language).passages
    assert len(set(questions)) == len(set(passages)) == len(facts())
    assert not set(questions) & set(passages)
    for question, passage in zip(questions, passages, strict=True):
        assert question.endswith(END_OF_QUESTION.get(language, "?"))
        assert passage.endswith(END_OF_PASSAGE.get(language, "."))
        for text in (question, passage):
            assert text == text.strip()
            assert "  " not in text
            assert not set("{}\n\u200e\u200f") & set(text)
            assert not text[0].islower()


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_wordings_are_used(language):
    """About half of the facts get either wording, and question and passage are drawn apart."""
    rows = [row for row, fact in enumerate(facts()) if fact.relation == "script"]
    wordings = load_wordings(tuple(RELATIONS), LANGUAGES)["script", language]
    first_question, first_passage = wordings.queries[0], wordings.passages[0]

    def begins(text: str, template: str) -> bool:
        before, after = template.split("{subject}")
        return text.startswith(before) and after.split("{object}")[0] in text

    drawn = Counter(
        (begins(texts(language).queries[row], first_question), begins(texts(language).passages[row], first_passage))
        for row in rows
    )
    assert len(drawn) == 4
    assert min(drawn.values()) > len(rows) / 6


def test_split_is_pinned():
    train, held = split(0, 0.2)
    assert (len(train), len(held)) == (1931, 400)
    assert sorted(train + held) == list(range(len(facts())))
    ids = "\n".join(facts()[row].id for row in held)
    assert hashlib.sha256(ids.encode()).hexdigest()[:16] == "6ab4fd6dc2c909f2"
    assert [facts()[row].id for row in held[:3]] == ["currency/AD", "currency/AO", "currency/AR"]


def test_split_depends_on_the_seed_and_the_share():
    assert split(1, 0.2) != split(0, 0.2)
    assert [len(split(0, share)[1]) for share in (0.1, 0.5)] == [208, 898]


@pytest.mark.parametrize("seed", range(3))
def test_held_out_subjects_are_known_from_training(seed):
    train, held = split(seed, 0.2)
    known = {entity for row in train for entity in facts()[row].entities}
    assert {facts()[row].entities[0] for row in held} <= known


def test_corpus():
    corpus = load_corpus()
    train, _ = split(0, 0.2)
    assert corpus.name == "world_facts"
    assert corpus.languages == LANGUAGES
    assert corpus.ids == tuple(facts()[row].id for row in train)
    assert corpus.passage_keys.tolist() == list(train)
    assert corpus.queries.shape == corpus.passages.shape == (1931, 11)
    assert corpus.negatives.shape == corpus.negative_keys.shape == (1931, 11, 0)
    assert (corpus.queries.dtype, corpus.passage_keys.dtype, corpus.negatives.dtype) == (np.int32, np.int64, np.int32)
    for row in (0, 1000, 1930):
        for column, language in enumerate(LANGUAGES):
            question, passage = query_and_passage(corpus.ids[row], language)
            assert corpus.query_texts[corpus.queries[row, column]] == question
            assert corpus.passage_texts[corpus.passages[row, column]] == passage


def test_benchmark():
    benchmark = load_benchmark()
    _, held = split(0, 0.2)
    assert len(benchmark.query_ids) == 400 * 11
    assert len(benchmark.candidate_ids) == len(set(benchmark.candidate_ids)) == 2331 * 11
    assert set(benchmark.query_ids) == {facts()[row].id for row in held}
    assert not set(benchmark.query_ids) & set(load_corpus().ids)
    assert not set(benchmark.query_texts) & set(load_corpus().query_texts)
    assert set(load_corpus().passage_texts) < set(benchmark.candidate_texts)
    assert benchmark.relevant_offsets.tolist() == list(range(0, 400 * 11 * 11 + 1, 11))
    for query in (0, 401, 4399):
        fact_id, language = benchmark.query_ids[query], LANGUAGES[benchmark.query_languages[query]]
        assert benchmark.query_texts[query] == query_and_passage(fact_id, language)[0]
        answers = benchmark.relevant[benchmark.relevant_offsets[query] : benchmark.relevant_offsets[query + 1]]
        assert [benchmark.candidate_ids[row] for row in answers] == [f"{other}:{fact_id}" for other in LANGUAGES]
        assert [LANGUAGES[benchmark.candidate_languages[row]] for row in answers] == list(LANGUAGES)
        assert [benchmark.candidate_texts[row] for row in answers] == [
            query_and_passage(fact_id, other)[1] for other in LANGUAGES
        ]
    assert benchmark.protocol == (
        "world_facts of CLDR 47: candidate = the passage of any fact, relevant = the fact asked about, "
        "in every language; held_out = 0.2, split_seed = 0"
    )


def test_language_subset_changes_neither_facts_nor_texts():
    corpus, whole = load_corpus(["zh", "de"], negatives=2), load_corpus(negatives=2)
    assert corpus.languages == ("zh", "de")
    assert (corpus.ids, corpus.passage_keys.tolist()) == (whole.ids, whole.passage_keys.tolist())
    for column, language in enumerate(corpus.languages):
        same = LANGUAGES.index(language)
        assert [corpus.passage_texts[row] for row in corpus.passages[:, column]] == [
            whole.passage_texts[row] for row in whole.passages[:, same]
        ]
        assert [corpus.passage_texts[row] for row in corpus.negatives[:, column].ravel()] == [
            whole.passage_texts[row] for row in whole.negatives[:, same].ravel()
        ]
    benchmark = load_benchmark(["zh", "de"])
    assert len(benchmark.query_ids) == 800
    assert len(benchmark.candidate_ids) == 4662
    assert benchmark.relevant[:2].tolist() == [split(0, 0.2)[1][0], split(0, 0.2)[1][0] + 2331]


def test_negatives():
    corpus = load_corpus(negatives=7)
    assert corpus.negatives.shape == corpus.negative_keys.shape == (1931, 11, 7)
    assert (corpus.negatives.dtype, corpus.negative_keys.dtype) == (np.int32, np.int64)
    assert (corpus.negatives != ABSENT).all()
    assert (corpus.negative_keys != corpus.passage_keys[:, None, None]).all()
    assert set(corpus.negative_keys.ravel()) <= set(corpus.passage_keys)
    # The text is that of the key, in the language of the column.
    row_of = {key: row for row, key in enumerate(corpus.passage_keys)}
    rows = np.vectorize(row_of.get)(corpus.negative_keys)
    assert (np.take_along_axis(corpus.passages, rows.reshape(-1, 11, 7)[:, :, 0], 0) == corpus.negatives[:, :, 0]).all()
    assert all(len(set(line)) == 7 for line in corpus.negative_keys[:, 0])


def test_negatives_are_about_the_subject_first():
    corpus = load_corpus(negatives=7)
    ids = [facts()[key].id for key in corpus.negative_keys[corpus.ids.index("currency/JP"), 0]]
    assert ids == [
        "currency_since/JP",
        "official_language/JP",
        "week_start/JP",
        "weekend_start/JP",
        "currency/KE",
        "currency/KG",
        "currency/KH",
    ]


def test_absent_negatives():
    """There are 53 facts of the relation in training, so 52 negatives at most from it."""
    corpus = load_corpus(["en"], negatives=60)
    row = corpus.ids.index("script_language/Cyrl")
    missing = corpus.negatives[row, 0] == ABSENT
    assert missing.tolist() == [False] * 52 + [True] * 8
    assert (corpus.negative_keys[row, 0] == ABSENT).tolist() == missing.tolist()


ALL = "ar, de, el, en, es, hi, ru, th, tr, vi, zh"


@pytest.mark.parametrize("load", [load_corpus, load_benchmark])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": ["en", "fr", "xx"]}, f"languages: world_facts has no fr, xx; its languages are {ALL}"),
        ({"languages": []}, f"languages must name at least one of {ALL}, each once, not []"),
        ({"languages": ["en", "en"]}, f"languages must name at least one of {ALL}, each once, not ['en', 'en']"),
        ({"held_out": 0}, "held_out must be above 0 and below 1, not 0: 0.2 holds out a fifth of the facts"),
        ({"held_out": 1.0}, "held_out must be above 0 and below 1, not 1.0: 0.2 holds out a fifth of the facts"),
        (
            {"held_out": float("nan")},
            "held_out must be above 0 and below 1, not nan: 0.2 holds out a fifth of the facts",
        ),
    ],
)
def test_wrong_options(load, options, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        load(**options)
    assert str(caught.value) == message


def test_negative_number_of_negatives():
    with pytest.raises(ValueError, match=r"^negatives must be 0 or more, not -1$"):
        load_corpus(negatives=-1)


def test_nothing_held_out():
    with pytest.raises(ValueError, match=r"^held_out=1e-09 holds out none of 2331 facts: raise it$"):
        load_benchmark(held_out=1e-9)


def test_fingerprints_are_pinned():
    """Any change of a text, an id or the split changes them."""
    assert load_corpus().fingerprint == "822761ccb4a12bb0"
    assert load_benchmark().fingerprint == "b5e7cb8f12cdb94a"


def test_the_same_in_every_process():
    code = (
        "from babelbatch.benchmarks.world_facts import load_benchmark as b;"
        "from babelbatch.corpora.world_facts import load_corpus as c;"
        "print(c(negatives=3).fingerprint, b().fingerprint)"
    )
    here = f"{load_corpus(negatives=3).fingerprint} {load_benchmark().fingerprint}"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        assert python(code, env=environment).stdout.strip() == here
