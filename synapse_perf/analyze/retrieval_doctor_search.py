"""Does the search find what an exact one finds, and is the index worth its complication?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from synapse_perf.model import Finding, Gain, Json, Severity
from synapse_perf.units import format_duration, format_percent

Facts = Mapping[str, Json]

RECALL_WANTED = 0.95
SMALL_SEARCH_S = 0.001  # embedding a query takes several times that on any machine tried


def search_findings(examined: Facts, judged: Facts) -> list[Finding]:
    """About probes, lists, training and results."""
    index = examined.get("index")
    if not index:
        return []
    return list(
        chain(
            _probes(index, judged),
            _low_recall(index, judged),
            _flat_is_enough(index, judged),
            _training(index, judged),
            _missing(index, judged),
            _k_above(index, examined.get("k")),
        )
    )


def _recall(judged: Facts) -> Facts:
    """Recall with its interval; nothing known counts as perfect, for then nothing speaks against the index."""
    return judged.get("recall") or {"value": 1.0, "low": 1.0, "high": 1.0, "k": None, "queries": 0}


def is_good(judged: Facts) -> bool:
    """Whether the recall that was measured is as wanted."""
    value: float = _recall(judged)["value"]
    return value >= RECALL_WANTED


def _about(recall: Facts) -> dict[str, Json]:
    return {name: recall[name] for name in ("value", "low", "high")}


# --- probes and recall -----------------------------------------------------------------------------------------------


def _probes(index: Facts, judged: Facts) -> list[Finding]:
    if index.get("nprobe") != 1 or index.get("nlist", 1) == 1 or is_good(judged):
        return []
    recall, nlist = _recall(judged), index["nlist"]
    better = _enough_probes(judged)
    severity: Severity = "high" if recall["high"] < RECALL_WANTED else "low"
    evidence: dict[str, Json] = {"nprobe": 1, "nlist": nlist, "recall": _about(recall), "k": recall["k"]}
    return [
        Finding(
            "nprobe-left-at-1",
            severity,
            f"each search looks into 1 of {nlist} lists, FAISS's default, and finds {format_percent(recall['value'])} "
            f"of the {recall['k']} nearest chunks",
            {**evidence, "with_more_lists": better},
            _recall_gain(recall, better),
            _set_nprobe(better["nprobe"] if better else max(1, nlist // 10)),
            f"synapse-perf bench-cgrag --nprobe {better['nprobe'] if better else nlist // 10}: recall in the report",
            f"recall below {RECALL_WANTED:g} on a fixed set of questions, whenever the index is built anew",
        )
    ]


def _low_recall(index: Facts, judged: Facts) -> list[Finding]:
    """Too few lists or candidates, though somebody set them, or vectors kept too coarsely."""
    recall, has_lists = _recall(judged), index.get("nlist", 1) > 1
    if recall["high"] >= RECALL_WANTED or (has_lists and index["nprobe"] == 1):
        return []
    if judged.get("truth") == "decoded" and not has_lists:
        return []  # codes were compared with themselves
    better = _enough_probes(judged)
    if has_lists:
        what = f"searching {index['nprobe']} of {index['nlist']} lists"
        change = _set_nprobe(better["nprobe"]) if better else "keep the vectors more exactly: IVF...,SQ8 or IVF...,Flat"
    elif "ef_search" in index:
        what = f"with efSearch {index['ef_search']}"
        change = f"index.hnsw.efSearch = {4 * index['ef_search']} after faiss.read_index, and measure again"
    else:
        what = f"as {index['factory'] or index['type']}"
        change = "keep the vectors more exactly (SQ8, SQfp16, Flat), or refine the results: ...,Refine(SQ8)"
    return [
        Finding(
            "low-recall",
            "medium",
            f"{what} the index finds {format_percent(recall['value'])} of the {recall['k']} nearest chunks",
            {"recall": _about(recall), "k": recall["k"], "queries": recall["queries"], "with_more_lists": better},
            _recall_gain(recall, better),
            change,
            "synapse-perf bench-cgrag --tune --recall 0.95 on this index",
            f"recall below {RECALL_WANTED:g} on a fixed set of questions, whenever the index is built anew",
        )
    ]


def _enough_probes(judged: Facts) -> Facts | None:
    """The fewest lists that were measured to be enough, or else those that found most."""
    steps = judged.get("probes") or []
    enough = [step for step in steps if step["low"] >= RECALL_WANTED]
    chosen = enough[0] if enough else max(steps, key=lambda step: step["value"], default=None)
    return chosen and {name: chosen[name] for name in ("nprobe", "value", "low", "high", "search_s")}


def _recall_gain(recall: Facts, better: Facts | None) -> Gain | None:
    if better is None:
        return None
    low, high = better["low"] - recall["high"], better["high"] - recall["low"]
    return Gain(better["value"] - recall["value"], low, high, "recall", measured=True) if low > 0 else None


def _set_nprobe(probes: int) -> str:
    return (
        f"index.nprobe = {probes} before faiss.write_index, which keeps it, or after faiss.read_index; or with each "
        f"call index.search(x, k, params=faiss.SearchParametersIVF(nprobe={probes}))"
    )


# --- lists and training ----------------------------------------------------------------------------------------------


def _flat_is_enough(index: Facts, judged: Facts) -> list[Finding]:
    exact_s, own_s = judged.get("exact_search_s"), judged.get("search_s")
    if "nlist" not in index or exact_s is None or own_s is None or exact_s > SMALL_SEARCH_S:
        return []
    recall = _recall(judged)
    severity: Severity = "info" if is_good(judged) else "medium"
    return [
        Finding(
            "ivf-where-flat-is-enough",
            severity,
            f"an exact search of all {index['ntotal']} vectors takes {format_duration(exact_s)} for a query, the index "
            f"of {index['nlist']} lists {format_duration(own_s)}: lists save nothing that is felt at this size",
            {"exact_search_s": exact_s, "search_s": own_s, "recall": _about(recall), "ntotal": index["ntotal"]},
            _exact_gain(recall),
            "index = faiss.IndexFlatL2(dimension) (or IndexFlatIP); no training, no nprobe, recall 1",
            "synapse-perf bench-cgrag --factory Flat on the same texts",
            "the search's part of a retrieval growing past 1 ms: then measure lists again (--tune)",
        )
    ]


def _exact_gain(recall: Facts) -> Gain | None:
    if recall["high"] >= 1:
        return None
    return Gain(1 - recall["value"], 1 - recall["high"], 1 - recall["low"], "recall", measured=True)


def _training(index: Facts, judged: Facts) -> list[Finding]:
    needed, held = index.get("training_needed", 0), index["ntotal"]
    if held >= needed:
        return []
    severity: Severity = "info" if is_good(judged) else "medium"
    lists = max(1, held // 39)
    return [
        Finding(
            "too-few-training-vectors",
            severity,
            f"{held} vectors are too few to train this index on: FAISS wants {needed}, 39 for each of its centres",
            {
                "ntotal": held,
                "needed": needed,
                "nlist": index.get("nlist"),
                "imbalance": index.get("imbalance"),
                "empty_lists": index.get("empty_lists"),
            },
            None,
            f"faiss.IndexFlatL2 up to 10,000 vectors, beyond that no more than ntotal / 39 lists ({lists} here)",
            "FAISS prints no 'please provide at least ... training points' while the index is built",
            "that line in the log of whatever builds the index",
        )
    ]


# --- results ---------------------------------------------------------------------------------------------------------


def _missing(index: Facts, judged: Facts) -> list[Finding]:
    share = judged.get("share_with_missing", 0.0)
    if not share:
        return []
    k = _recall(judged)["k"]
    lists = "nlist" in index
    cause = f"{format_percent(share)} of the searches for {k} chunks give fewer, and fill up with the id -1"
    change = (
        _set_nprobe(min(index["nlist"], 4 * index["nprobe"])) + "; and leave out ids below 0"
        if lists
        else "leave out ids below 0; for HNSW set efSearch to k or more"
    )
    return [
        Finding(
            "missing-results",
            "medium",
            cause + (": the lists that are searched hold fewer vectors than that" if lists else ""),
            {
                "share_of_queries": share,
                "k": k,
                "nprobe": index.get("nprobe"),
                "median_list": index.get("median_list"),
            },
            None,
            change,
            "the evidence of this finding: the share of queries is 0",
            "ids below 0 in the results; in Python contents[-1] is the last text, silently",
        )
    ]


def _k_above(index: Facts, k: int | None) -> list[Finding]:
    held = index["ntotal"]
    if k is None or k <= held:
        return []
    return [
        Finding(
            "k-above-ntotal",
            "low",
            f"{k} chunks are asked for, the index holds {held}: every search returns all of them",
            {"k": k, "ntotal": held},
            None,
            "k = min(k, index.ntotal) before index.search; or index what is missing",
            "the number of results is what was asked for",
            "index.ntotal below the k that is asked for, after each build",
        )
    ]
