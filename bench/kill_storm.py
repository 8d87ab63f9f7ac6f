"""A storm of kills: training is killed at random moments, the same command typed again, until it finishes; then weights
and metrics are compared bit for bit with those of a run that nobody disturbed.

    python bench/kill_storm.py [kills] [minutes] [seed]

Half of the kills hit runs of two ranks, one of the ranks or, with SIGTERM, both. Moments are drawn, with the seed, from
the seconds after training is expected to begin, so that kills hit training and not imports; the phase that each kill
hit is read from the log. Processes that are killed are forked from one that has imported the libraries (tests/), ranks
with the variables that torchrun sets; the undisturbed runs start as a user starts them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from preloaded import Preloaded

BABELBATCH = Path(sys.executable).with_name("babelbatch-train")
RUN = [
    "corpus.languages=[en,de]", "benchmarks.world_facts.languages=[en,de]", "encoder=tiny", "encoder.hidden_size=16",
    "encoder.vocab_size=500", "sampling.batch_size=8", "trainer.max_steps=300", "trainer.val_check_interval=100",
    "data.validation_steps=1", "data.num_workers=0", "callbacks.checkpoint.every_n_steps=3", "logger=csv", "threads=1",
    "output_dir=run",
]  # fmt: skip
RANKS = {1: [], 2: ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]}
UNEQUAL = ("seconds/", "versions/", "commit", "memory/")


def undisturbed(place: Path, ranks: int) -> None:
    with (place / "log").open("ab") as log:
        done = subprocess.run([BABELBATCH, *RUN, *RANKS[ranks]], cwd=place, stdout=log, stderr=log)
    assert done.returncode == 0, (place / "log").read_text()


def start(place: Path, ranks: int) -> list[Preloaded]:
    """The forked processes of one attempt."""
    typed = [str(BABELBATCH), *RUN, *RANKS[ranks]]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = []
    for rank in range(ranks):
        environment = dict(os.environ)
        if ranks > 1:
            environment |= {
                "RANK": f"{rank}", "LOCAL_RANK": f"{rank}", "WORLD_SIZE": f"{ranks}", "LOCAL_WORLD_SIZE": f"{ranks}",
                "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}",
                "TORCHELASTIC_RUN_ID": "storm",
            }  # fmt: skip
        log = str(place / ("log" if rank == 0 else f"log{rank}"))
        processes.append(Preloaded(typed, place, environment, [os.devnull, log, log]))
    return processes


def end(processes: list[Preloaded], signum: int, source: random.Random) -> None:
    """Signals one process, or with SIGTERM all, as torchrun does; and kills those that a killed one has left alone."""
    for process in [source.choice(processes)] if signum == signal.SIGKILL else processes:
        process.send_signal(signum)
    if signum == signal.SIGKILL:
        time.sleep(source.choice((0.0, 0.3)))
        for process in processes:
            process.kill()


def running(processes: list[Preloaded]) -> bool:
    return all(process.poll() is None for process in processes)


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
    undisturbed(whole, ranks)
    expected = outcome(whole / "run")
    print(f"{ranks} ranks, undisturbed: {time.monotonic() - started:.0f} s", flush=True)
    phases: Counter[str] = Counter()
    equal, number = True, 0
    while sum(phases.values()) < kills and time.monotonic() < deadline:
        place = scratch / f"storm{ranks}-{number}"
        place.mkdir()
        (place / "log").touch()
        number += 1
        while True:
            seen = (place / "log").stat().st_size
            processes = start(place, ranks)
            wanted = sum(phases.values()) < kills and time.monotonic() < deadline
            if wanted:
                while running(processes) and phase(place, seen) in {"imports", "assembling"}:
                    time.sleep(0.02)
                time.sleep(source.random() * source.choice((0.5, 3.0, 10.0)))
            if wanted and running(processes):
                hit, signum = phase(place, seen), source.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
                end(processes, signum, source)
                phases[f"{hit}, {signal.Signals(signum).name}"] += 1
            for process in processes:
                process.communicate()
            if (place / "run" / "metrics.json").exists():
                break
        same = outcome(place / "run") == expected
        equal &= same
        print(f"{ranks} ranks, run {number}: {'equal' if same else 'OTHER BITS'}; kills: {dict(phases)}", flush=True)
        if same:
            shutil.rmtree(place)
    return phases, equal


def main() -> None:
    """Prints the kills by phase. Exits with 1 if a run has other bits, or if the time was too short for the kills."""
    kills, minutes, seed = (*map(int, sys.argv[1:]), *(100, 15, 0)[len(sys.argv) - 1 :])
    scratch = Path(tempfile.mkdtemp(prefix="kill_storm"))
    started = time.monotonic()
    equal, done = True, 0
    for part, ranks in enumerate(RANKS, 1):
        deadline = started + 60 * minutes * part / len(RANKS)
        share = kills // 2 if part < len(RANKS) else kills - done
        phases, same = storm(ranks, share, deadline, random.Random(f"{seed} {ranks}"), scratch)
        done += sum(phases.values())
        print(f"{ranks} ranks: {sum(phases.values())} kills: {dict(phases)}; {'all equal' if same else 'NOT EQUAL'}")
        equal &= same
    print(f"{done} kills of {kills} in {(time.monotonic() - started) / 60:.0f} minutes")
    sys.exit(0 if equal and done == kills else 1)


if __name__ == "__main__":
    main()
