"""How long do the queries of each tier take, and at which rates? By complexity, with the lengths beside the row."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from synapse_perf.analyze.latency_rows import LATENCY, TTFT, Queries, facts_of
from synapse_perf.analyze.percentile_bounds import percentile_bounds
from synapse_perf.model import Metric, Statistic
from synapse_perf.report.document import Cell, Column, Row, Section, Table
from synapse_perf.report.figures import (
    format_count,
    format_interval,
    format_middle,
    format_range,
    interval_title,
    samples_of,
)
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_duration, format_value

_QUERY = "query-"  # how the targets that are judged here begin
_RATES = ("inter_token_latency", "decode_rate", "prefill_rate")


def latency_section(asked: Asked, *, is_brief: bool = False) -> Section | None:
    """Two tables, the latencies and the rates, with a row for each tier and complexity; None without queries."""
    shown = [(group, group.latency) for group in asked.references if group.latency]
    if not shown:
        return None
    for group, _ in shown:
        asked.mark(group.metrics.get(name) for name in (LATENCY, TTFT, *_RATES))
    confidence = _confidence(asked)
    checks = [check for check in asked.result.checks if check.target.startswith(_QUERY)]
    statistic: Statistic = checks[0].statistic if checks else "p90"
    columns = (
        Column("tier"),
        Column("queries", shrink="wrap"),
        Column("n", "right"),
        Column("p50", "right"),
        Column(interval_title(latency for _, latency in shown), "right"),
        Column(statistic, "right"),
        Column(f"{confidence * 100:g} % bounds", "right"),
        Column("worst", "right"),
    )
    rows = tuple(_row(group, latency, statistic, confidence) for group, latency in shown)
    timed = [group for group, _ in shown if any(name in group.metrics for name in (TTFT, *_RATES))]
    rates = (_rates(asked, timed, is_brief),) if timed else ()  # a server that does not stream tells none
    return Section("Latency of a query", (Table(columns, rows), *rates))


def _confidence(asked: Asked) -> float:
    confidence = asked.result.plan.get("confidence")
    return float(confidence) if isinstance(confidence, int | float) else 0.95


def _row(group: Queries, latency: Metric, statistic: Statistic, confidence: float) -> Row:
    value = getattr(latency.summary, statistic)
    texts = (
        format_interval(latency),
        "none" if value is None else format_value(value, latency.unit),
        _bounds(latency, statistic, confidence),
        format_value(max(samples_of(latency)), latency.unit),
    )
    cells = (Cell(group.tier), Cell(group.complexity or "all"), Cell(format_count(latency)))
    return Row((*cells, Cell(format_middle(latency), "strong"), *map(Cell, texts)))


def _bounds(latency: Metric, statistic: Statistic, confidence: float) -> str:
    """Each holds with that confidence; what has too few processes for one is open on that side."""
    low, high = percentile_bounds([trial.samples for trial in latency.trials], statistic, confidence)
    if low is not None and high is not None:
        return format_range(low, high, latency.unit)
    if low is not None:
        return f"> {format_value(low, latency.unit)}"
    return "none" if high is None else f"< {format_value(high, latency.unit)}"


def _rates(asked: Asked, groups: list[Queries], is_brief: bool) -> Table:
    """What the latencies come from; a two-stage query's lengths are those of its refinement.

    The gaps at which a reader stumbles are told where there is room.
    """
    columns = (
        Column("tier"),
        Column("queries", shrink="wrap"),
        Column("first token", "right"),
        Column("gap", "right"),
        *(() if is_brief else (Column("gap p95", "right"), Column("longest gap", "right"))),
        Column("tg/s", "right"),
        Column("pp/s", "right"),
        Column("prompt", "right"),
        Column("answer", "right"),
        Column("context", "right"),
    )
    return Table(columns, tuple(_rate_row(asked, group, is_brief) for group in groups))


def _rate_row(asked: Asked, group: Queries, is_brief: bool) -> Row:
    latency = group.metrics[LATENCY]
    first, gap, decode, prefill = (group.metrics.get(name) for name in (TTFT, *_RATES))
    texts = (
        *("" if one is None else format_middle(one) for one in (first, gap)),
        *(() if is_brief else _long_gaps(latency)),
        *("" if one is None else format_middle(one).removesuffix(" 1/s") for one in (decode, prefill)),
        _tokens(facts_of(latency, "prompt_tokens")),
        _tokens(facts_of(latency, "generated_tokens")),
        _context(asked, group.tier),
    )
    return Row((Cell(group.tier), Cell(group.complexity or "all"), *map(Cell, texts)), _inside(latency))


def _long_gaps(latency: Metric) -> tuple[str, str]:
    """The median answer's 95th percentile of its gaps, and the longest of all answers."""
    late, longest = facts_of(latency, "gap_p95_s"), facts_of(latency, "gap_max_s")
    if not late or not longest:
        return "", ""
    return format_duration(statistics.median(late)), format_duration(max(longest))


def _inside(latency: Metric) -> str:
    """What a two-stage query's prompt is made of, beside the query."""
    draft, found = (_tokens(facts_of(latency, name)) for name in ("draft.generated_tokens", "context_tokens"))
    return (
        f"its prompt holds a draft of {draft} tokens and {found or 'no'} tokens of what was retrieved" if draft else ""
    )


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
