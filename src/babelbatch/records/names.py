"""Names that become part of file names and of keys: those of benchmarks and languages."""

from __future__ import annotations

_LONGEST = 100  # characters; a file's name may have 255 bytes, suffixes included
_FORBIDDEN = frozenset("/\\")


def problem_of_name(name: object, longest: int = _LONGEST) -> str | None:
    """Why a name cannot be part of a file's name; None if it can. Any letters will do, and spaces within."""
    if not isinstance(name, str) or not name:
        return "is no text, or an empty one"
    if len(name) > longest:
        return f"is longer than {longest} characters"
    if _FORBIDDEN & set(name) or not name.isprintable():
        return "has a slash, a backslash or a control character in it"
    if name[0] in ". " or name[-1] == " ":
        return "begins with a dot or a space, or ends with a space"
    return None
