"""The order of ids that breaks ties between scores, as in trec_eval: the greater id first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK = 65_536


def by_descending_id(ids: Sequence[str]) -> NDArray[np.int64]:
    """(C,) rows of C distinct ids, the greatest first; ids compare by code points.

    Ids may be on disk. In memory are their UTF-8 bytes, which sort as code points do, at the width of the widest.
    """
    blocks = [np.array([id_.encode() for id_ in ids[start : start + _BLOCK]]) for start in range(0, len(ids), _BLOCK)]
    return np.argsort(np.concatenate(blocks))[::-1]
