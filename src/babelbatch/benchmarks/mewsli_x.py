"""Mewsli-X: the entity that a mention in the news refers to, described in any language (`sources/mewsli_x.py`)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources import mewsli_x
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.storage import file_signatures


def load_benchmark(data_dir: str, languages: list[str] | None = None) -> Benchmark:
    """Queries: the mentions of the test set, in their sentence. Candidates: all entities, each described in one of
    fifty languages. The official metric is mAP@20, here equal to MRR@20, over the pool of all languages (XTREME-R). The
    mentions of one article are a cluster.

    data_dir: the folder of `.jsonl` files that `get-mewsli-x.sh` writes, `mewsli_x/output/dataset`.
    languages: of the mentions, some of the eleven; default all. The pool always has all entities.
    """
    selected = select_languages("mewsli_x", tuple(mewsli_x.MENTIONS), languages)
    mentions, entities = Path(data_dir) / mewsli_x.MENTIONS_FILE, Path(data_dir) / mewsli_x.ENTITIES_FILE
    for path in (mentions, entities):
        if not path.is_file():
            raise ValueError(
                f"{path}: there is no such file; run get-mewsli-x.sh of google-research/google-research "
                "(dense_representations_for_entity_retrieval/mel) and set data_dir to its mewsli_x/output/dataset"
            )

    def build(folder: Path) -> list[str]:
        with PoolAssembly(folder) as assembly:
            counts: Counter[str] = Counter()
            for mention in mewsli_x.mentions(mentions):
                if mention.language in selected:
                    document = mention.place.line  # one article per line
                    assembly.query(mention.id, mention.language, mention.text, mention.place, document)
                    assembly.judgement(mention.id, mention.entity, 1.0, mention.place)
                    counts[mention.language] += 1
            for language in selected:
                published = mewsli_x.MENTIONS[language]
                check_count(f"mewsli_x, mentions in '{language}'", counts[language], published, data_dir)
            entity_count = 0
            for entity in mewsli_x.entities(entities):
                assembly.candidate(entity.id, entity.language, entity.text, entity.place)
                entity_count += 1
            check_count("mewsli_x, entities", entity_count, mewsli_x.ENTITIES, data_dir)
            return assembly.finish()

    protocol = "Mewsli-X 20220518_6 test: query = mention in its sentence, candidate = description of an entity"
    inputs = {"languages": selected, "clusters": "document", "files": file_signatures([mentions, entities])}
    return stored_benchmark("mewsli_x", inputs, build, protocol, "map@20", cluster_unit="document")
