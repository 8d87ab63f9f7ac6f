"""Keys as they can be typed: `sampling.alpha`, not `alpha`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

_SHOWN = 3


def closest_path(key: str, paths: Sequence[str]) -> str:
    """`, did you mean 'loss.temperature'?`: the paths whose last part is the key, or resembles it; or nothing."""
    last = {path: path.rpartition(".")[2] for path in paths}
    found = [path for path in paths if last[path] == key]
    if not found:
        near = difflib.get_close_matches(key, list(dict.fromkeys(last.values())), n=1)
        found = [path for path in paths if last[path] in near]
    if not found or len(found) > _SHOWN:
        return ""
    return ", did you mean " + " or ".join(f"'{path}'" for path in found) + "?"


def with_full_paths(message: str, path: str, keys: Iterable[str]) -> str:
    """A loader's message with its settings named as they are typed: `set data_dir` as `set corpus.data_dir`.

    path: of the loader in the configuration. keys: its parameters. A key that is an English word too (`path`,
    `languages`) is one only where a key can stand: at the start, before `=`, or after a verb such as `set`.
    """
    words = sorted(keys, key=len, reverse=True)
    if not words:
        return message
    compound = [re.escape(word) for word in words if "_" in word]
    any_word = "|".join(map(re.escape, words))
    message = re.sub(rf"`({any_word})`", rf"{path}.\1", message)
    places = [
        rf"^(?P<first>{any_word})(?=:|\.\w+:| must )",
        rf"(?P<assigned>(?<![\w./'\"=-])(?:{any_word}))(?=(?:\.\w+)*=)",
        rf"(?<=\bset )(?P<set>{any_word})\b",
        rf"(?<=\bleave out )(?P<left>{any_word})\b",
        rf"(?<=\bchoose with )(?P<chosen>{any_word})\b",
        rf"(?<=\b in )(?P<inside>{any_word})(?=\.\w|,)",
    ]
    if compound:
        places.append(rf"(?<![\w./'\"-])(?P<compound>{'|'.join(compound)})(?![\w./'\"-])")
    return re.sub("|".join(places), lambda found: f"{path}.{found[0]}", message)
