"""Which figures of a gate does Prometheus get? How much slower each metric is, and what the gate ended with."""

from __future__ import annotations

from collections.abc import Iterator

from synapse_perf.analyze.gate_report import GateReport
from synapse_perf.report.gate_document import judged_rows
from synapse_perf.report.prometheus import Gauge, prometheus_text, seconds_since_1970
from synapse_perf.report.result_prometheus import check_gauges, comparison_gauges


def gate_prometheus(report: GateReport) -> str:
    return prometheus_text(_gauges(report))


def _gauges(report: GateReport) -> Iterator[Gauge]:
    started = seconds_since_1970(report.started_at)
    yield Gauge("gate_last_run_timestamp", "s", "When the gate began.", {}, started)
    yield Gauge("gate_exit_code", "", "0 pass, 1 fail, 3 inconclusive, 4 not comparable.", {}, float(report.exit_code))
    yield Gauge("gate_duration", "s", "How long the gate took.", {}, report.duration_s)
    for row in judged_rows(report):
        named = {"metric": row.comparison.metric}
        yield Gauge("gate_before", row.comparison.unit, "The metric before.", named, row.comparison.baseline)
        yield Gauge("gate_after", row.comparison.unit, "The metric after.", named, row.comparison.current)
        yield Gauge("gate_waived", "", "1 where the slowdown is agreed to.", named, float(bool(row.waived)))
        yield from comparison_gauges(row.comparison, row.better, {})
    for check in report.checks:
        yield from check_gauges(check, {})
