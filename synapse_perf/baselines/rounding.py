"""How many digits of a baseline are kept, so that the diff of a commit shows what changed and no noise?"""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

from synapse_perf.model import Check, Comparison, Interval, Metric, Result, Suite, Summary, TrialRecord

MOST_DIGITS = 6  # a change of one in a million is far below any machine's noise
LEAST_DIGITS = 4


def rounded(run: Result | Suite) -> Result | Suite:
    if isinstance(run, Result):
        return _rounded(run)
    return replace(run, results=tuple(map(_rounded, run.results)), checks=tuple(map(_rounded_check, run.checks)))


def _rounded(result: Result) -> Result:
    return replace(
        result,
        metrics=tuple(map(_rounded_metric, result.metrics)),
        checks=tuple(map(_rounded_check, result.checks)),
        comparisons=tuple(map(_rounded_comparison, result.comparisons)),
    )


def _rounded_metric(metric: Metric) -> Metric:
    """What is compared exactly stays exact."""
    if metric.better == "exact":
        return metric
    digits = _digits(metric)
    trials = tuple(_rounded_trial(trial, digits) for trial in metric.trials)
    return replace(metric, trials=trials, summary=_rounded_summary(metric.summary, digits))


def _digits(metric: Metric) -> int:
    """So many that the last one is about a hundredth of the scatter of the samples."""
    samples = [value for trial in metric.trials for value in trial.samples]
    if len(samples) < 2 or not all(map(math.isfinite, samples)) or not statistics.median(samples):
        return MOST_DIGITS
    low, _, high = statistics.quantiles(samples, n=4)
    scatter = (high - low) / abs(statistics.median(samples))
    return MOST_DIGITS if scatter <= 0 else min(max(2 - math.floor(math.log10(scatter)), LEAST_DIGITS), MOST_DIGITS)


def _rounded_trial(trial: TrialRecord, digits: int) -> TrialRecord:
    facts = {
        name: tuple(_short(value, LEAST_DIGITS) if isinstance(value, float) else value for value in values)
        for name, values in trial.facts.items()
    }
    return replace(trial, samples=tuple(_short(value, digits) for value in trial.samples), facts=facts)


def _rounded_summary(summary: Summary, digits: int) -> Summary:
    interval: Interval | None = summary.interval
    if interval is not None:
        interval = replace(interval, low=_short(interval.low, digits), high=_short(interval.high, digits))
    values = (summary.median, summary.p90, summary.p95, summary.p99)
    median, p90, p95, p99 = (_short_or_none(value, digits) for value in values)
    return replace(summary, median=median, p90=p90, p95=p95, p99=p99, interval=interval)


def _rounded_check(check: Check) -> Check:
    return replace(check, observed=_short_or_none(check.observed))


def _rounded_comparison(comparison: Comparison) -> Comparison:
    return replace(
        comparison,
        baseline=_short_or_none(comparison.baseline),
        current=_short_or_none(comparison.current),
        ratio=_short_or_none(comparison.ratio),
        low=_short_or_none(comparison.low),
        high=_short_or_none(comparison.high),
    )


def _short_or_none(value: float | None, digits: int = MOST_DIGITS) -> float | None:
    return None if value is None else _short(value, digits)


def _short(value: float, digits: int) -> float:
    """Whole numbers stay as they are: bytes and counts are exact, and read no better with zeros."""
    return value if not math.isfinite(value) or value == int(value) else float(f"{value:.{digits}g}")
