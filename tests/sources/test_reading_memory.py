"""What reads documents, not rows, holds one element at a time, however many there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from processes import PEAK, python

_READ = f"""{PEAK}
import sys
from pathlib import Path
from babelbatch.sources.bitext import units
from babelbatch.sources.squad import examples

path = Path(sys.argv[1])
rows = examples(path) if path.suffix == ".json" else units(path, ("de", "en"))
next(rows)
before = peak()
count = 1 + sum(1 for _ in rows)
print(count, peak() - before)
"""
_PARAGRAPHS, _QUESTIONS = 5_000, 200


def write_squad(path: Path) -> None:
    question = '{{"id": "{}-{}", "question": "what?", "answers": [{{"text": "x", "answer_start": 0}}]}}'
    with path.open("w") as file:
        file.write('{"data": [')
        for number in range(_PARAGRAPHS):
            qas = ", ".join(question.format(number, asked) for asked in range(_QUESTIONS))
            file.write(f'{", " if number else ""}{{"paragraphs": [{{"context": "x {number}", "qas": [{qas}]}}]}}')
        file.write("]}")


def write_tmx(path: Path) -> None:
    with path.open("w") as file:
        file.write("<tmx><body>")
        for number in range(1_000_000):
            file.write(f'<tu><tuv xml:lang="de"><seg>eins {number}</seg></tuv>')
            file.write(f'<tuv xml:lang="en"><seg>one {number}</seg></tuv></tu>')
        file.write("</body></tmx>")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "write"), [("squad.json", write_squad), ("mine.de-en.tmx", write_tmx)])
def test_a_million_rows_are_not_held(tmp_path, name, write):
    """Some 90 MB of text, several times as much as objects."""
    write(tmp_path / name)
    rows, kilobytes = map(int, python(_READ, tmp_path / name).stdout.split())
    assert rows == 1_000_000
    assert kilobytes < 20_000, f"{kilobytes:,} KB"
