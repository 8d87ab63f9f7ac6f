"""What loaders would fetch, listed without fetching and without a connection.

Within `listing()` the functions that fetch files record what they are asked for and return paths that do not exist. A
loader asks for all its files before it opens the first, so it ends there, with an error that the caller ignores.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

NOWHERE = Path("/nonexistent/babelbatch-lists-only")
"""Below it are the paths that a loader gets while its files are listed."""

_listed: ContextVar[list[Request] | None] = ContextVar("listed", default=None)


class Request(Protocol):
    """Files of one publisher that a loader asks for."""

    @property
    def place(self) -> str:
        """Where they are published: a URL."""
        ...

    def cached(self) -> list[Path] | None:
        """The files in the cache; None if one is missing."""
        ...

    def damaged(self) -> list[Path]:
        """Files in the cache that differ from their published checksum."""
        ...

    def fetch(self) -> list[Path]:
        """Fetches what is missing. Raises ValueError, with the reason, if that is impossible."""
        ...


@contextmanager
def listing() -> Iterator[list[Request]]:
    """Yields the requests that loaders make within the block."""
    found: list[Request] = []
    token = _listed.set(found)
    try:
        yield found
    finally:
        _listed.reset(token)


def is_listing() -> bool:
    """Whether requests are recorded instead of fulfilled."""
    return _listed.get() is not None


def record(request: Request) -> None:
    """Adds a request to the list. Only within `listing()`."""
    found = _listed.get()
    assert found is not None, "nothing is being listed"
    found.append(request)
