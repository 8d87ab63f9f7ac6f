"""Belebele: retrieve the passage that answers the question, in 122 parallel languages.

Bandarkar et al. 2024 (arXiv 2308.16884): multiple-choice questions about passages of FLORES-200, translated by people.
Here the choices are ignored and the passage is retrieved, as in mteb's BelebeleRetrieval for pairs of languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babelbatch.benchmarks.passages import QueryPassage, passage_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources.hub import Published, check_count, locate_files
from babelbatch.sources.languages import select_languages
from babelbatch.sources.lines import text_in
from babelbatch.sources.records import records

SOURCE = Published("facebook/belebele", "c25c4d7bfbc5de244583947ba230fc4ee93d4a89", "CC BY-SA 4.0")
QUESTIONS, PASSAGES = 900, 488
"""In each language."""

_CODES = """
    acm=acm_Arab af=afr_Latn am=amh_Ethi apc=apc_Arab ar=arb_Arab ar_Latn=arb_Latn ars=ars_Arab ary=ary_Arab
    arz=arz_Arab as=asm_Beng az=azj_Latn bg=bul_Cyrl bm=bam_Latn bn=ben_Beng bn_Latn=ben_Latn bo=bod_Tibt ca=cat_Latn
    ceb=ceb_Latn ckb=ckb_Arab cs=ces_Latn da=dan_Latn de=deu_Latn el=ell_Grek en=eng_Latn es=spa_Latn et=est_Latn
    eu=eus_Latn fa=pes_Arab ff=fuv_Latn fi=fin_Latn fr=fra_Latn gn=grn_Latn gu=guj_Gujr ha=hau_Latn he=heb_Hebr
    hi=hin_Deva hi_Latn=hin_Latn hr=hrv_Latn ht=hat_Latn hu=hun_Latn hy=hye_Armn id=ind_Latn ig=ibo_Latn ilo=ilo_Latn
    is=isl_Latn it=ita_Latn ja=jpn_Jpan jv=jav_Latn ka=kat_Geor kac=kac_Latn kea=kea_Latn kk=kaz_Cyrl km=khm_Khmr
    kn=kan_Knda ko=kor_Hang ky=kir_Cyrl lg=lug_Latn ln=lin_Latn lo=lao_Laoo lt=lit_Latn luo=luo_Latn lv=lvs_Latn
    mg=plt_Latn mi=mri_Latn mk=mkd_Cyrl ml=mal_Mlym mn=khk_Cyrl mr=mar_Deva ms=zsm_Latn mt=mlt_Latn my=mya_Mymr
    nb=nob_Latn ne=npi_Deva ne_Latn=npi_Latn nl=nld_Latn nso=nso_Latn ny=nya_Latn om=gaz_Latn or=ory_Orya pa=pan_Guru
    pl=pol_Latn ps=pbt_Arab pt=por_Latn ro=ron_Latn ru=rus_Cyrl rw=kin_Latn sd=snd_Arab shn=shn_Mymr si=sin_Sinh
    si_Latn=sin_Latn sk=slk_Latn sl=slv_Latn sn=sna_Latn so=som_Latn sq=als_Latn sr=srp_Cyrl ss=ssw_Latn st=sot_Latn
    su=sun_Latn sv=swe_Latn sw=swh_Latn ta=tam_Taml te=tel_Telu tg=tgk_Cyrl th=tha_Thai ti=tir_Ethi tl=tgl_Latn
    tn=tsn_Latn tr=tur_Latn ts=tso_Latn uk=ukr_Cyrl ur=urd_Arab ur_Latn=urd_Latn uz=uzn_Latn vi=vie_Latn war=war_Latn
    wo=wol_Latn xh=xho_Latn yo=yor_Latn zh=zho_Hans zh_Hant=zho_Hant zu=zul_Latn
"""
FLORES = dict(pair.split("=") for pair in _CODES.split())
"""Language -> the code of its file. Languages have ISO 639-1 codes, or 639-3 where that has none, with a script
after the code for a second script of the language, such as hi_Latn."""

DEFAULT = (
    "ar", "bn", "de", "el", "en", "es", "fa", "fi", "fr", "hi", "id", "ja", "ko", "ru", "sw", "te", "th", "tr", "vi",
    "yo", "zh",
)  # fmt: skip
"""The 21 languages of XQuAD-R and MIRACL."""


def load_benchmark(data_dir: str | None = None, languages: list[str] | None = None) -> Benchmark:
    """Candidates: the 488 passages of each language. A question's own passage is relevant, in every language.

    data_dir: a folder with the hub's files, `data/<FLORES code>.jsonl`.
    languages: keys of `FLORES`; default the 21 of `DEFAULT`. They form the pool.
    """
    selected = select_languages("Belebele", tuple(FLORES), DEFAULT if languages is None else languages)
    files = locate_files(SOURCE, [f"data/{FLORES[language]}.jsonl" for language in selected], data_dir)
    benchmark = passage_benchmark(
        "belebele",
        selected,
        (row for language, (path,) in zip(selected, files, strict=True) for row in _rows(path, language)),
        "Belebele: candidate = passage, relevant = the question's own, in every language",
    )
    check_count("Belebele: questions", len(benchmark.query_ids), QUESTIONS * len(selected), data_dir)
    check_count("Belebele: passages", len(benchmark.candidate_ids), PASSAGES * len(selected), data_dir)
    return benchmark


def _rows(path: Path, language: str) -> Iterator[QueryPassage]:
    for place, record in records(path):
        link, number = text_in(record, "link", place), record.get("question_number")
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"{place}: 'question_number' is {str(number)[:40]}, not a whole number")
        question, passage = text_in(record, "question", place), text_in(record, "flores_passage", place)
        yield QueryPassage(place, language, f"{link}#{number}", question, link, passage)
