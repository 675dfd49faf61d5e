"""Does a page keep nodes or listeners of each round? They are counted exactly: one that stays is one too many."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.model import Leak, LeakStatus, Metric

SETTLING_ROUNDS = 2  # caches fill, lazy parts load, and React keeps the tree before the last one
ROUNDS_AT_LEAST = 4  # two that count
COUNTED = ("dom_node_growth", "listener_growth")
HEAP = "script_heap_growth"
BROWSERS = 2


def ui_leaks(metrics: Sequence[Metric], confidence: float) -> list[Leak]:
    """A row for nodes and for listeners; the heap is not exact, and is shown alone."""
    return [_leak(metric, confidence) for metric in metrics if metric.name in COUNTED]


def counted_rounds(metric: Metric) -> list[float]:
    """What each round kept, of all browsers, without the rounds in which a page settles."""
    return [value for record in metric.trials for value in record.samples[SETTLING_ROUNDS:]]


def _leak(metric: Metric, confidence: float) -> Leak:
    kept = counted_rounds(metric)
    growth = sum(kept) / len(kept) if kept else None
    status, reason = _status(kept)
    low, high = (min(kept), max(kept)) if kept else (None, None)
    return Leak(
        metric.key, status, growth, low, high, confidence, metric.unit, 1.0 if kept else None, len(kept), None, reason
    )


def _status(kept: Sequence[float]) -> tuple[LeakStatus, str]:
    told = f"counted after each of {len(kept)} rounds, without the first {SETTLING_ROUNDS}"
    if len(kept) < 2:
        return "inconclusive", f"too few rounds, {ROUNDS_AT_LEAST} are needed"
    if min(kept) > 0:
        return "leak", f"more after every round, {told}"
    if sum(kept) <= 0:
        return "clean", told
    return "inconclusive", f"more after some rounds and not after others, {told}: more rounds would tell"
