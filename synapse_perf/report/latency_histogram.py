"""How are the latencies of a tier spread? A bar for each span of time, in plain text, or all of them in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synapse_perf.model import Metric
from synapse_perf.report.document import Bar, Cell, Column, Lane, Paragraph, Row, Section, Table, Waterfall
from synapse_perf.report.figures import format_range, samples_of
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_percent, format_value

BINS_AT_MOST = 8
SAMPLES_AT_LEAST = 8  # fewer are no distribution
LINE_BINS = 30  # so that a line fits into 60 columns
_HEIGHTS = "▁▂▃▄▅▆▇█"


def histogram_section(asked: Asked, *, is_brief: bool = False) -> Section | None:
    """A lane for each tier and complexity with samples enough; None without any."""
    shown: list[tuple[str, Metric]] = []
    few: list[str] = []
    for group in asked.references:
        latency = group.latency
        if latency is None:
            continue
        if latency.summary.count < SAMPLES_AT_LEAST:
            few.append(f"{asked.name(group)} {latency.summary.count}")
        else:
            shown.append((asked.name(group), latency))
    if not shown:
        return None
    told = Paragraph(f"Too few queries for a distribution: {', '.join(few)}.", "quiet")
    drawn = _lines(shown) if is_brief else Waterfall(tuple(_lane(name, latency) for name, latency in shown))
    return Section("Distribution", (drawn, *((told,) if few else ())))


def _lane(name: str, latency: Metric) -> Lane:
    samples = samples_of(latency)
    seen = f"{latency.summary.count} queries, {format_range(min(samples), max(samples), latency.unit)}"
    return Lane(name, seen, bars_of(samples))


def _lines(shown: Sequence[tuple[str, Metric]]) -> Table:
    """Each from its least to its worst."""
    columns = (Column("tier"), Column("least", "right"), Column("how often"), Column("worst", "right"))
    rows = []
    for name, latency in shown:
        samples = samples_of(latency)
        ends = (format_value(min(samples), latency.unit), format_value(max(samples), latency.unit))
        rows.append(Row((Cell(name), Cell(ends[0]), Cell(line_of(samples)), Cell(ends[1]))))
    return Table(columns, tuple(rows))


def line_of(samples: Sequence[float]) -> str:
    """One character for each span of time, as high as it is full; a blank where nothing lies."""
    counts = counts_of(samples, LINE_BINS)
    fullest = max(counts)
    return "".join(_HEIGHTS[math.ceil(count / fullest * len(_HEIGHTS)) - 1] if count else " " for count in counts)


def bars_of(samples: Sequence[float]) -> tuple[Bar, ...]:
    """Spans of the same length from the least to the most; one more for each doubling of the samples."""
    low, high = min(samples), max(samples)
    bins = 1 if low == high else max(1, min(BINS_AT_MOST, math.ceil(math.log2(len(samples)))))
    step = (high - low) / bins
    counts = counts_of(samples, bins)
    fullest = max(counts)
    return tuple(
        Bar(
            format_range(low + place * step, low + (place + 1) * step, "s"),
            str(count),
            format_percent(count / len(samples)),
            0.0,
            count / fullest,
            "count",
        )
        for place, count in enumerate(counts)
    )


def counts_of(samples: Sequence[float], bins: int) -> list[int]:
    """How many lie in each of so many spans of the same length, from the least to the most."""
    low, high = min(samples), max(samples)
    step = (high - low) / bins
    counts = [0] * bins
    for sample in samples:
        counts[min(int((sample - low) / step), bins - 1) if step else 0] += 1
    return counts
