"""What keeps a two-stage query waiting that need not? Loading models on its path, and retrieving after the draft."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.latency_rows import OVERLAP, Queries, beside, middle_of, phase_shares
from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, median_interval, process_medians
from synapse_perf.model import Finding, Gain, Interval, Json, Metric, Severity
from synapse_perf.units import format_duration, format_percent

OVERLAP_LOAD, OVERLAP_RETRIEVAL = f"{OVERLAP}load", f"{OVERLAP}retrieval"
SWAP_SHARE = 0.1  # of a query: below it nobody would change anything
OVERLAPS = 2  # that are compared with the same reference


def two_stage_findings(
    group: Queries, groups: Sequence[Queries], limit_s: float | None, confidence: float
) -> list[Finding]:
    """Nothing for a group that is no two-stage query."""
    if "draft" not in group.phases or group.latency is None:
        return []
    gains = {
        name: _overlap_gain(group.latency, beside(groups, group, name), 1 - (1 - confidence) / OVERLAPS)
        for name in (OVERLAP_LOAD, OVERLAP_RETRIEVAL)
    }
    found = [*_swap(group, gains[OVERLAP_LOAD], limit_s, confidence)]
    retrieval = gains[OVERLAP_RETRIEVAL]
    if retrieval is not None:
        found.append(_retrieval(group, group.latency, retrieval))
    return found


def _swap(group: Queries, gain: Gain | None, limit_s: float | None, confidence: float) -> list[Finding]:
    """Loading on the path: what doing it beside the draft gave, or else what keeping both models would give."""
    latency, swap = group.latency, group.phases.get("swap")
    shares = phase_shares(group, "swap")
    share = median_interval(shares, confidence)
    if latency is None or swap is None or share is None or share.low < SWAP_SHARE:
        return []
    total_s, swap_s = middle_of(latency), middle_of(swap)
    per_process = process_medians([trial.samples for trial in swap.trials])
    interval = median_interval(per_process, confidence)
    evidence: dict[str, Json] = {
        "query_s": total_s,
        "swap_s": swap_s,
        "share_of_query": statistics.median(shares),
        "processes": len(shares),
    }
    if gain is not None:
        change = (
            "load the second model in a thread while the first one drafts (memory for both at a time); "
            "where there is memory for all, keep them loaded"
        )
    else:
        gain = _estimate(swap_s, interval)
        change = "keep both models loaded, where there is memory for them: then nothing is swapped"
    return [
        Finding(
            "swap-on-the-path",
            _severity(total_s, gain.value, limit_s),
            f"a two-stage query spends {format_percent(statistics.median(shares))} of its {format_duration(total_s)} "
            "loading models",
            evidence,
            gain,
            change,
            "synapse-perf tier-latency --resident all, or --overlap load",
            "the time of model loads within a query (0 where none is swapped)",
        )
    ]


def _severity(total_s: float, gain_s: float, limit_s: float | None) -> Severity:
    if limit_s is not None and total_s > limit_s:
        return "high"
    return "medium" if gain_s > total_s / 4 else "low"


def _estimate(swap_s: float, interval: Interval | None) -> Gain:
    low, high = (interval.low, interval.high) if interval else (None, None)
    return Gain(swap_s, low, high, "s", measured=False)


def _retrieval(group: Queries, latency: Metric, gain: Gain) -> Finding:
    phase = group.phases.get("retrieval")
    evidence: dict[str, Json] = {
        "query_s": middle_of(latency),
        "retrieval_s": middle_of(phase) if phase else None,
    }
    return Finding(
        "overlap-retrieval",
        "low",
        f"retrieval waits for the draft, though it needs only the query: begun with the draft, it takes "
        f"{format_duration(gain.value)} off a two-stage query",
        evidence,
        gain,
        "start the retrieval in a thread before the draft, and wait for its result after it",
        "synapse-perf tier-latency --overlap retrieval: what a two-stage query takes then",
        "the time between the end of the draft and the start of the refinement",
    )


def _overlap_gain(latency: Metric, variant: Queries | None, confidence: float) -> Gain | None:
    """The difference of the medians with its interval; None unless that lies above 0."""
    if variant is None or variant.latency is None:
        return None
    slow, fast = (process_medians([trial.samples for trial in one.trials]) for one in (latency, variant.latency))
    if min(len(slow), len(fast)) < LEAST_FOR_MEDIAN or min(*slow, *fast) <= 0:
        return None
    low, high = ratio_interval(slow, fast, confidence)
    if low <= 1:
        return None
    after_s = middle_of(variant.latency)
    return Gain(middle_of(latency) - after_s, after_s * (low - 1), after_s * (high - 1), "s", measured=True)
