"""Clusters of queries that are not independent: those about one article, passage or subject."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def joined_clusters(query_ids: Sequence[str], sources: Sequence[Hashable]) -> np.ndarray:
    """(Q,) int32 cluster of each query, numbered from 0 in order of appearance.

    Two queries are in one cluster if they share an id or a source, directly or through others. The translations of a
    query are therefore in one cluster although their articles have different names.

    query_ids, sources: the id and the source of each of Q queries; a source is for example (language, article).
    """
    nodes: dict[tuple[str, Hashable], int] = {}
    ids = np.array([nodes.setdefault(("id", id_), len(nodes)) for id_ in query_ids])
    about = np.array([nodes.setdefault(("source", source), len(nodes)) for source in sources])
    graph = coo_array((np.ones(len(ids)), (ids, about)), shape=(len(nodes), len(nodes)))
    component = connected_components(graph, directed=False)[1][ids]
    number = {label: place for place, label in enumerate(dict.fromkeys(component.tolist()))}
    return np.array([number[label] for label in component.tolist()], np.int32)
