"""How are the latencies of a tier spread? A bar for each span of time, in plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synapse_perf.report.document import Bar, Lane, Paragraph, Section, Waterfall
from synapse_perf.report.figures import format_range, samples_of
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_percent

BINS_AT_MOST = 8
SAMPLES_AT_LEAST = 8  # fewer are no distribution


def histogram_section(asked: Asked) -> Section | None:
    """A lane for each tier and complexity with samples enough; None without any."""
    lanes: list[Lane] = []
    few: list[str] = []
    for group in asked.references:
        latency = group.latency
        if latency is None:
            continue
        samples = samples_of(latency)
        if len(samples) < SAMPLES_AT_LEAST:
            few.append(f"{asked.name(group)} {len(samples)}")
            continue
        seen = f"{latency.summary.count} queries, {format_range(min(samples), max(samples), latency.unit)}"
        lanes.append(Lane(asked.name(group), seen, bars_of(samples)))
    if not lanes:
        return None
    told = Paragraph(f"Too few queries for a distribution: {', '.join(few)}.", "quiet")
    return Section("Distribution", (Waterfall(tuple(lanes)), *((told,) if few else ())))


def bars_of(samples: Sequence[float]) -> tuple[Bar, ...]:
    """Spans of the same length from the least to the most; one more for each doubling of the samples."""
    low, high = min(samples), max(samples)
    bins = 1 if low == high else max(1, min(BINS_AT_MOST, math.ceil(math.log2(len(samples)))))
    step = (high - low) / bins
    counts = [0] * bins
    for sample in samples:
        counts[min(int((sample - low) / step), bins - 1) if step else 0] += 1
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
