"""Data as published or generated, before they become training or evaluation data.

One file per published format (`miracl`, `squad`, `tatoeba` ...), on top of files that read rows (`lines`, `tables`,
`documents`) and fetch them (`hub`, `download`). Nothing here returns a `Corpus` or a `Benchmark`.
A new published format is one more file.
"""

__all__ = [
    "bad_rows",
    "beir",
    "bitext",
    "columns",
    "documents",
    "download",
    "hub",
    "languages",
    "lareqa",
    "lines",
    "listing",
    "mewsli_x",
    "miracl",
    "mmarco",
    "models",
    "mr_tydi",
    "mteb",
    "passages",
    "records",
    "row_tally",
    "sentences",
    "squad",
    "tables",
    "tatoeba",
    "trec",
    "wikipedia",
    "world_facts",
]
