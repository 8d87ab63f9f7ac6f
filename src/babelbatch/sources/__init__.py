"""Data as published or generated, before it is decided what is trained on and what is tested on.

One file a publisher's format (`miracl`, `squad`, `tatoeba` ...), on top of files that read rows (`lines`, `tables`,
`documents`) and fetch them (`hub`, `download`). Nothing here returns a `Corpus` or a `Benchmark`.
A new published format is one more file.
"""

__all__ = [
    "beir",
    "bitext",
    "columns",
    "documents",
    "download",
    "hub",
    "languages",
    "lareqa",
    "lines",
    "mewsli_x",
    "miracl",
    "mmarco",
    "mr_tydi",
    "mteb",
    "omissions",
    "sentences",
    "squad",
    "tables",
    "tatoeba",
    "trec",
    "wikipedia",
    "world_facts",
]
