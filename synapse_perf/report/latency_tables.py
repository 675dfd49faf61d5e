"""How long do the queries of each tier take, and at which rates? By complexity, with the lengths beside the row."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from synapse_perf.analyze.latency_rows import LATENCY, TTFT, Queries, facts_of
from synapse_perf.model import Metric, Statistic
from synapse_perf.report.document import Cell, Column, Row, Section, Table
from synapse_perf.report.figures import (
    format_bounds,
    format_count,
    format_interval,
    format_middle,
    interval_title,
    samples_of,
)
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_duration, format_value

_QUERY = "query-"  # how the targets that are judged here begin
_RATES = ("inter_token_latency", "decode_rate", "chunk_rate", "prefill_rate")
CHUNKS = "chunk_rate"  # of a server that does not count its tokens


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
        format_bounds(latency, statistic, confidence),
        format_value(max(samples_of(latency)), latency.unit),
    )
    cells = (Cell(group.tier), Cell(group.complexity or "all"), Cell(format_count(latency)))
    return Row((*cells, Cell(format_middle(latency), "strong"), *map(Cell, texts)), _refined_by(latency))


def _refined_by(latency: Metric) -> str:
    """What two-stage queries take by the tier that refines them: where there are several, they have two peaks."""
    found: dict[str, list[float]] = {}
    for trial in latency.trials:
        for tier, value in zip(trial.facts.get("second_tier", ()), trial.samples, strict=False):
            found.setdefault(str(tier), []).append(value)
    if len(found) < 2:
        return ""
    told = [f"{tier} {format_duration(statistics.median(own))} (n={len(own)})" for tier, own in sorted(found.items())]
    return f"median by refining tier: {', '.join(told)}"


def _rates(asked: Asked, groups: list[Queries], is_brief: bool) -> Table:
    """What the latencies come from; a two-stage query's lengths are those of its refinement.

    The gaps at which a reader stumbles are told where there is room.
    """
    has_chunks = any(CHUNKS in group.metrics for group in groups)
    columns = (
        Column("tier"),
        Column("queries", shrink="wrap"),
        Column("first token", "right"),
        Column("gap", "right"),
        *(() if is_brief else (Column("gap p95", "right"), Column("longest gap", "right"))),
        Column("tg/s", "right"),
        *((Column("chunks/s", "right"),) if has_chunks else ()),
        Column("pp/s", "right"),
        Column("prompt", "right"),
        Column("answer", "right"),
        Column("context", "right"),
    )
    names = tuple(name for name in _RATES[1:] if name != CHUNKS or has_chunks)
    return Table(columns, tuple(_rate_row(asked, group, names, is_brief) for group in groups))


def _rate_row(asked: Asked, group: Queries, rates: Sequence[str], is_brief: bool) -> Row:
    latency = group.metrics[LATENCY]
    first, gap, *others = (group.metrics.get(name) for name in (TTFT, _RATES[0], *rates))
    texts = (
        *("" if one is None else format_middle(one) for one in (first, gap)),
        *(() if is_brief else _long_gaps(latency)),
        *("" if one is None else format_middle(one).removesuffix(" 1/s") for one in others),
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
