"""What does an open FAISS index say about itself?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from synapse_perf.retrieval.index_layers import inverted_lists, layers, list_sizes, storage_of
from synapse_perf.samples import Json

_METRICS = {0: "inner-product", 1: "l2"}  # faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2
POINTS_PER_CENTRE = 39  # below it FAISS's own k-means warns


def describe_index(index: Any, search: Mapping[str, int]) -> dict[str, Json]:
    """Its kind, size and parameters; `search` are those that the retrieval gives with each call."""
    parts = layers(index)
    facts: dict[str, Json] = {
        "type": type(parts[0]).__name__,
        "factory": _factory(index),
        "ntotal": int(index.ntotal),
        "dimension": int(index.d),
        "metric": _METRICS.get(index.metric_type, str(index.metric_type)),
        "is_trained": bool(index.is_trained),
        "storage": storage_of(index),
    }
    lists = inverted_lists(index)
    if lists is not None:
        facts |= _about_lists(lists, search)
    graph = getattr(parts[-1], "hnsw", None)
    if graph is not None:
        facts["ef_search"] = search.get("efSearch", int(graph.efSearch))
    centres = [facts.get("nlist", 0), *(_code_book(part) for part in parts)]
    facts["training_needed"] = POINTS_PER_CENTRE * max(centres)
    return facts


def _about_lists(lists: Any, search: Mapping[str, int]) -> dict[str, Json]:
    sizes = list_sizes(lists)
    return {
        "nlist": int(lists.nlist),
        "nprobe": search.get("nprobe", int(lists.nprobe)),
        "imbalance": float(lists.invlists.imbalance_factor()),
        "largest_list": int(sizes.max()),
        "median_list": float(np.median(sizes)),
        "empty_lists": int((sizes == 0).sum()),
    }


def _code_book(part: Any) -> int:
    """Centres of each sub-quantizer, which are trained on the same vectors; 0 where there are none."""
    quantizer = getattr(part, "pq", None)
    return int(quantizer.ksub) if quantizer is not None else 0


def _factory(index: Any) -> str:
    """The text that FAISS would make such an index from; empty where it cannot tell."""
    from faiss.contrib.factory_tools import reverse_index_factory

    try:
        return str(reverse_index_factory(index))
    except (NotImplementedError, AttributeError, AssertionError, RuntimeError):
        return ""
