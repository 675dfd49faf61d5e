"""How are the figures spread that the targets are judged on? A picture says at once what a percentile hides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from synapse_perf.model import Metric, Suite
from synapse_perf.report.document import Bar, Lane, Section, Waterfall
from synapse_perf.report.figures import format_range, labels_of, samples_of, where_of
from synapse_perf.report.latency_histogram import SAMPLES_AT_LEAST, bars_of
from synapse_perf.units import format_value


def distributions_section(suite: Suite) -> Section | None:
    """A histogram of each time that a target is judged on; None where there are too few samples of all of them."""
    lanes = [
        _lane(check.target, metric, check.limit)
        for result in suite.results
        for check in result.checks
        for metric in result.metrics
        if metric.key == check.metric and metric.unit == "s" and metric.summary.count >= SAMPLES_AT_LEAST
    ]
    return Section("Distributions", (Waterfall(tuple(lanes)),)) if lanes else None


def _lane(target: str, metric: Metric, limit: float) -> Lane:
    samples = samples_of(metric)
    where = where_of(labels_of(metric.key, {metric.key: metric}))
    spread = format_range(min(samples), max(samples), metric.unit)
    over = sum(sample >= limit for sample in samples)
    told = f"{len(samples)} samples, {spread}; {over} at or over {format_value(limit, metric.unit)}"
    return Lane(f"{target}: {where}" if where else target, told, tuple(_judged(samples, limit)))


def _judged(samples: list[float], limit: float) -> Iterator[Bar]:
    """The bars, those of spans that begin at the limit or beyond it told apart."""
    bars, low = bars_of(samples), min(samples)
    step = (max(samples) - low) / len(bars)
    for place, bar in enumerate(bars):
        yield replace(bar, kind="over") if low + place * step >= limit else bar
