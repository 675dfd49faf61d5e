"""What else was measured? Every metric that no other part of the report shows."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.model import Metric, Result
from synapse_perf.report.document import Cell, Column, Row, Section, Table
from synapse_perf.report.figures import format_count, format_interval, format_middle, interval_title
from synapse_perf.report.runs import LOADING_METRICS
from synapse_perf.units import format_value


def measurements_section(result: Result) -> Section | None:
    return metrics_section([one for one in result.metrics if one.name not in LOADING_METRICS and one.summary.count])


def metrics_section(metrics: Sequence[Metric]) -> Section | None:
    """A row for each of these metrics; None without any."""
    if not metrics:
        return None
    columns = (
        Column("metric", shrink="wrap"),
        Column("median", "right"),
        Column(interval_title(metrics), "right"),
        Column("p95", "right"),
        Column("n", "right"),
    )
    return Section("Measurements", (Table(columns, tuple(_row(metric) for metric in metrics)),))


def _row(metric: Metric) -> Row:
    labels = " ".join(f"{key}={value}" for key, value in sorted(metric.labels.items()))
    p95 = metric.summary.p95
    return Row(
        (
            Cell(f"{metric.name} {labels}".strip()),
            Cell(format_middle(metric), "strong"),
            Cell(format_interval(metric)),
            Cell("none" if p95 is None else format_value(p95, metric.unit)),
            Cell(format_count(metric)),
        )
    )
