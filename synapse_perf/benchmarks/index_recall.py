"""What share of the true nearest neighbours does the index find, and does that change what a prompt is packed with?

One sample a query. Nothing is embedded here: the vectors of the queries were made when the set was prepared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Json, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.retrieval.exact import Floats, Ids
    from synapse_perf.retrieval.judged_recall import Found, Truth

FIRST_IMPORT = None
METRICS = {
    "recall": MetricDefinition("recall", "1", "higher", "share of the true nearest neighbours that a search finds"),
}
COMPARISONS_AT_MOST = 200_000_000  # of a query with a vector: seconds, not minutes
QUERIES_AT_LEAST = 50
WANTED = 0.95  # recall from which on more lists are not tried


class Asked(NamedTuple):
    """The queries: vectors, the id of each one's own chunk (-1: none), and the ids that are right answers."""

    vectors: Floats
    own: Ids
    relevant: list[frozenset[int]]


class Setting(NamedTuple):
    """What is searched, and how."""

    index: Any
    contents: list[str]
    k: int
    metric: Any
    parameters: Json


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each query: its recall at k."""
    import numpy as np

    from synapse_perf.retrieval.exact import recall_of
    from synapse_perf.retrieval.judged_recall import as_facts, make_truth, search_all, shares_found
    from synapse_perf.retrieval.pipeline import searcher
    from synapse_perf.retrieval.threads import set_threads

    set_threads(1)
    setting, asked, known = _opened(context)
    if known is None or not len(asked.vectors) or setting.k < 1:
        context.facts["truth"] = "none"  # no vectors to compare with, no room for them, or nothing to ask
        return
    context.stage(f"searching exactly for {len(asked.vectors)} queries")
    truth = make_truth(known[1], known[0], asked.vectors, asked.own, setting.k, setting.metric)
    context.stage("searching the index for the same queries")
    search = searcher(setting.index, setting.parameters["search"])
    found = search_all(search, asked.vectors, asked.own, setting.k, setting.metric)
    shares = shares_found(truth, asked.vectors, found)
    told = recall_of(shares, setting.k)
    context.facts |= {
        "recall": as_facts(told),
        "search_s": float(np.median(found.seconds)),
        "share_with_missing": float((found.ids < 0).any(axis=1).mean()),
    }
    _about_lists(context, setting, asked, truth)
    per_query = _about_contexts(context, setting, asked, truth, found) if setting.contents else [{}] * len(shares)
    if context.facts["truth"] == "decoded":
        return  # codes compared with themselves: no recall of what the texts are near to
    labels = {"k": str(setting.k)}
    for number, share in enumerate(shares):
        missing = int((found.ids[number] < 0).sum())
        yield Sample(
            (Measurement("recall", float(share), labels),), {"query": number, "missing": missing, **per_query[number]}
        )


def _opened(context: Context) -> tuple[Setting, Asked, tuple[Ids, Floats] | None]:
    from synapse_perf.retrieval.chunks import read_metadata
    from synapse_perf.retrieval.index_damage import open_checked
    from synapse_perf.retrieval.opening import IndexUnusable
    from synapse_perf.retrieval.pipeline import METRIC_INNER_PRODUCT
    from synapse_perf.retrieval.stored_vectors import StoredVectors

    workload = context.workload
    context.stage("opening the index")
    try:
        index = open_checked(workload["index"], workload["open"])
    except IndexUnusable as error:
        raise BenchmarkFailed("error", f"the index cannot be opened: {error}") from error
    chunks = read_metadata(workload["metadata"]).chunks if workload["metadata"] else []
    asked = _read_queries(context, index.ntotal, [chunk.id for chunk in chunks])
    metric = "inner-product" if index.metric_type == METRIC_INNER_PRODUCT else "l2"
    k = min(workload["k"], index.ntotal - int((asked.own >= 0).any()))
    context.stage("reading the vectors of the index")
    stored = StoredVectors(index)
    known = _known_vectors(context, stored)
    contents = [chunk.content for chunk in chunks]
    return Setting(index, contents, k, metric, workload["parameters"]), asked, known


def _known_vectors(context: Context, stored: Any) -> tuple[Ids, Floats] | None:
    """What recall is judged by: the vectors that were indexed, else those that the index gives back."""
    import numpy as np

    path = context.workload["vectors"]
    if path:
        vectors = np.load(path, mmap_mode="r")
        if len(vectors) == len(stored.ids):
            context.facts["truth"] = "vectors"
            return stored.ids, vectors
    if not stored.can_be_read or stored.copied_bytes > context.workload["room_bytes"]:
        return None
    context.facts["truth"] = "decoded" if stored.storage == "coarse" else "stored"
    return stored.ids, stored.all_rows()


def _read_queries(context: Context, ntotal: int, chunk_ids: Sequence[str]) -> Asked:
    """As many as can be compared with every vector in seconds."""
    import numpy as np

    workload = context.workload
    vectors = np.ascontiguousarray(np.load(workload["query_vectors"]), dtype=np.float32)
    count = min(len(vectors), max(QUERIES_AT_LEAST, COMPARISONS_AT_MOST // max(ntotal, 1)))
    none: frozenset[int] = frozenset()
    own, relevant = np.full(count, -1, dtype=np.int64), [none] * count
    if chunk_ids and workload["queries"]:
        places = {name: at for at, name in enumerate(chunk_ids)}
        lines = Path(workload["queries"]).read_bytes().splitlines()[:count]
        for number, entry in enumerate(map(json.loads, lines)):
            own[number] = places.get(entry.get("own"), -1)
            relevant[number] = frozenset(places[name] for name in entry.get("relevant") or () if name in places)
    return Asked(vectors[:count], own, relevant)


# --- what else could be set ------------------------------------------------------------------------------------------


def _about_lists(context: Context, setting: Setting, asked: Asked, truth: Truth) -> None:
    """Of an index of lists: what an exact search would take instead, and what more lists would find."""
    from synapse_perf.retrieval.index_layers import inverted_lists
    from synapse_perf.retrieval.judged_recall import exact_search_s, probe_ladder, search_all, shares_found
    from synapse_perf.retrieval.pipeline import searcher

    lists = inverted_lists(setting.index)
    if lists is None:
        return
    context.stage("comparing with an exact search")
    context.facts["exact_search_s"] = exact_search_s(asked.vectors, truth, setting.k)
    if context.facts["recall"]["value"] >= WANTED:
        return
    context.stage("searching more lists")
    others = {name: value for name, value in setting.parameters["search"].items() if name != "nprobe"}
    context.facts["probes"] = probe_ladder(
        lambda change: searcher(setting.index, {**others, **change}),
        lists.nlist,
        lambda found: shares_found(truth, asked.vectors, found),
        lambda search: search_all(search, asked.vectors, asked.own, setting.k, setting.metric),
        WANTED,
    )


def _about_contexts(
    context: Context, setting: Setting, asked: Asked, truth: Truth, found: Found
) -> list[dict[str, Json]]:
    """What of it reaches the prompt, over all queries as facts, and of each."""
    from synapse_perf.retrieval.judged_contexts import judge_contexts

    context.stage("packing the contexts")
    facts, per_query = judge_contexts(truth, found, asked.relevant, setting.contents, setting.parameters)
    context.facts |= facts
    return per_query
