"""How long do the queries of each tier take, and at which rates? By complexity, with the lengths beside the row."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.analyze.latency_rows import LATENCY, TTFT, Queries, facts_of
from synapse_perf.model import Metric
from synapse_perf.report.document import Cell, Column, Row, Section, Table
from synapse_perf.report.figures import (
    format_count,
    format_interval,
    format_middle,
    interval_title,
    samples_of,
)
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_value

_RATES = ("inter_token_latency", "decode_rate", "prefill_rate")


def latency_section(asked: Asked) -> Section | None:
    """Two tables, the latencies and the rates, with a row for each tier and complexity; None without queries."""
    shown = [(group, group.latency) for group in asked.references if group.latency]
    if not shown:
        return None
    for group, _ in shown:
        asked.mark(group.metrics.get(name) for name in (LATENCY, TTFT, *_RATES))
    has_p95 = any(latency.summary.p95 is not None for _, latency in shown)
    columns = (
        Column("tier"),
        Column("queries", shrink="wrap"),
        Column("n", "right"),
        Column("p50", "right"),
        Column(interval_title(latency for _, latency in shown), "right"),
        Column("p90", "right"),
        *((Column("p95", "right"),) if has_p95 else ()),
        Column("worst", "right"),
    )
    rows = tuple(_row(group, latency, has_p95=has_p95) for group, latency in shown)
    return Section("Latency of a query", (Table(columns, rows), _rates(asked, [group for group, _ in shown])))


def _row(group: Queries, latency: Metric, *, has_p95: bool) -> Row:
    summary = latency.summary
    percentiles = [summary.p90, summary.p95] if has_p95 else [summary.p90]
    texts = (
        format_interval(latency),
        *("none" if one is None else format_value(one, latency.unit) for one in percentiles),
        format_value(max(samples_of(latency)), latency.unit),
    )
    cells = (Cell(group.tier), Cell(group.complexity or "all"), Cell(format_count(latency)))
    return Row((*cells, Cell(format_middle(latency), "strong"), *map(Cell, texts)))


def _rates(asked: Asked, groups: list[Queries]) -> Table:
    """What the latencies come from; a two-stage query's lengths are those of its refinement."""
    columns = (
        Column("tier"),
        Column("queries", shrink="wrap"),
        Column("first token", "right"),
        Column("gap", "right"),
        Column("tg/s", "right"),
        Column("pp/s", "right"),
        Column("prompt", "right"),
        Column("answer", "right"),
        Column("context", "right"),
    )
    return Table(columns, tuple(_rate_row(asked, group) for group in groups))


def _rate_row(asked: Asked, group: Queries) -> Row:
    latency = group.metrics[LATENCY]
    first, gap, decode, prefill = (group.metrics.get(name) for name in (TTFT, *_RATES))
    texts = (
        *("" if one is None else format_middle(one) for one in (first, gap)),
        *("" if one is None else format_middle(one).removesuffix(" 1/s") for one in (decode, prefill)),
        _tokens(facts_of(latency, "prompt_tokens")),
        _tokens(facts_of(latency, "generated_tokens")),
        _context(asked, group.tier),
    )
    return Row((Cell(group.tier), Cell(group.complexity or "all"), *map(Cell, texts)))


def _tokens(counts: list[float]) -> str:
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    return f"{low:.0f}" if low == high else f"{low:.0f}–{high:.0f}"


def _context(asked: Asked, tier: str) -> str:
    tiers = asked.result.workload.get("tiers")
    known = tiers.get(tier) if isinstance(tiers, Mapping) else None
    context = known.get("context") if isinstance(known, Mapping) else None
    return f"{context}" if context else ""
