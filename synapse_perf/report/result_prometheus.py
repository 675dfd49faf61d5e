"""Which figures of a run does Prometheus get? Each metric with its unit in its name, the targets, and when it ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from synapse_perf.model import (
    Check,
    CheckStatus,
    Comparison,
    ComparisonStatus,
    Leak,
    LeakStatus,
    Metric,
    Result,
    Statistic,
)
from synapse_perf.report.prometheus import Gauge, prometheus_text, seconds_since_1970, states


def result_prometheus(results: Sequence[Result]) -> str:
    return prometheus_text(gauge for result in results for gauge in _of_result(result))


def check_gauges(check: Check, labels: Mapping[str, str]) -> Iterator[Gauge]:
    """One target: what was observed, its limit, and its status."""
    named = {**labels, "target": check.target, "metric": check.metric}
    yield Gauge("target_observed", check.unit, "What a target is judged on.", named, check.observed)
    yield Gauge("target_limit", check.unit, "The limit of a target.", named, check.limit)
    yield from states(
        "target_status", "1 for the status of a target.", named, "status", get_args(CheckStatus), check.status
    )


def comparison_gauges(one: Comparison, better: str, labels: Mapping[str, str]) -> Iterator[Gauge]:
    """How much worse, whatever the metric's direction: an alert needs no knowledge of the metric."""
    named = {**labels, "metric": one.metric}
    ratio, low, high = one.ratio, one.low, one.high
    if better == "higher":
        ratio, low, high = _inverse(ratio), _inverse(high), _inverse(low)
    yield Gauge("slowdown_ratio", "", "Ratio to the baseline; above 1 is worse.", named, ratio)
    yield Gauge("slowdown_low_ratio", "", "Lower bound of slowdown_ratio.", named, low)
    yield Gauge("slowdown_high_ratio", "", "Upper bound of slowdown_ratio.", named, high)
    meaning = "1 for how a metric compares with its baseline."
    yield from states("comparison_status", meaning, named, "status", get_args(ComparisonStatus), one.status)


def _of_result(result: Result) -> Iterator[Gauge]:
    own = {"benchmark": result.benchmark, "profile": result.profile}
    yield Gauge("last_run_timestamp", "s", "When the run began.", own, seconds_since_1970(result.started_at))
    yield Gauge("run_duration", "s", "How long the run took.", own, result.duration_s)
    yield Gauge("failures", "", "What failed while measuring.", own, float(len(result.failures)))
    yield from states("verdict", "1 for the verdict of the run.", own, "verdict", get_args(CheckStatus), result.verdict)
    for metric in result.metrics:
        yield from _of_metric(metric, own)
    for check in result.checks:
        yield from check_gauges(check, own)
    better = {metric.key: metric.better for metric in result.metrics}
    for comparison in result.comparisons:
        yield from comparison_gauges(comparison, better.get(comparison.metric, "lower"), own)
    for leak in result.leaks:
        yield from _of_leak(leak, own)


def _of_metric(metric: Metric, own: Mapping[str, str]) -> Iterator[Gauge]:
    reserved = {*own, "statistic"}
    theirs = {f"exported_{name}" if name in reserved else name: value for name, value in metric.labels.items()}
    labels, summary = {**theirs, **own}, metric.summary
    direction = f"{metric.better} is better" if metric.better in ("lower", "higher") else f"better: {metric.better}"
    statistics: tuple[Statistic, ...] = get_args(Statistic)
    for statistic in statistics:
        named = {**labels, "statistic": statistic}
        meaning = f"{metric.name}, {direction}; a statistic that the samples cannot support is left out."
        yield Gauge(metric.name, metric.unit, meaning, named, getattr(summary, statistic))
    if summary.interval is not None:
        named = {**labels, "statistic": summary.interval.statistic}
        for end in ("low", "high"):
            meaning = f"The {end} end of the confidence interval of {metric.name}."
            yield Gauge(f"{metric.name}_{end}", metric.unit, meaning, named, getattr(summary.interval, end))
    yield Gauge("samples", "", "How many samples a metric has.", {**own, "metric": metric.key}, float(summary.count))


def _of_leak(leak: Leak, own: Mapping[str, str]) -> Iterator[Gauge]:
    named = {**own, "metric": leak.metric}
    yield Gauge("leak_growth", leak.unit, "Growth for one iteration.", named, leak.growth)
    yield from states("leak_status", "1 for what a probe tells.", named, "status", get_args(LeakStatus), leak.status)


def _inverse(ratio: float | None) -> float | None:
    return 1 / ratio if ratio else None
