"""What did each probe do over the iterations? A row for each that tells something, with its series as small bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synapse_perf.analyze.leak_rows import levels_of_metric
from synapse_perf.analyze.leak_verdict import judged_part
from synapse_perf.host.leak_probes import SHOWN_ONLY
from synapse_perf.model import Metric, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import fact_median, fact_values
from synapse_perf.report.leak_figures import format_amount, iteration_of, probe_name, sparkline
from synapse_perf.report.leak_outside import iteration_is_time, outside_notes, reading_note
from synapse_perf.report.leak_rows import LeakRow, ranked, rows_of, teller_of
from synapse_perf.units import MIB, format_bytes, format_duration

WORTH_TELLING_BYTES = MIB


def probes_sections(result: Result) -> list[Section]:
    """One for each hunt."""
    rows = rows_of(result)
    hunts = dict.fromkeys(metric.labels.get("hunt", "") for metric in result.metrics)
    return [_section(hunt, ranked(row for row in rows if row.hunt == hunt), result) for hunt in hunts]


def _section(hunt: str, rows: Sequence[LeakRow], result: Result) -> Section:
    metrics = [metric for metric in result.metrics if metric.labels.get("hunt", "") == hunt]
    columns = (
        Column("probe", shrink="wrap"),
        Column("verdict"),
        Column(f"per {iteration_of(hunt, result)}", "right"),
        Column("seen from", "right"),
        Column("series", shrink="no"),
    )
    flat, few = [row for row in rows if _is_flat(row)], [row for row in rows if not row.is_known]
    told = {row.leak.metric for row in rows}
    shown = [_row(row, rows) for row in rows if row not in flat and row not in few]
    shown += [_shown_row(metric) for metric in metrics if _is_shown(metric, told)]
    blocks: list[Block] = [Table(columns, tuple(shown))] if shown else []
    if few:
        blocks.append(Paragraph(f"{few[0].word}, too few iterations to tell: {_names(few)}.", few[0].tone))
    if flat:
        blocks.append(Paragraph(f"CLEAN, the same all the time: {_names(flat)}.", "good"))
    blocks += [Paragraph(text, "quiet") for text in _notes(hunt, metrics, result)]
    return Section(hunt, tuple(blocks))


def _names(rows: Sequence[LeakRow]) -> str:
    return ", ".join(row.name for row in rows)


def _is_flat(row: LeakRow) -> bool:
    if row.leak.status != "clean" or row.metric is None:
        return False
    return not any(judged_part(levels_of_metric(row.metric)))


def _is_shown(metric: Metric, told: set[str]) -> bool:
    return metric.key not in told and metric.labels.get("probe") in SHOWN_ONLY and metric.summary.count > 0


def _row(row: LeakRow, rows: Sequence[LeakRow]) -> Row:
    leak = row.leak
    return Row(
        (
            Cell(row.name),
            Cell(row.word, row.tone),
            Cell(row.growth, "strong"),
            Cell("" if leak.smallest_seen is None else format_amount(leak.smallest_seen, leak.unit)),
            Cell(sparkline(levels_of_metric(row.metric)) if row.metric else ""),
        ),
        _note(row, rows),
    )


def _note(row: LeakRow, rows: Sequence[LeakRow]) -> str:
    """Why, and what follows; of the same growth only once."""
    reason = row.leak.reason
    if row.leak.status == "clean":
        return reason if "once" in reason or "no more" in reason else ""
    teller = teller_of(row, rows)
    if teller is not None:
        return f"the same growth as {teller.name}"
    return "; ".join(filter(None, (reason, row.bounds.replace(" %", " % interval", 1), row.full)))


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


def _notes(hunt: str, metrics: Sequence[Metric], result: Result) -> list[str]:
    if not metrics:
        return []
    texts, first = [], metrics[0]
    pace_s, calls = fact_median(first, "call_s"), fact_median(first, "calls")
    if pace_s is not None and calls and iteration_is_time(hunt, result):
        texts.append(reading_note(pace_s, calls))
    elif pace_s is not None:
        together = f", {calls:.0f} between two readings" if calls and calls > 1 else ""
        texts.append(f"One {iteration_of(hunt, result)} takes {format_duration(pace_s)}{together}.")
    texts += _collected(first, iteration_of(hunt, result))
    texts += outside_notes(hunt, first, result)
    untold, is_first = result.plan.get("untold"), first.labels == result.metrics[0].labels
    if isinstance(untold, Mapping) and is_first:
        texts += [f"Not told here: {probe_name(str(name))}: {reason}." for name, reason in untold.items()]
    return texts
