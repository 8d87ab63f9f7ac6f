"""Draws docs/pictures/architecture.svg: the wings by floor, from the list that the test of the architecture holds.

`python docs/tools/architecture_picture.py` writes it; a test in `tests/docs` fails while it is out of date.
"""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"
PURPOSES = {
    "cli": "the commands",
    "describe": "looks at data",
    "dashboard": "W&B workspace",
    "python": "load, evaluate, compare",
    "jobs": "sweeps, processes, stopping",
    "commands": "train, evaluate, mine",
    "training": "Lightning module, checkpoints",
    "batches": "from a plan to tokens",
    "sampling": "plans each step",
    "report": "compares runs",
    "corpora": "training data",
    "configuration": "schema and checks",
    "loggers": "CSV and W&B",
    "foreign": "results measured elsewhere",
    "runs": "a run's folder",
    "benchmarks": "evaluation sets",
    "evaluation": "encode, rank, measure",
    "sources": "published data",
    "tokens": "token cache",
    "loss": "objectives",
    "encoder": "dense encoders",
    "lexical": "BM25, n-grams",
    "search": "neighbours, mining",
    "storage": "cache, locks",
    "distributed": "ranks",
    "statistics": "tests, intervals",
    "records": "vocabulary",
    "progress": "bars",
}
WIDTH, LEFT, TALL, GAP = 960, 40, 50, 8


def wings() -> list[list[str]]:
    """The wings of each floor, from the top down."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    found = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "WINGS" for t in node.targets)
    ]
    return [[str(wing) for wing in sorted(floor)] for floor in ast.literal_eval(found[0])]


def picture() -> str:
    """The SVG: a row a floor, a box a wing."""
    floors = wings()
    height = len(floors) * (TALL + GAP) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="14">',
        "<title>The wings of babelbatch by floor; imports go down</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for row, floor in enumerate(floors):
        top = 8 + row * (TALL + GAP)
        parts.append(
            f'<text x="{LEFT - 12}" y="{top + 30}" text-anchor="end" fill="#5b6470">{len(floors) - row}</text>'
        )
        wide = (WIDTH - LEFT - 8 - GAP * (len(floor) - 1)) / len(floor)
        for place, wing in enumerate(floor):
            x = LEFT + place * (wide + GAP)
            middle = x + wide / 2
            parts += [
                f'<rect x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{TALL}" rx="5" '
                'fill="#e8f0fa" stroke="#7c9cc4"/>',
                f'<text x="{middle:.1f}" y="{top + 21}" text-anchor="middle" font-weight="600" fill="#12243b">'
                f"{escape(wing)}</text>",
                f'<text x="{middle:.1f}" y="{top + 39}" text-anchor="middle" font-size="12" fill="#33475f">'
                f"{escape(PURPOSES[wing])}</text>",
            ]
    parts.append(
        f'<text x="{LEFT}" y="{height - 12}" fill="#33475f">A wing imports only from floors below its own, and '
        "only what the other wing names in its __all__.</text>"
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE)
