"""How did a run change against its baseline, if it is one of a leak hunt, whose growth may be none?

A ratio of growth has no meaning there, and a series is no set of samples of one size: what each hunt has judged is
compared, as a gate does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from synapse_perf.analyze.compare import compare, differing_fields
from synapse_perf.analyze.gate_leaks import between, told_leaks
from synapse_perf.model import Comparison, Leak, Result


def compare_runs(current: Result, baseline: Result) -> tuple[Comparison, ...]:
    """Leaks by their verdicts and intervals, everything else by the ratio of its medians."""
    if current.benchmark != baseline.benchmark or not (current.leaks or baseline.leaks):
        return compare(current, baseline)
    before = {leak.metric: leak for leak in told_leaks(baseline)}
    now = {leak.metric: leak for leak in told_leaks(current)}
    difference = differing_fields(current, baseline)
    rows = []
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        status, reason, ratios = between(old, new, difference)
        was, is_now = map(_growth, (old, new))
        rows.append(Comparison(key, status, was, is_now, (new or before[key]).unit, *ratios, reason))
    leaks = {**before, **now}
    return (*rows, *compare(_without(leaks, current), _without(leaks, baseline)))


def _growth(leak: Leak | None) -> float | None:
    """As it was told; of a clean probe without a figure it is 0."""
    if leak is None:
        return None
    return 0.0 if leak.growth is None and leak.status == "clean" else leak.growth


def _without(leaks: Mapping[str, Leak], result: Result) -> Result:
    """Only what is no growth: the times of a command that counts what stays as well."""
    grown = {key.partition("{")[0] for key in leaks}
    return replace(result, metrics=tuple(metric for metric in result.metrics if metric.name not in grown))
