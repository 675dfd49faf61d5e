"""What does the engine tell of its queries, and what does the service around its models cost?"""

from __future__ import annotations

import statistics

from synapse_perf.analyze.engine_findings import BUSY, HEALTH, IDLE, health, longest
from synapse_perf.analyze.latency_rows import Queries, facts_of
from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import format_count, format_middle, format_ratio, middle, samples_of
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_duration, format_percent

ENGINE, STAGE1, STAGE2, OVERHEAD = "engine", "engine.stage1", "engine.stage2", "overhead"
POLLED, CACHED = "health-polled", "cached"
_STATES = (("health URL, idle", IDLE), ("health URL, during a query", BUSY))
_CONNECTIONS = (("on a kept connection", {"connection": "kept"}), ("on a new one", {"connection": "new"}))
_NOTE = (
    "Left out: what the engine's processingTimeMs does not count, of a two-stage query its retrieval too. Its count of "
    "tokens is always 0 and it does not stream, so there is no first token and no rate. How often it polls the health "
    "of its own models cannot be seen from outside."
)


def engine_section(asked: Asked) -> Section | None:
    """None where no engine was asked."""
    shown = [group for group in asked.references if ENGINE in group.phases]
    waits = [metric for metric in asked.metrics if metric.name == HEALTH]
    if not shown and not waits:
        return None
    blocks: list[Block] = []
    if shown:
        blocks.append(_figures(asked, shown))
    blocks += _cached(asked)
    if waits:
        blocks.append(_service(waits))
    asked.mark(waits)
    for group in asked.groups:
        if group.variant == POLLED:
            asked.mark_group(group)
    return Section("The engine around its models", (*blocks, Paragraph(_NOTE, "quiet")))


def _figures(asked: Asked, groups: list[Queries]) -> Table:
    columns = (
        Column("tier"),
        Column("queries", shrink="wrap"),
        Column("outside", "right"),
        Column("its own", "right"),
        Column("stage 1", "right"),
        Column("stage 2", "right"),
        Column("left out", "right"),
        Column("share", "right"),
        Column("artifacts", "right"),
    )
    return Table(columns, tuple(_figure_row(asked, group) for group in groups))


def _figure_row(asked: Asked, group: Queries) -> Row:
    phases = [group.phases.get(name) for name in (ENGINE, STAGE1, STAGE2, OVERHEAD)]
    asked.mark(phases)
    latency, overhead = group.latency, middle(phases[-1])
    outside = middle(latency)
    found = facts_of(latency, "artifacts") if latency else []
    texts = (
        format_middle(latency),
        *("" if phase is None else format_middle(phase) for phase in phases),
        format_percent(overhead / outside) if overhead is not None and outside else "",
        f"{statistics.median(found):g}" if found else "",
    )
    return Row((Cell(group.tier), Cell(group.complexity or "all"), *map(Cell, texts)), _lost(latency))


def _lost(latency: Metric | None) -> str:
    lost = sum(value is True for trial in latency.trials for value in trial.facts.get("lost", ())) if latency else 0
    return f"{lost} of these were lost, and count as over the limit" if lost else ""


def _cached(asked: Asked) -> list[Block]:
    """What a cache has answered, apart from what models have."""
    lines = []
    for group in asked.groups:
        if group.variant == CACHED and group.latency:
            asked.mark_group(group)
            lines.append(f"{group.tier} {group.complexity}".strip() + f" {format_middle(group.latency)}")
    return (
        [Paragraph(f"Answered from the engine's cache, and in no other figure: {', '.join(lines)}.")] if lines else []
    )


def _service(waits: list[Metric]) -> Table:
    columns = (
        Column("service", shrink="wrap"),
        Column("n", "right"),
        Column("p50", "right"),
        Column("ratio", "right"),
        Column("longest", "right"),
    )
    rows: list[Row] = []
    for pair in (_STATES, _CONNECTIONS):
        reference = health(waits, pair[0][1])
        for name, labels in pair:
            metric = health(waits, labels)
            if metric is not None:
                rows.append(_wait_row(name, metric, reference))
    return Table(columns, tuple(rows))


def _wait_row(name: str, metric: Metric, reference: Metric | None) -> Row:
    """Each process has a longest wait, and the row the middle of these."""
    whole, part = middle(reference), middle(metric)
    ratio = format_ratio(part / whole) if whole and part and metric is not reference else ""
    worst = statistics.median(longest(metric).values())
    most = f"{format_duration(worst)} (most {format_duration(max(samples_of(metric)))})"
    return Row((Cell(name), Cell(format_count(metric)), Cell(format_middle(metric), "strong"), Cell(ratio), Cell(most)))
