"""A storm of kills: training is killed at random moments, the same command typed again, until it finishes; then weights
and metrics are compared bit for bit with those of a run that nobody disturbed.

    python bench/kill_storm.py [kills] [minutes] [seed]

Half of the runs have two ranks. Moments are drawn, with the seed, from the seconds after the first checkpoint of an
attempt is expected, so that kills hit training and not imports; the phase that each kill hit is read from the log.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

BABELBATCH = Path(sys.executable).with_name("babelbatch-train")
RUN = [
    "corpus.languages=[en,de]", "benchmarks.world_facts.languages=[en,de]", "encoder=tiny", "encoder.hidden_size=16",
    "encoder.vocab_size=500", "sampling.batch_size=8", "trainer.max_steps=300", "trainer.val_check_interval=100",
    "data.validation_steps=1", "data.num_workers=0", "callbacks.checkpoint.every_n_steps=3", "logger=csv", "threads=1",
    "output_dir=run",
]  # fmt: skip
RANKS = {1: [], 2: ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]}
UNEQUAL = ("seconds/", "versions/", "commit", "memory/")


def start(place: Path, ranks: int) -> subprocess.Popen[bytes]:
    log = (place / "log").open("ab")
    return subprocess.Popen(
        [BABELBATCH, *RUN, *RANKS[ranks]], cwd=place, stdout=log, stderr=log, start_new_session=True
    )


def outcome(folder: Path) -> tuple[bytes, dict[str, object]]:
    metrics = json.loads((folder / "metrics.json").read_text())
    weights = (folder / "encoder" / "model.safetensors").read_bytes()
    return weights, {key: value for key, value in metrics.items() if not key.startswith(UNEQUAL)}


def phase(place: Path, seen: int) -> str:
    """What the command was doing, by the lines that it has logged since it began."""
    text = (place / "log").read_bytes()[seen:].decode(errors="replace")
    if "evaluating the weights" in text:
        return "evaluation"
    if "in-batch negatives per query" in text:
        return "training"
    return "assembling" if "importing torch" in text else "imports"


def storm(ranks: int, kills: int, deadline: float, source: random.Random, scratch: Path) -> tuple[Counter[str], bool]:
    """The phases that the kills hit, and whether every finished run equals the undisturbed one."""
    started = time.monotonic()
    whole = scratch / f"whole{ranks}"
    whole.mkdir()
    assert start(whole, ranks).wait() == 0, (whole / "log").read_text()
    expected = outcome(whole / "run")
    print(f"{ranks} ranks, undisturbed: {time.monotonic() - started:.0f} s", flush=True)
    phases: Counter[str] = Counter()
    equal, number = True, 0
    while sum(phases.values()) < kills and time.monotonic() < deadline:
        place = scratch / f"storm{ranks}-{number}"
        place.mkdir()
        number += 1
        while True:
            seen = (place / "log").stat().st_size if (place / "log").exists() else 0
            process = start(place, ranks)
            if sum(phases.values()) < kills and time.monotonic() < deadline:
                while process.poll() is None and phase(place, seen) in {"imports", "assembling"}:
                    time.sleep(0.02)
                time.sleep(source.random() * source.choice((0.5, 3.0, 10.0)))
            if process.poll() is None and sum(phases.values()) < kills and time.monotonic() < deadline:
                hit, signum = phase(place, seen), source.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
                os.kill(process.pid, signum)
                phases[f"{hit}, {signal.Signals(signum).name}"] += 1
            process.wait()
            if (place / "run" / "metrics.json").exists():
                break
        same = outcome(place / "run") == expected
        equal &= same
        print(f"{ranks} ranks, run {number}: {'equal' if same else 'OTHER BITS'}; kills: {dict(phases)}", flush=True)
        if same:
            shutil.rmtree(place)
    return phases, equal


def main() -> None:
    """Prints the kills by phase. Exits with 1 if a run has other bits, or if no kill hit."""
    kills, minutes, seed = (*map(int, sys.argv[1:]), *(100, 15, 0)[len(sys.argv) - 1 :])
    scratch = Path(tempfile.mkdtemp(prefix="kill_storm"))
    started = time.monotonic()
    equal = True
    for part, ranks in enumerate(RANKS, 1):
        deadline = started + 60 * minutes * part / len(RANKS)
        phases, same = storm(ranks, kills // 2, deadline, random.Random(f"{seed} {ranks}"), scratch)
        print(f"{ranks} ranks: {sum(phases.values())} kills: {dict(phases)}; {'all equal' if same else 'NOT EQUAL'}")
        equal &= same and bool(phases)
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
