"""What did each probe do over the iterations? A row for each, with its series as small bars."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.analyze.leak_rows import levels_of_metric
from synapse_perf.analyze.leak_verdict import judged_part
from synapse_perf.host.leak_probes import SHOWN_ONLY
from synapse_perf.model import Leak, Metric, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import fact_median, fact_values
from synapse_perf.report.leak_figures import (
    STATUS_WORDS,
    format_amount,
    format_bounds,
    format_full,
    format_growth,
    hunt_of,
    iteration_of,
    plural,
    probe_name,
    probe_of,
    ranked,
    sparkline,
)
from synapse_perf.report.leak_outside import iteration_is_time, outside_notes, reading_note
from synapse_perf.units import MIB, format_bytes, format_duration

WORTH_TELLING_BYTES = MIB


def probes_sections(result: Result) -> list[Section]:
    """One for each hunt."""
    hunts = dict.fromkeys(metric.labels.get("hunt", "") for metric in result.metrics)
    return [_section(hunt, result) for hunt in hunts]


def _section(hunt: str, result: Result) -> Section:
    metrics = {metric.key: metric for metric in result.metrics if metric.labels.get("hunt", "") == hunt}
    rows = [leak for leak in ranked(result.leaks) if hunt_of(leak, result) == hunt]
    columns = (
        Column("probe", shrink="wrap"),
        Column("verdict"),
        Column(f"per {iteration_of(hunt, result)}", "right"),
        Column("seen from", "right"),
        Column("series", shrink="no"),
    )
    told = {leak.metric for leak in rows}
    flat = [leak for leak in rows if leak.status == "clean" and _is_flat(metrics.get(leak.metric))]
    shown = [_row(leak, metrics.get(leak.metric), result) for leak in rows if leak not in flat]
    shown += [_shown_row(metric) for metric in metrics.values() if _is_shown(metric, told)]
    blocks: list[Block] = [Table(columns, tuple(shown))] if shown else []
    if flat:
        names = ", ".join(probe_name(probe_of(leak, result)) for leak in flat)
        blocks.append(Paragraph(f"CLEAN, the same all the time: {names}.", "good"))
    blocks += [Paragraph(text, "quiet") for text in _notes(hunt, metrics, result)]
    return Section(hunt, tuple(blocks))


def _is_flat(metric: Metric | None) -> bool:
    return metric is not None and not any(judged_part(levels_of_metric(metric)))


def _is_shown(metric: Metric, told: set[str]) -> bool:
    return metric.key not in told and metric.labels.get("probe") in SHOWN_ONLY and metric.summary.count > 0


def _row(leak: Leak, metric: Metric | None, result: Result) -> Row:
    word, tone = STATUS_WORDS[leak.status]
    full = format_full(leak, metric, plural(iteration_of(hunt_of(leak, result), result)))
    is_told = leak.status != "clean" and leak.growth is not None
    bounds = f"{leak.confidence * 100:g} % interval {format_bounds(leak)}" if is_told else ""
    note = leak.reason if is_told or "once" in leak.reason or "no more" in leak.reason else ""
    return Row(
        (
            Cell(probe_name(probe_of(leak, result))),
            Cell(word, tone),
            Cell(format_growth(leak), "strong"),
            Cell("" if leak.smallest_seen is None else format_amount(leak.smallest_seen, leak.unit)),
            Cell(sparkline(levels_of_metric(metric)) if metric else ""),
        ),
        "; ".join(part for part in (note, bounds, f"memory is full after {full}" if full else "") if part),
    )


def _shown_row(metric: Metric) -> Row:
    levels = levels_of_metric(metric)
    cells = (probe_name(metric.labels["probe"]), "(shown only)", "", "", sparkline(levels))
    return Row(tuple(map(Cell, cells)))


def _collected(metric: Metric, iteration: str) -> list[str]:
    """What stays until the garbage collector comes, which nobody knows when it does."""
    texts = []
    gone = fact_values(metric, "is_gone_without_gc")
    late = len(gone) - sum(gone)
    if late and not sum(fact_values(metric, "previous_is_kept")):
        texts.append(f"{late:.0f} of {len(gone)} models died only when the garbage collector came, not when let go.")
    freed = fact_median(metric, "freed_by_gc_bytes")
    if freed is not None and freed >= WORTH_TELLING_BYTES:
        texts.append(
            f"{format_bytes(freed)} of each {iteration} go only when the garbage collector comes: "
            "they are in reference cycles, and stay until then."
        )
    return texts


def _notes(hunt: str, metrics: Mapping[str, Metric], result: Result) -> list[str]:
    first = next(iter(metrics.values()), None)
    if first is None:
        return []
    texts = []
    pace_s, calls = fact_median(first, "call_s"), fact_median(first, "calls")
    if pace_s is not None and calls and iteration_is_time(hunt, result):
        texts.append(reading_note(pace_s, calls))
    elif pace_s is not None:
        together = f", {calls:.0f} between two readings" if calls and calls > 1 else ""
        texts.append(f"One {iteration_of(hunt, result)} takes {format_duration(pace_s)}{together}.")
    texts += _collected(first, iteration_of(hunt, result))
    texts += outside_notes(hunt, first, result)
    untold = result.plan.get("untold")
    if isinstance(untold, Mapping):
        texts += [f"Not told here: {probe_name(str(name))}: {reason}." for name, reason in untold.items()]
    return texts
