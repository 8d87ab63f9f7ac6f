"""How long babelbatch-train takes from its start to its first training step, and where the seconds go.

    python bench/start.py [--rounds 5] [--python OTHER/bin/python ...] [-- ARGUMENTS]

Every command starts in a process of its own and is ended when the optimiser is first called, before the forward pass.
It runs once before anything is measured, so files, tokens and configurations are cached. With --python (several times)
other environments, such as one of an earlier version, take turns with this one. ARGUMENTS are of babelbatch-train;
without them: experiment=demo sampling=hybrid logger=csv.

Prints medians in seconds: of the clock until torch is imported (interpreter, Hydra, the configuration), until Lightning
is, and until the first step; and of the processor until the first step.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TIMED = """
import json, os, resource, sys, time

seen = {}


def since_start():
    with open("/proc/self/stat", encoding="utf-8") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    with open("/proc/uptime", encoding="utf-8") as file:
        return float(file.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch.version", "pytorch_lightning.core"):  # the top-level names are also only looked up
            seen.setdefault(name.partition(".")[0], since_start())
        if name == "pytorch_lightning.core":
            from torch.optim.optimizer import register_optimizer_step_pre_hook

            register_optimizer_step_pre_hook(first_step)


def first_step(*_):
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    with open(os.environ["BENCH_OUT"], "w", encoding="utf-8") as file:
        json.dump({**seen, "step": since_start(), "processor": used}, file)
    os._exit(0)


sys.meta_path.insert(0, Watch())
from babelbatch.cli import train

sys.argv[0] = "babelbatch-train"
train()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    arguments = options.arguments or ["experiment=demo", "sampling=hybrid", "logger=csv"]
    pythons = [sys.executable, *options.python]
    found: dict[str, list[dict[str, float]]] = {python: [] for python in pythons}
    with tempfile.TemporaryDirectory() as place:
        for number in range(options.rounds + 1):
            for which, python in enumerate(pythons):
                measured = measure(python, arguments, Path(place), f"{which}-{number}")
                if number:
                    found[python].append(measured)
    for python, rounds in found.items():
        medians = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        print(
            f"{python}: torch is imported after {medians['torch']:.2f} s, Lightning after "
            f"{medians['pytorch_lightning']:.2f} s, the first step begins after {medians['step']:.2f} s "
            f"({medians['processor']:.2f} s of processor)"
        )
    for key in ("step", "processor"):
        first, *others = ([each[key] for each in rounds] for rounds in found.values())
        for python, other in zip(options.python, others, strict=True):
            ratios = [theirs / ours for ours, theirs in zip(first, other, strict=True)]
            print(f"{key}: {python} takes {statistics.median(ratios):.2f} times as long as {sys.executable}")


def measure(python: str, arguments: list[str], place: Path, name: str) -> dict[str, float]:
    """Seconds until each event of a command in a new run folder."""
    out = place / f"{name}.json"
    environment = os.environ | {
        "BENCH_OUT": str(out),
        "BABELBATCH_CACHE": str(place / f"cache-{name.partition('-')[0]}"),
    }
    command = [python, "-c", TIMED, *arguments, f"output_dir={place / name}"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if not out.is_file():
        sys.exit(f"{python} ended with {done.returncode} before its first step:\n{done.stdout}\n{done.stderr}")
    found: dict[str, float] = json.loads(out.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
