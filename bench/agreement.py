"""Holds our metrics.json against an independent reference, value by value.

    python bench/agreement.py RUN/metrics.json reference.json --tolerance 5e-4

Every key of the reference (see bench/reference_lareqa.py) has to be in ours; other keys of ours are left alone. Values
may differ by --tolerance, absolutely. Rank distances may differ by --rank-tolerance, relative to the reference: they
are ranks among thousands of candidates, and noise in the last digits of the scores moves them.
Prints the largest differences per benchmark and metric. Exits with 1 when a key is missing or a difference too large.
"""

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Difference(NamedTuple):
    size: float  # absolute; infinite where ours is no number
    allowed: float
    key: str

    @property
    def violates(self) -> bool:
        return not self.size <= self.allowed


def difference(key: str, ours: object, reference: float, absolute: float, relative: float) -> Difference:
    """How far ours is from the reference, and how far it may be."""
    allowed = relative * abs(reference) if metric_of(key).startswith("rank_distance") else absolute
    size = abs(ours - reference) if isinstance(ours, int | float) and not isinstance(ours, bool) else math.inf
    return Difference(math.inf if math.isnan(size) else size, allowed, key)


def metric_of(key: str) -> str:
    return key.split("/")[2]


def compare(ours: Mapping[str, object], reference: Mapping[str, float], absolute: float, relative: float) -> bool:
    """Prints the comparison; true when everything agrees."""
    missing = sorted(reference.keys() - ours.keys())
    groups: dict[str, dict[str, list[Difference]]] = defaultdict(lambda: defaultdict(list))
    for key in sorted(reference.keys() & ours.keys()):
        found = difference(key, ours[key], reference[key], absolute, relative)
        groups[key.split("/")[0]][metric_of(key)].append(found)

    violations = []
    for benchmark, metrics in groups.items():
        print(f"{benchmark}: {sum(map(len, metrics.values())):,} values compared")
        for metric, found in metrics.items():
            worst = max(found)
            print(f"  {metric:<26}{len(found):>5} values, largest difference {worst.size:.3g} at {worst.key}")
            violations += sorted((one for one in found if one.violates), reverse=True)
    for key in missing:
        print(f"missing: {key}")
    for one in violations:
        print(f"too far: {one.key}: ours {ours[one.key]}, reference {reference[one.key]}, allowed {one.allowed:.3g}")
    agrees = bool(groups) and not missing and not violations
    print("agreement" if agrees else f"no agreement: {len(missing):,} missing, {len(violations):,} too far")
    return agrees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours", type=Path, help="metrics.json of a run")
    parser.add_argument("reference", type=Path, help="the output of bench/reference_lareqa.py")
    parser.add_argument("--tolerance", type=float, default=5e-4, help="absolute (default: %(default)s)")
    parser.add_argument("--rank-tolerance", type=float, default=1e-2, help="relative (default: %(default)s)")
    options = parser.parse_args()
    ours, reference = (json.loads(path.read_text(encoding="utf-8")) for path in (options.ours, options.reference))
    sys.exit(0 if compare(ours, reference, options.tolerance, options.rank_tolerance) else 1)


if __name__ == "__main__":
    main()
