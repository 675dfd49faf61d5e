"""What does the table of a tuning say of each candidate, and which settings lie on the front of recall and latency?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from synapse_perf.analyze.paired_percentile import percentile_spread
from synapse_perf.analyze.summary import median_interval
from synapse_perf.analyze.tuning import CURRENT, Measured, Operating, PlotPoint, Row, Spread, format_count
from synapse_perf.analyze.tuning_finals import finalists, open_mode
from synapse_perf.analyze.tuning_plan import TuningRequest, keeps_to_memory, projected_s, races, skips_little
from synapse_perf.analyze.tuning_trials import cold_values, failed, latencies, measured, memory_bytes
from synapse_perf.model import Trial
from synapse_perf.units import format_bytes, format_duration, format_percent


def table(request: TuningRequest, trials: Sequence[Trial]) -> dict[str, Row]:
    """By name, the finalists first, then what else was measured in full, each group with the fastest first."""
    full = measured(trials, request.count)
    final = {one.name for one in finalists(request, trials)}
    front = {(point.index, point.parameters) for point in plot_points(full) if point.on_front}
    rows = {one.name: row_of(request, trials, one, front) for one in full}
    return dict(sorted(rows.items(), key=lambda pair: (pair[0] not in final, pair[1].p95.value)))


def row_of(request: TuningRequest, trials: Sequence[Trial], one: Measured, front: set[tuple[str, str]]) -> Row:
    best = one.best
    (compared,) = latencies(trials, one)
    p95 = Spread(best.p95_s, best.p95_low_s, best.p95_high_s)
    cold = cold_values(trials, one.index, "index_cold_time")
    return Row(
        family=one.family,
        index=one.index,
        parameters=best.parameters,
        recall=best.recall,
        recall_low=best.recall_low,
        recall_high=best.recall_high,
        recall_queries=best.recall_queries,
        p50_s=best.p50_s,
        p95=percentile_spread(compared, 0.95, request.confidence) if compared else p95,
        build_s=one.build_s,
        file_bytes=one.file_bytes,
        memory_bytes=memory_bytes(trials, one),
        cold=_cold(cold, request.confidence),
        open_mode=open_mode(request, one),
        on_front=(one.index, best.parameters) in front,
        dropped=_why_dropped(request, trials, one),
    )


def not_built(request: TuningRequest, trials: Sequence[Trial]) -> tuple[tuple[str, str], ...]:
    """The families that were never measured in full, and why."""
    known = {one.family for one in measured(trials, request.count)}
    reasons = dict(request.left_out)
    for rows in (*races(request.count), request.count):
        for (family, _), message in failed(trials, rows).items():
            reasons.setdefault(family, message)
    for option in request.options:
        if option.family not in known:
            reasons.setdefault(option.family, _why_not_built(request, trials, option.family))
    return tuple((family, reason) for family, reason in reasons.items() if family not in known)


def plot_points(full: Sequence[Measured]) -> tuple[PlotPoint, ...]:
    """Every setting that was measured on all vectors; on the front those that no other beats in both."""
    points = [(one, point) for one in full for point in one.points]

    def is_on_front(point: Operating) -> bool:
        return not any(
            other.recall >= point.recall
            and other.p95_s <= point.p95_s
            and (other.recall > point.recall or other.p95_s < point.p95_s)
            for _, other in points
        )

    return tuple(
        PlotPoint(one.family, one.index, point.parameters, point.recall, point.p95_s, is_on_front(point))
        for one, point in points
    )


def _cold(values: Sequence[float], confidence: float) -> Spread | None:
    if not values:
        return None
    interval = median_interval(values, confidence)
    return Spread(median(values)) if interval is None else Spread(median(values), interval.low, interval.high)


def _why_dropped(request: TuningRequest, trials: Sequence[Trial], one: Measured) -> str:
    budget, best = request.budget, one.best
    if not best.suffices:
        if len(one.points) > 1:
            return f"finds {format_percent(max(point.recall for point in one.points))} at most"
        if best.recall >= budget.recall:
            return f"recall of {format_percent(budget.recall)} is not shown"
        return f"finds {format_percent(best.recall)}"
    if not keeps_to_memory(request, one, trials):
        return f"takes {format_bytes(memory_bytes(trials, one) or one.file_bytes)}"
    if one.family == CURRENT or one in finalists(request, trials):
        return ""
    quickest_s = min(other.best.p95_s for other in finalists(request, trials) if other.family != CURRENT)
    return f"{best.p95_s / quickest_s:.1f} times as slow"


def _why_not_built(request: TuningRequest, trials: Sequence[Trial], family: str) -> str:
    raced = [one for one in measured(trials) if one.family == family]
    if not raced:
        return "not reached"
    last = max(raced, key=lambda one: one.rows)
    on = f"on {format_count(last.rows)} vectors"
    if not last.best.suffices:
        return f"finds {format_percent(last.best.recall)} {on}"
    option = next(one for one in request.options if (one.family, one.size) == (last.family, last.size))
    if skips_little(option, last):
        return f"compares {format_percent(last.compared_share)} of the vectors {on}: no faster than a scan"
    expected = format_duration(projected_s(request, option, trials))
    return f"{format_duration(last.best.p50_s)} {on}, about {expected} on all of them: too slow"
