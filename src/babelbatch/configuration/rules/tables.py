"""Checks of the place of a user's table: on disk or on the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def problems_of_place(
    path: str, table: Mapping[str, Any], *, kind: str, exists: Callable[[Path], bool], hub_keys: Sequence[str]
) -> Iterator[str]:
    """Problems of `path` and `hub` of the table at this path; it needs one of them.

    kind: what `path` names, such as "file or folder". hub_keys: keys that only a data set of the hub has.
    """
    place, hub = table.get("path"), table.get("hub")
    if place is None and hub is None:
        yield f"{path}.path: missing; set it to a {kind}, or {path}.hub to a data set of the hub"
    elif place is not None and hub is not None:
        yield f"{path}.hub: there is {path}.path already; leave out one of them"
    elif isinstance(place, str) and not exists(Path(place)):
        yield f"{path}.path: there is no {kind} '{place}'; a data set of the hub is named by {path}.hub"
    if hub is None:
        yield from (f"{path}.{key}: only for a data set of the hub; leave it out" for key in hub_keys if key in table)
