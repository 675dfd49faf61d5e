"""Where does the time of a retrieval go in a process that has settled? Stage by stage, in wall and processor time."""

from __future__ import annotations

from synapse_perf.analyze.summary import least_for_percentile, median_interval, quantile
from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import (
    fact_median,
    fact_values,
    format_interval,
    format_middle,
    format_range,
    interval_title,
    middle,
)
from synapse_perf.report.retrieval_runs import TOTAL, Measured, confidence_of, stage_label
from synapse_perf.units import format_duration, format_percent, format_value

_TAIL = 0.95
_BRIEF_LEGEND = "CPU: of all threads."
_LEGEND = "Each p50 is the median of the processes' own; CPU: of all threads."


def warm_section(measured: Measured, *, is_brief: bool = False, below: str = "") -> Section | None:
    """The stages of the warm state and their total, and what is told below; None where that was not measured.

    Where there are vectors alone, the search is all there is.
    """
    warm = measured.take(state="warm")
    if warm is None:
        return None
    whole = warm.total or next(iter(warm.stages.values()))
    columns = (
        Column("stage", shrink="wrap"),
        Column("p50", "right"),
        Column(interval_title([whole]), "right"),
        Column("p95", "right"),
        Column("p99", "right"),
        Column("CPU", "right"),
        Column("share", "right"),
    )
    rows = [_row(stage_label(name), name, metric, whole) for name, metric in warm.stages.items() if metric is not whole]
    rows.append(_row(stage_label(whole.labels.get("stage", TOTAL)), "", whole, whole))
    return Section(
        "Warm: one query at a time",
        (Table(columns, tuple(rows)), *_notes(whole, is_brief), *([Paragraph(below)] if below else [])),
    )


def _row(label: str, name: str, metric: Metric, total: Metric) -> Row:
    """The processor time is noted with the total, of which there is one for each query."""
    cpu = fact_median(total, f"{name}.cpu_s" if name else "cpu_s")
    length, whole = middle(metric), middle(total)
    texts = (
        label,
        format_middle(metric),
        format_interval(metric),
        *(_percentile(value, metric.unit) for value in (metric.summary.p95, metric.summary.p99)),
        "" if cpu is None else format_duration(cpu),
        format_percent(length / whole) if name and length is not None and whole else "",
    )
    return Row(tuple(Cell(text, "plain" if name else "strong") for text in texts))


def _percentile(value: float | None, unit: str) -> str:
    return "none" if value is None else format_value(value, unit)


def _notes(total: Metric, is_brief: bool) -> list[Block]:
    count, processes = total.summary.count, total.summary.processes
    counted = f"{count} {'query' if count == 1 else 'queries'} in {processes} process{'' if processes == 1 else 'es'}"
    discarded = [values[0] for trial in total.trials if (values := _discarded(trial.facts))]
    parts = [counted]
    if discarded and not is_brief:
        low, high = min(discarded), max(discarded)
        span = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
        parts.append(f"{span} warm-ups discarded in each")
    tail = tail_interval(total)
    if tail:
        parts.append(f"p95 of a process: {tail}")
    repeated = fact_values(total, "repeated")
    if any(repeated):
        parts.append(f"{format_percent(sum(repeated) / len(repeated))} of the queries had been asked before")
    return [Paragraph(f"{'; '.join(parts)}. {_BRIEF_LEGEND if is_brief else _LEGEND}", "quiet")]


def _discarded(facts: object) -> list[float]:
    values = facts.get("discarded", ()) if isinstance(facts, dict) else ()
    return [float(value) for value in values if isinstance(value, int | float)]


def tail_interval(metric: Metric) -> str:
    """The interval of the p95 that a process has, where each has queries enough to support one; else empty."""
    confidence = confidence_of(metric)
    groups = [trial.samples for trial in metric.trials if trial.samples]
    if not groups or min(map(len, groups)) < least_for_percentile(_TAIL, confidence):
        return ""
    interval = median_interval([quantile(group, _TAIL) for group in groups], confidence)
    if interval is None:
        return ""
    return f"{confidence * 100:g} % {format_range(interval.low, interval.high, metric.unit)}"
