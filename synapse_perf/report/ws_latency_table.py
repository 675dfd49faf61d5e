"""How long do messages take, case by case: percentiles with their intervals, the worst, and what was lost?"""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.analyze.percentile_bounds import percentile_bounds
from synapse_perf.analyze.summary import PERCENTILES, least_for_percentile, quantile
from synapse_perf.analyze.targets import find_target
from synapse_perf.analyze.ws_cases import WsCase, percentile, pooled
from synapse_perf.model import Check, Metric, Result, Statistic
from synapse_perf.report.document import Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import confidence_of, fact_values, format_count, format_range
from synapse_perf.report.targets_table import SAMPLE, STATUS_TONES
from synapse_perf.units import format_duration

TARGET = "websocket-latency"
SHOWN: tuple[tuple[str, Statistic], ...] = (("p50", "median"), ("p95", "p95"), ("p99", "p99"))
WORDS = {"pass": "in time", "fail": "LATE", "inconclusive": "open"}


def latency_section(result: Result, cases: list[WsCase]) -> Section | None:
    """A row for each case, with the intervals under it; None where nothing was measured."""
    if not cases:
        return None
    confidence = confidence_of(result)
    judged = {check.metric: check for check in result.checks if check.target == TARGET}
    columns = (
        Column("case"),
        Column("p50", "right"),
        Column("p95", "right"),
        Column("p99", "right"),
        Column("worst", "right"),
        Column("lost", "right"),
        Column("n", "right"),
        Column("p95 is"),
    )
    rows = tuple(_row(case, judged, confidence) for case in cases)
    told = f"From the moment at which a message is due until its {_answer(result)}. ~: fewer messages than it takes."
    return Section("Latency", (Table(columns, rows), Paragraph(told, "quiet")))


def _answer(result: Result) -> str:
    kinds = {
        "echo": "answer",
        "ping": "pong, which the server's WebSocket library sends and not its application",
        "event": "event has come to every connection; it is due when its trigger is",
    }
    return kinds.get(str(result.workload.get("mode")), "answer")


def _row(case: WsCase, judged: Mapping[str, Check], confidence: float) -> Row:
    metric, check = case.latency, judged.get(case.latency.key)
    figures = [Cell(_statistic(metric, statistic), "strong" if name == "p95" else "plain") for name, statistic in SHOWN]
    word = WORDS.get(check.status) or ("sample" if SAMPLE in check.reason else "not judged") if check else "not judged"
    status = Cell(word, STATUS_TONES[check.status] if check else "plain")
    rest = (Cell(format_duration(max(pooled(metric)))), Cell(str(case.lost)), Cell(format_count(metric)), status)
    return Row((Cell(case.name), *figures, *rest), _note(case, confidence))


def _statistic(metric: Metric, statistic: Statistic) -> str:
    """Marked where the messages are too few for it."""
    share = PERCENTILES[statistic]
    mark = "~" if statistic != "median" and metric.summary.count < least_for_percentile(share) else ""
    return mark + format_duration(percentile(metric, share))


def _note(case: WsCase, confidence: float) -> str:
    groups = [trial.samples for trial in case.latency.trials]
    parts = []
    for name, statistic in SHOWN:
        if statistic == "median":
            interval = case.latency.summary.interval
            low, high = (interval.low, interval.high) if interval else (None, None)
        else:
            low, high = percentile_bounds(groups, statistic, confidence, find_target(TARGET).minimum)
        if low is not None and high is not None:
            parts.append(f"{name} {format_range(low, high, 's')}")
        elif high is not None:
            parts.append(f"{name} up to {format_duration(high)}")
    told = [f"{confidence * 100:g} % intervals: {', '.join(parts)}" if parts else "too few processes for intervals"]
    first, middle = (fact_values(case.latency, name) for name in ("first_s", "middle_s"))
    if first and middle:
        firsts, middles = quantile(first, 0.5), quantile(middle, 0.5)
        told.append(
            f"to the first of {case.connections} connections {format_duration(firsts)}, to half of them "
            f"{format_duration(middles)}, to the last {format_duration(percentile(case.latency, 0.5))} (p50)"
        )
    return "; ".join(told)
