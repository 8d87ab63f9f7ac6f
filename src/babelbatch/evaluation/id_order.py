"""The order of ids that decides between equal scores, as trec_eval has it: the greater id first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_AT_ONCE = 65_536


def by_descending_id(ids: Sequence[str]) -> np.ndarray:
    """(C,) rows of C distinct ids, the greatest first; ids compare by their code points.

    Ids may be on disk, by the hundred million: what is held are their bytes, each as wide as the widest. (UTF-8 sorts
    as code points do.)
    """
    blocks = [
        np.array([id_.encode() for id_ in ids[start : start + _AT_ONCE]]) for start in range(0, len(ids), _AT_ONCE)
    ]
    return np.argsort(np.concatenate(blocks))[::-1]
