"""How did each metric change against a baseline, and is the change more than noise?

The ratio of the medians over processes with a bootstrap interval. The bootstrap distribution of a median is worked out
exactly instead of drawn (J. S. Maritz, R. G. Jarrett, J. Am. Stat. Assoc. 73, 1978, 194-196), so that the interval is
the same every time and mirrors when the two runs change places. It assumes independent processes and nothing about
their distribution; by simulation it holds the true ratio in 93 to 98 % of runs at 95 % (tests/analyze/test_compare.py).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Protocol

from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, process_medians, quantile
from synapse_perf.model import Comparison, ComparisonStatus, Json, Metric, Result, Suite
from synapse_perf.units import format_percent

SMALLEST_EFFECT = 0.03  # a change below it is no regression, however sure
NO_SAMPLE = "no sample of it, or one that is not a number"


class Meaning(Protocol):
    """What a figure is, of whatever kind."""

    @property
    def unit(self) -> str: ...
    @property
    def better(self) -> str: ...


def compare(current: Result, baseline: Result | Suite, confidence: float = 0.95) -> tuple[Comparison, ...]:
    """One comparison for each metric of the baseline, then one for each that only the current run has."""
    before = _same_benchmark(current, baseline)
    if before is None:
        reason = f"the baseline has no {current.benchmark}"
        return tuple(_only(metric, None, "not-comparable", reason) for metric in current.metrics)
    difference = differing_fields(current, before)
    now = {metric.key: metric for metric in current.metrics}
    rows = []
    for metric in before.metrics:
        found = now.pop(metric.key, None)
        if found is None:
            rows.append(_only(None, metric, "missing", "the current run has no such metric"))
        elif difference:
            rows.append(_only(found, metric, "not-comparable", f"differing: {', '.join(difference)}"))
        else:
            rows.append(compare_metric(found, metric, confidence))
    return (*rows, *map(_new, now.values()))


def differing_fields(current: Result, baseline: Result) -> list[str]:
    """What makes two results incomparable, by the names of its fields; empty if nothing does."""
    found = []
    if current.schema_version != baseline.schema_version:
        found.append("schema_version")
    if current.subject != baseline.subject:
        found.append("subject")
    found += _by_digest("hardware_class", current.environment.hardware_class, baseline.environment.hardware_class)
    return found + _by_digest("workload", current.workload, baseline.workload)


def changed_meaning(before: Meaning, now: Meaning) -> list[str]:
    """The fields without which two figures of one name are two things, with what they were and are."""
    fields = ("unit", "better")
    sides = ((name, getattr(before, name), getattr(now, name)) for name in fields)
    return [f"{name} ({old}, now {new})" for name, old, new in sides if old != new]


def compare_metric(current: Metric, baseline: Metric, confidence: float = 0.95) -> Comparison:
    """The ratio of medians, current over baseline, with its interval and what follows from it."""
    if changed := changed_meaning(baseline, current):
        return _only(current, baseline, "not-comparable", f"differing: {', '.join(changed)}")
    now, before = (process_medians([trial.samples for trial in metric.trials]) for metric in (current, baseline))
    if before and all(map(math.isfinite, before)) and not any(map(math.isfinite, now)):
        return _only(current, baseline, "missing", NO_SAMPLE)
    if not all(map(math.isfinite, [*now, *before])):
        return _only(current, baseline, "inconclusive", "a sample is not a number")
    if current.better == "exact":
        return _compare_exactly(current, baseline, now, before)
    if min(len(now), len(before)) < LEAST_FOR_MEDIAN:
        counts = f"{len(now)} process{'' if len(now) == 1 else 'es'} against {len(before)}"
        return _only(current, baseline, "inconclusive", f"{counts}, at least {LEAST_FOR_MEDIAN} each are needed")
    if min(*now, *before) <= 0:
        if current.unit == "1":
            return _compare_counts(current, baseline, now, before)
        return _only(current, baseline, "inconclusive", "a ratio needs values above 0")
    low, high = ratio_interval(now, before, confidence)
    ratio = quantile(now, 0.5) / quantile(before, 0.5)
    status, reason = _status(low, high, current, confidence)
    return _comparison(current, baseline, status, reason, ratio, low, high)


def ratio_interval(current: Sequence[float], baseline: Sequence[float], confidence: float) -> tuple[float, float]:
    """Percentile bootstrap interval of the ratio of two medians; values above 0."""
    tail = (1 - confidence) / 2
    return 1 / _highest_ratio(baseline, current, tail), _highest_ratio(current, baseline, tail)


def _highest_ratio(above: Sequence[float], below: Sequence[float], tail: float) -> float:
    """The ratio of two resampled medians that is exceeded with a chance of at most `tail`."""
    medians, others = _median_distribution(above), _median_distribution(below)
    levels = [other for other, _ in others]
    cumulated = [0.0, *accumulate(chance for _, chance in others)]
    low, high = math.log(medians[0][0] / levels[-1]), math.log(medians[-1][0] / levels[0])
    while high - low > _CLOSE:
        middle = (low + high) / 2
        ratio = math.exp(middle)
        exceeded = math.fsum(chance * cumulated[bisect_left(levels, median / ratio)] for median, chance in medians)
        low, high = (middle, high) if exceeded > tail else (low, middle)
    return math.exp(high)


_CLOSE = 1e-12  # of two logarithms
_NEVER = 1e-16  # a chance that changes no bound, and that most medians of many processes have


def _median_distribution(values: Sequence[float]) -> list[tuple[float, float]]:
    """Every median that resampling these values can give, in order, with its chance."""
    ordered, size, half = sorted(values), len(values), len(values) // 2
    below = [_at_least(half + size % 2, size, share) for share in range(size + 1)]
    middle = [after - before for before, after in pairwise(below)]  # the chance of each to be the (lower) middle draw
    if size % 2:
        return [one for one in zip(ordered, middle, strict=True) if one[1] > _NEVER]
    # Of half of the draws, the logarithm of the chance that the largest is this value.
    largest = [half * math.log(place / size) + math.log1p(-((1 - 1 / place) ** half)) for place in range(1, size + 1)]
    ways = math.lgamma(size + 1) - 2 * math.lgamma(half + 1)
    found = []
    for low, value in enumerate(ordered):
        both = 0.0  # that the two middle draws differ
        for high in range(low + 1, size):
            chance = math.exp(ways + largest[low] + largest[size - 1 - high])
            if chance < _NEVER:
                break
            both += chance
            found.append(((value + ordered[high]) / 2, chance))
        found.append((value, max(middle[low] - both, 0.0)))
    return sorted(one for one in found if one[1] > _NEVER)


def _at_least(successes: int, trials: int, share: int) -> float:
    """P(Binomial(trials, share / trials) >= successes), by the side on which the terms fall from the first on."""
    if share in (0, trials):
        return float(share > 0)
    odds = share / (trials - share)
    is_upper = share < successes
    count = successes if is_upper else successes - 1
    choices = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    term = math.exp(choices + count * math.log(share / trials) + (trials - count) * math.log1p(-share / trials))
    total = 0.0
    while term > total * _NEVER:
        total += term
        term *= odds * (trials - count) / (count + 1) if is_upper else count / (odds * (trials - count + 1))
        count += 1 if is_upper else -1
    return total if is_upper else 1 - total


def _status(low: float, high: float, metric: Metric, confidence: float) -> tuple[ComparisonStatus, str]:
    smallest = math.log1p(SMALLEST_EFFECT)
    change = f"between {_percent(low)} and {_percent(high)} at {format_percent(confidence)} confidence"
    if -smallest <= math.log(low) and math.log(high) <= smallest:
        return "unchanged", f"{change}, within {format_percent(SMALLEST_EFFECT)}"
    is_up, is_down = math.log(low) > smallest, math.log(high) < -smallest
    if metric.better != "none" and (is_up or is_down):
        return "regressed" if is_up == (metric.better == "lower") else "improved", change
    return "inconclusive", f"{change}, which is neither within nor beyond {format_percent(SMALLEST_EFFECT)}"


def _percent(ratio: float) -> str:
    return f"{ratio - 1:+.1%}".replace("%", " %")


def _compare_exactly(current: Metric, baseline: Metric, now: Sequence[float], before: Sequence[float]) -> Comparison:
    if not now or not before:
        return _only(current, baseline, "inconclusive", "no samples")
    is_same = set(now) == set(before)
    reason = "the same in every process" if is_same else "it has to be equal"
    return _only(current, baseline, "unchanged" if is_same else "regressed", reason)


def _compare_counts(current: Metric, baseline: Metric, now: Sequence[float], before: Sequence[float]) -> Comparison:
    """Where zeros leave no ratio, as with stalls of which a sound page has none: are the two apart altogether?

    Of six and six processes, all of one side lie above all of the other by chance twice in 924 times.
    """
    if len({*now, *before}) == 1:
        return _only(current, baseline, "unchanged", "the same in every process")
    is_up, is_down = min(now) > max(before), max(now) < min(before)
    if current.better in ("lower", "higher") and (is_up or is_down):
        status: ComparisonStatus = "regressed" if is_up == (current.better == "lower") else "improved"
        return _only(current, baseline, status, f"every process lies {'above' if is_up else 'below'} every one before")
    return _only(current, baseline, "inconclusive", "a ratio needs values above 0, and the two overlap")


def _same_benchmark(current: Result, baseline: Result | Suite) -> Result | None:
    results = baseline.results if isinstance(baseline, Suite) else (baseline,)
    return next((result for result in results if result.benchmark == current.benchmark), None)


def _by_digest(what: str, current: Mapping[str, Json], baseline: Mapping[str, Json]) -> list[str]:
    if current.get("digest") == baseline.get("digest"):
        return []
    names = [name for name in {**baseline, **current} if current.get(name) != baseline.get(name) and name != "digest"]
    return [f"{what}.{name}" for name in names] or [f"{what}.digest"]


def _new(metric: Metric) -> Comparison:
    if _level(metric) is None:
        return _only(metric, None, "inconclusive", f"new, and has {NO_SAMPLE}")
    return _only(metric, None, "missing", "the baseline has no such metric")


def _level(metric: Metric) -> float | None:
    """Where it lies, be it by few processes; None without a sample, or with one that is not a number."""
    if metric.summary.median is not None:
        return metric.summary.median
    values = process_medians([trial.samples for trial in metric.trials])
    return quantile(values, 0.5) if values and all(map(math.isfinite, values)) else None


def _only(current: Metric | None, baseline: Metric | None, status: ComparisonStatus, reason: str) -> Comparison:
    """A comparison without a ratio."""
    return _comparison(current, baseline, status, reason, None, None, None)


def _comparison(
    current: Metric | None,
    baseline: Metric | None,
    status: ComparisonStatus,
    reason: str,
    ratio: float | None,
    low: float | None,
    high: float | None,
) -> Comparison:
    metric = current or baseline
    assert metric is not None
    # In another unit it is another figure, and would be shown as what it is not.
    before, now = (_level(one) if one and one.unit == metric.unit else None for one in (baseline, current))
    return Comparison(metric.key, status, before, now, metric.unit, ratio, low, high, reason)
