"""What does a report of ws-latency tell, in which order? The verdict, each case, what carries it, who stays."""

from __future__ import annotations

from synapse_perf.analyze.summary import quantile
from synapse_perf.analyze.ws_cases import WsCase, cases_of, percentile, pooled
from synapse_perf.model import Result
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Cell, Column, Document, Paragraph, Row, Section, Table
from synapse_perf.report.figures import fact_values
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.latency_histogram import SAMPLES_AT_LEAST, line_of
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.settings import settings_section
from synapse_perf.report.targets_table import targets_section
from synapse_perf.report.verdict import verdict_section
from synapse_perf.report.ws_disconnects_table import disconnects_section
from synapse_perf.report.ws_latency_table import latency_section
from synapse_perf.units import format_duration

ROWS_AT_MOST = 8  # against a baseline


def ws_sections(result: Result) -> Document:
    cases = cases_of(result.metrics)
    parts = [
        verdict_section(result, _figures(cases)),
        latency_section(result, cases),
        _carrying_section(cases),
        _polled_section(result, cases),
        _distribution_section(cases),
        disconnects_section(result),
        findings_section(result),
        targets_section(result),
        comparisons_section(result, ROWS_AT_MOST),
        settings_section(result),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)


def _figures(cases: list[WsCase]) -> list[str]:
    """The worst case, in a sentence."""
    if not cases:
        return []
    worst = max(cases, key=lambda case: percentile(case.latency, 0.95))
    p95_s = percentile(worst.latency, 0.95)
    ping_s = percentile(worst.ping, 0.95) if worst.ping else None
    beside = f", and of the protocol's own pings within {format_duration(ping_s)}" if ping_s is not None else ""
    of = f" (the worst of {len(cases)} cases)" if len(cases) > 1 else ""
    count = len(pooled(worst.latency))
    if worst.lost * 20 > count:
        return [f"{worst.lost} of {count} messages got no answer: {worst.name}{of}."]
    return [f"19 of 20 messages were answered within {format_duration(p95_s)}{beside}: {worst.name}{of}."]


def _carrying_section(cases: list[WsCase]) -> Section | None:
    """What messages are carried by, case by case: pings, the handshake, and how late this tool itself sent."""
    if not cases:
        return None
    columns = (
        Column("case"),
        Column("ping p50", "right"),
        Column("ping p95", "right"),
        Column("connect", "right"),
        Column("late p99", "right"),
    )
    told = (
        "Pings are answered by the server's WebSocket library: what messages take beyond them is the application's. "
        "Connect: the median with the handshake. Late: by how much this tool itself sent after a message was due, "
        "which counts as latency."
    )
    return Section(
        "Connections and sender", (Table(columns, tuple(map(_carrying_row, cases))), Paragraph(told, "quiet"))
    )


def _carrying_row(case: WsCase) -> Row:
    late = fact_values(case.latency, "lateness_s")
    texts = (
        *(format_duration(percentile(case.ping, share)) if case.ping else "none" for share in (0.5, 0.95)),
        format_duration(percentile(case.connect, 0.5)) if case.connect else "none",
        format_duration(quantile(late, 0.99)) if late else "none",
    )
    return Row((Cell(case.name), *map(Cell, texts)))


def _polled_section(result: Result, cases: list[WsCase]) -> Section | None:
    """How the URL itself answered that was polled beside the messages."""
    polled = [(case, case.polls) for case in cases if case.polls is not None]
    if not polled:
        return None
    columns = (
        Column("case"),
        *(Column(name, "right") for name in ("answers", "p50", "p95", "worst", "failed", "open")),
    )
    rows = []
    for case, polls in polled:
        samples = pooled(polls)
        texts = (
            str(len(samples)),
            *(format_duration(quantile(samples, share)) for share in (0.5, 0.95, 1.0)),
            *(f"{sum(fact_values(polls, name)):g}" for name in ("failed", "left")),
        )
        rows.append(Row((Cell(case.name), *map(Cell, texts))))
    url, rate = result.workload.get("load_url"), result.workload.get("load_rate_per_s")
    told = (
        f"GET {url}{f', {rate:g} times a second' if isinstance(rate, int | float) else ''}: from its request until the "
        "whole answer. Open: none yet when the messages were over."
    )
    return Section("The polled URL", (Table(columns, tuple(rows)), Paragraph(told, "quiet")))


def _distribution_section(cases: list[WsCase]) -> Section | None:
    """Each case from its fastest message to its slowest, in one line."""
    shown = [case for case in cases if len(pooled(case.latency)) >= SAMPLES_AT_LEAST]
    if not shown:
        return None
    columns = (Column("case"), Column("least", "right"), Column("how often"), Column("worst", "right"))
    rows = []
    for case in shown:
        samples = pooled(case.latency)
        ends = format_duration(min(samples)), format_duration(max(samples))
        rows.append(Row((Cell(case.name), Cell(ends[0]), Cell(line_of(samples)), Cell(ends[1]))))
    return Section("Distribution", (Table(columns, tuple(rows)),))
