"""What does it cost to open the index at the first query, instead of before it?"""

from __future__ import annotations

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, process_medians
from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Table
from synapse_perf.report.figures import (
    format_count,
    format_interval,
    format_middle,
    format_range,
    format_ratio,
    interval_title,
    middle,
)
from synapse_perf.report.retrieval_runs import UNCERTIFIED, Measured, Retrievals, confidence_of, sum_of
from synapse_perf.units import format_duration

OPENING_STAGES = ("open", "metadata")


def preloading_blocks(measured: Measured) -> list[Block]:
    """The pair of rows, lazy against preloaded, and what follows; nothing unless both were measured."""
    lazy, preloaded = _either(measured, "cold"), _either(measured, "preloaded")
    if lazy is None or preloaded is None:
        return []
    measured.show(preloaded)
    first, second = lazy.total, preloaded.total
    assert first is not None and second is not None
    columns = (
        Column("the retriever is built" if "build" in lazy.stages else "the index is opened"),
        Column("first query", "right"),
        Column(interval_title([first, second]), "right"),
        Column("n", "right"),
        Column("ratio", "right"),
    )
    rows = (
        _row("by the first query (lazy)", first, "reference"),
        _row("before it (preloaded)", second, ratio_text(second, first)),
    )
    told = [_price(first, second), _parts(lazy, preloaded)]
    heading = Paragraph("Lazy loading against preloading", "strong")
    return [heading, Table(columns, rows), Paragraph(" ".join(text for text in told if text))]


def _either(measured: Measured, state: str) -> Retrievals | None:
    """Those proven cold, or else the others."""
    found = (measured.find(state=state), measured.find(state=state, cache=UNCERTIFIED))
    return next((group for group in found if group is not None and group.total is not None), None)


def _row(name: str, metric: Metric, ratio: str) -> Row:
    texts = (format_interval(metric), format_count(metric), ratio)
    return Row((Cell(name), Cell(format_middle(metric), "strong"), *map(Cell, texts)))


def ratio_text(above: Metric, below: Metric) -> str:
    """The ratio of the medians, with its interval where the processes are enough for one."""
    first, second = middle(above), middle(below)
    if first is None or not second:
        return ""
    bounds = ratio_bounds(above, below)
    return format_ratio(first / second) + (f" ({format_range(*bounds, '1')})" if bounds else "")


def _price(lazy: Metric, preloaded: Metric) -> str:
    """The difference with its interval, or that there is none to be seen."""
    first, second = middle(lazy), middle(preloaded)
    if first is None or second is None:
        return ""
    cost = f"Lazy loading costs the first query {format_duration(first - second)}"
    bounds = ratio_bounds(lazy, preloaded)
    if bounds is None:
        return f"{cost}; too few processes for an interval."
    low, high = bounds
    level = f"{confidence_of(lazy, preloaded) * 100:g} %"
    if low <= 1 <= high:
        return "Lazy loading and preloading cannot be told apart by these totals."
    gain = format_range(second * (low - 1), second * (high - 1), "s")
    if high < 1:
        return f"Preloading made the first query slower here, by {format_duration(second - first)} ({level} {gain})."
    return f"{cost} ({level} {gain})."


def ratio_bounds(above: Metric, below: Metric, comparisons: int = 1) -> tuple[float, float] | None:
    """The interval of the ratio of two medians over processes; None where they are too few, or not above 0.

    Of several comparisons all intervals together hold at the level of one (Bonferroni).
    """
    values = [process_medians([trial.samples for trial in metric.trials]) for metric in (above, below)]
    if min(map(len, values)) < LEAST_FOR_MEDIAN or min(map(min, values)) <= 0:
        return None
    return ratio_interval(values[0], values[1], 1 - (1 - confidence_of(above, below)) / comparisons)


def _parts(lazy: Retrievals, preloaded: Retrievals) -> str:
    """What the opening itself takes, which is surer than the difference of two totals."""
    stages = [metric for name, metric in lazy.stages.items() if name in OPENING_STAGES]
    opening, preload = sum_of(stages) if stages else None, preloaded.stages.get("preload")
    told = [
        f"the opening itself takes {_with_interval(opening)}" if opening else "",
        f"preloading adds {format_middle(preload)} to the start" if preload else "",
    ]
    text = "; ".join(part for part in told if part)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _with_interval(metric: Metric) -> str:
    interval = format_interval(metric) if metric.summary.interval else ""
    return f"{format_middle(metric)} ({interval})" if interval else format_middle(metric)
