"""What does loading several models at once gain or cost here against one after another?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.load_modes import NEEDED
from synapse_perf.analyze.load_plan import ORDERS
from synapse_perf.model import Finding, Gain, Json, Metric
from synapse_perf.units import format_duration, format_percent, three_digits

SEQUENTIAL, PARALLEL = ORDERS
IN_PARALLEL = (
    "load them at once, each Llama(...) in a thread of its own (it lets other threads run while it loads), or start "
    "their llama-server processes together"
)
IN_SEQUENCE = "load one after another, first the model that is needed first"


def parallel_loading(metrics: Iterable[Metric], confidence: float, *, cores: float, disks: int) -> list[Finding]:
    """One finding for each page-cache state in which all models were loaded both ways."""
    orders: dict[tuple[str, str], dict[str, Metric]] = {}
    for metric in metrics:
        arm = metric.trials[0].arm if metric.trials else ""
        if metric.name == "model_load_time" and arm in ORDERS:
            orders.setdefault((metric.labels["model"], metric.labels["cache"]), {})[arm] = metric
    place = f"{cores:g} {'core' if cores == 1 else 'cores'}, {'one disk' if disks == 1 else f'{disks} disks'}"
    return [
        _finding(f"{model}, {cache}", found, confidence, place)
        for (model, cache), found in orders.items()
        if len(found) == len(ORDERS)
    ]


def _finding(where: str, found: dict[str, Metric], confidence: float, place: str) -> Finding:
    times = {order: [sample for trial in found[order].trials for sample in trial.samples] for order in ORDERS}
    medians = {order: statistics.median(samples) for order, samples in times.items()}
    ratio = medians[PARALLEL] / medians[SEQUENTIAL]
    counts = min(map(len, times.values()))
    evidence: dict[str, Json] = {
        "models": where,
        "medians_s": medians,
        "ratio": {"parallel_to_sequential": ratio},
        "confidence": confidence,
        "processes_each": counts,
        "bound": place,
    }
    told = f"{format_duration(medians[PARALLEL])} against {format_duration(medians[SEQUENTIAL])} one after another"
    if counts < NEEDED:
        cause = f"{where}: too few loads to tell parallel from sequential loading ({told})"
        return Finding("parallel-loading", "info", cause, evidence, None, "", "more loads: --trials", "")
    low, high = ratio_interval(times[PARALLEL], times[SEQUENTIAL], confidence)
    evidence["ratio"] = {"parallel_to_sequential": ratio, "low": low, "high": high}
    bounds = f"ratio {three_digits(ratio)}, {format_percent(confidence)} {three_digits(low)} to {three_digits(high)}"
    if low <= 1 <= high:
        cause = f"{where}: parallel and sequential loading cannot be told apart here ({told}; {bounds}; {place})"
        return Finding("parallel-loading", "info", cause, evidence, None, "", "more loads: --trials", "")
    base = medians[SEQUENTIAL]
    check = "synapse-perf profile-load --parallel, before and after"
    if high < 1:
        saved = format_percent(1 - ratio)
        cause = f"{where}: loading at once takes {saved} less time ({told}; {bounds}; {place})"
        gain = Gain(base * (1 - ratio), base * (1 - high), base * (1 - low), "s", measured=True)
        return Finding("parallel-loading", "medium", cause, evidence, gain, IN_PARALLEL, check, "")
    cause = f"{where}: loading at once takes {format_percent(ratio - 1)} more time ({told}; {bounds}; {place})"
    gain = Gain(base * (ratio - 1), base * (low - 1), base * (high - 1), "s", measured=True)
    return Finding("parallel-loading", "low", cause, evidence, gain, IN_SEQUENCE, check, "")
