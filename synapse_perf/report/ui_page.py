"""What does the page consist of, what was its main thread busy with, how does it answer, and what does it keep?"""

from __future__ import annotations

import statistics

from synapse_perf.analyze.ui_findings import p75
from synapse_perf.analyze.ui_frames import metric_named, page_facts, page_number
from synapse_perf.analyze.ui_leaks import HEAP, SETTLING_ROUNDS, counted_rounds
from synapse_perf.model import Metric, Result
from synapse_perf.report.document import Cell, Column, Fields, Paragraph, Row, Section, Table
from synapse_perf.report.leak_figures import STATUS_WORDS
from synapse_perf.units import format_bytes, format_duration, format_percent, three_digits

LISTED_FROM = 20  # children: a list that is worth naming
NAMED_SHARE = 0.05  # of the main thread's time: a function that is worth naming
ROUND_NAMES = {
    "dom_node_growth": "DOM nodes",
    "listener_growth": "event listeners",
    HEAP: "script memory",
}
SHIFTS_LEFT_OUT = "what moves within 500 ms of input is left out by design"


def page_section(result: Result) -> Section | None:
    """The medians over browsers; None where none was finished."""
    metrics = result.metrics
    nodes = page_number(metrics, "nodes")
    if nodes is None:
        return None
    rows = [("consists of", f"{_count('elements', result)} elements, {nodes:.0f} DOM nodes, {_listeners(result)}")]
    items = page_number(metrics, "list_items") or 0
    if items >= LISTED_FROM:
        name = str(page_facts(metrics, "list")[0])
        rows.append(("longest list", f"{name}: {items:.0f} children, {_count('list_outside', result)} out of sight"))
    size = page_number(metrics, "script_bytes")
    if size:
        came = format_bytes(page_number(metrics, "script_transferred_bytes") or 0.0)
        number = _count("scripts", result)
        told = f"{format_bytes(size)} in {number} file{'' if number == '1' else 's'}, {came} over the network"
        rows.append(("scripts", told))
    rows.append(("main thread", _busy(result)))
    rows += _renders(result)
    rows += _interactions(result)
    rows.append(("layout shift", _shift(result)))
    return Section("The page", (Fields(tuple(rows)),))


def _count(name: str, result: Result) -> str:
    return f"{page_number(result.metrics, name) or 0:.0f}"


def _listeners(result: Result) -> str:
    number = _count("listeners", result)
    return f"{number} event listener{'' if number == '1' else 's'}"


def _busy(result: Result) -> str:
    shares = {name: page_number(result.metrics, f"{name}_share") for name in ("script", "style", "layout", "all")}
    told = ", ".join(f"{name} {format_percent(value)}" for name, value in shares.items() if value and name != "all")
    whole = shares["all"]
    busy = f"busy {format_percent(whole)} of the time" if whole is not None else "not known"
    most = page_facts(result.metrics, "busiest")
    share = page_number(result.metrics, "busiest_share") or 0.0
    named = f"; most in {most[0]}, {format_percent(share)}" if most and share > NAMED_SHARE else ""
    return (f"{busy} ({told})" if told else busy) + named


def _renders(result: Result) -> list[tuple[str, str]]:
    """What React does while nobody does anything; nothing where it does nothing."""
    names = ("seconds", "renders", "idle_renders")
    seconds, rendered, idle = (page_number(result.metrics, f"renders_{name}") for name in names)
    if not seconds or not rendered:
        return []
    told = f"{three_digits(rendered / seconds)} React components a second while nobody does anything"
    return [("renders", f"{told}, {three_digits((idle or 0.0) / seconds)} of them for nothing")]


def _interactions(result: Result) -> list[tuple[str, str]]:
    latency = metric_named(result.metrics, "interaction_latency")
    processing = metric_named(result.metrics, "interaction_processing")
    if latency is None or processing is None:
        return []
    count = latency.summary.count
    longest = max(value for record in latency.trials for value in record.samples)
    told = (
        f"{count}; p75 {format_duration(p75(latency))} until the next frame, of which handlers took "
        f"{format_duration(p75(processing))} (p75); longest {format_duration(longest)}"
    )
    return [("interactions", told)]


def _shift(result: Result) -> str:
    shift = metric_named(result.metrics, "layout_shift")
    middle = _middle_of(shift) if shift else None
    left_out = page_number(result.metrics, "shift_after_input") or 0.0
    also = f" (here {left_out:.2f})" if left_out else ""
    return f"{three_digits(middle or 0.0)}; {SHIFTS_LEFT_OUT}{also}"


def _middle_of(metric: Metric) -> float | None:
    values = [value for record in metric.trials for value in record.samples]
    return statistics.median(values) if values else None


def rounds_section(result: Result) -> Section | None:
    """What stayed after each round of the scenario; None where no rounds were asked for."""
    status = {leak.metric: leak for leak in result.leaks}
    counted = [metric for metric in result.metrics if metric.name in ROUND_NAMES]
    if not counted:
        return None
    columns = (
        Column("what"),
        Column("verdict"),
        Column("more per round", "right"),
        Column("after each round", shrink="wrap"),
    )
    rows = []
    for metric in counted:
        leak, kept = status.get(metric.name), counted_rounds(metric)
        word, tone = STATUS_WORDS[leak.status] if leak else ("shown only", "plain")
        middle = sum(kept) / len(kept) if kept else None
        first = ", ".join(_amount(value, metric) for value in metric.trials[0].samples[:8])
        rows.append(
            Row(
                (
                    Cell(ROUND_NAMES[metric.name]),
                    Cell(word, tone),
                    Cell("not known" if middle is None else _amount(middle, metric), "strong"),
                    Cell(first),
                ),
                leak.reason if leak and leak.status == "inconclusive" else "",
            )
        )
    browsers = max(len(metric.trials) for metric in counted)
    text = (
        f"In {browsers} browser{'s' if browsers > 1 else ''}, after the garbage was collected; the first "
        f"{SETTLING_ROUNDS} rounds, in which a page settles, do not count. Nodes and listeners are counted exactly."
    )
    return Section("What each round leaves", (Table(columns, tuple(rows)), Paragraph(text, "quiet")))


def _amount(value: float, metric: Metric) -> str:
    text = f"{format_bytes(value)}" if metric.unit == "B" else f"{value:.0f}"
    return f"+{text}" if value > 0 else text
