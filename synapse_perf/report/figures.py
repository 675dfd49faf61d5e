"""How does a figure read? Always with its unit, and where it is measured with its count and its interval."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping

from synapse_perf.analyze.boundary import FIRST_LOOK
from synapse_perf.analyze.percentile_bounds import percentile_bounds
from synapse_perf.analyze.targets import find_target
from synapse_perf.model import Check, Gain, Interval, Json, Labels, Metric, Result, Statistic
from synapse_perf.units import format_bytes, format_duration, format_percent, format_value, three_digits

UNKNOWN = "not known"
NOT_YET = "not known yet"


def samples_of(metric: Metric) -> list[float]:
    """Every sample of the metric, over all trials."""
    return [value for trial in metric.trials for value in trial.samples]


def fact_values(metric: Metric, name: str) -> list[float]:
    """The numbers that the trials noted under this name, without those that could not be known."""
    values = (value for trial in metric.trials for value in trial.facts.get(name, ()))
    return [float(value) for value in values if isinstance(value, int | float)]


def fact_median(metric: Metric | None, name: str) -> float | None:
    values = fact_values(metric, name) if metric else []
    return statistics.median(values) if values else None


def middle(metric: Metric | None) -> float | None:
    """The median, or below the count that supports one the middle of the samples, for drawing and ratios only."""
    if metric is None:
        return None
    if metric.summary.median is not None:
        return metric.summary.median
    samples = samples_of(metric)
    return statistics.median(samples) if samples else None


def format_middle(metric: Metric | None) -> str:
    """The middle as text; ``~`` marks one that too few samples support."""
    value = middle(metric)
    if metric is None or value is None:
        return UNKNOWN
    mark = "~" if metric.summary.median is None and metric.summary.count > 1 else ""
    return mark + format_value(value, metric.unit)


def format_range(low: float, high: float, unit: str) -> str:
    """Two bounds with one unit where both have the same: ``2.90–3.30 s``."""
    first, second = format_value(low, unit), format_value(high, unit)
    first_number, _, first_unit = first.partition(" ")
    second_number, _, second_unit = second.partition(" ")
    if low < 0 or high < 0:
        return f"{first} to {second}"
    if first_unit == second_unit:
        return f"{first_number}–{second_number} {second_unit}".rstrip()
    return f"{first}–{second}"


def format_confidence(interval: Interval) -> str:
    return f"{interval.confidence * 100:g} %"


def interval_of(metric: Metric | None, statistic: Statistic = "median") -> Interval | None:
    """The interval of that statistic, if it is the one that was computed."""
    if metric is None or metric.summary.interval is None or metric.summary.interval.statistic != statistic:
        return None
    return metric.summary.interval


def format_interval(metric: Metric | None, statistic: Statistic = "median") -> str:
    """The bounds alone; where the count supports none, ``none``."""
    interval = interval_of(metric, statistic)
    if metric is None or interval is None:
        return "none"
    return format_range(interval.low, interval.high, metric.unit)


def format_bounds(metric: Metric, statistic: Statistic, confidence: float, first: int = FIRST_LOOK) -> str:
    """Of a percentile: each bound holds with that confidence; too few processes for one leave that side open."""
    low, high = percentile_bounds([trial.samples for trial in metric.trials], statistic, confidence, first)
    low = low if low is not None and low > 0 else None
    if low is not None and high is not None:
        return format_range(low, high, metric.unit)
    if low is not None:
        return f"> {format_value(low, metric.unit)}"
    return "none" if high is None else f"< {format_value(high, metric.unit)}"


def format_judged_interval(metric: Metric | None, check: Check, confidence: float) -> str:
    """Of what a target judges, be it a median or a percentile; where the count supports none, ``none``."""
    if metric is None or check.statistic == "median":
        return format_interval(metric)
    return format_bounds(metric, check.statistic, confidence, find_target(check.target).minimum)


def confidence_of(result: Result) -> float:
    """Of the run's intervals and verdicts."""
    found = result.plan.get("confidence")
    return float(found) if isinstance(found, int | float) else 0.95


def is_rough(metric: Metric | None, statistic: Statistic) -> bool:
    """Whether its samples are too few for that statistic, which is then the nearest that they give."""
    return metric is not None and getattr(metric.summary, statistic) is None


def format_count(metric: Metric | None) -> str:
    """``6``, or with several samples a process ``60 in 6``."""
    if metric is None:
        return "0"
    count, processes = metric.summary.count, metric.summary.processes
    return str(count) if count == processes else f"{count} in {processes}"


def format_spread(metric: Metric) -> str:
    """Count and interval in words: ``n=6, 95 % 2.90–3.30 s``; for few samples their range."""
    count = f"n={metric.summary.count}"
    if metric.summary.count != metric.summary.processes:
        count += f" in {metric.summary.processes} processes"
    interval = interval_of(metric)
    if interval is not None:
        return f"{count}, {format_confidence(interval)} {format_interval(metric)}"
    samples = samples_of(metric)
    if len(samples) < 2:
        return f"{count}, one sample has no interval"
    return f"{count}, too few for a median, seen {format_range(min(samples), max(samples), metric.unit)}"


def interval_title(metrics: Iterable[Metric | None]) -> str:
    """The heading over intervals: with the level if all share it."""
    found = {format_confidence(metric.summary.interval) for metric in metrics if metric and metric.summary.interval}
    return f"{found.pop()} interval" if len(found) == 1 else "interval"


def labels_of(key: str, metrics: Mapping[str, Metric]) -> Labels:
    """The labels of a metric's key: the metric's own, or read from the key where the result lacks that metric."""
    if key in metrics:
        return metrics[key].labels
    inside = key.partition("{")[2].removesuffix("}")
    labels: dict[str, str] = {}
    name = ""
    for piece in inside.split(",") if inside else ():
        found, _, value = piece.partition("=")
        if found > name:
            name, labels[found] = found, value
        else:  # keys are sorted, so this piece belongs to a value with a comma in it
            labels[name] += f",{piece}"
    return labels


def where_of(labels: Labels, arm: str = "") -> str:
    """The labels that tell runs apart, in the order that people say them: ``qwen3-4b, metal, cold``.

    The arm is added unless the labels say it.
    """
    first = ("model", "tier", "device", "started", "cache", "variant", "hunt")
    told_by_arm = arm.replace(",", " ").split()
    rest = [
        f"{key}={value}"
        for key, value in sorted(labels.items())
        if key not in (*first, "phase") and value and value not in told_by_arm
    ]
    named = [labels[key] for key in first if labels.get(key)]
    told = ", ".join(dict.fromkeys(named + rest))
    return told if arm in told else ", ".join(part for part in (told, arm) if part)


def format_ratio(ratio: float | None) -> str:
    return UNKNOWN if ratio is None else f"{three_digits(ratio)}×"


def format_gain(gain: Gain | None) -> str:
    """The gain with its bounds, and whether somebody measured it."""
    if gain is None:
        return NOT_YET
    bounds = ""
    if gain.low is not None and gain.high is not None:
        bounds = f" ({format_range(gain.low, gain.high, gain.unit)})"
    return f"{format_value(gain.value, gain.unit)}{bounds}, {'measured' if gain.measured else 'estimated'}"


def format_evidence(evidence: Mapping[str, Json]) -> str:
    """Named values as one text; the suffix of a name tells its unit: ``read_bytes`` becomes ``read 2.31 GiB``.

    The values within a named mapping or list have the unit of its name if their own names tell none.
    """
    return ", ".join(f"{_name(key)} {_format_named(key, value, '')}" for key, value in evidence.items()) or NOT_YET


_SUFFIXES: Mapping[str, Callable[[float], str]] = {
    "_per_s": lambda value: f"{three_digits(value)}/s",  # before what it ends with
    "_s": format_duration,
    "_bytes": format_bytes,
    "_share": format_percent,
}
_BARE = ("confidence",)  # names whose value has no unit, whatever it stands within
_SHARE_OF = "share_of_"


def _suffix(key: str) -> str:
    if not key.isidentifier():  # a name of the user's, such as app.cache:keep_bytes, and no unit
        return ""
    if key.startswith(_SHARE_OF):
        return "_share"
    return next((suffix for suffix in _SUFFIXES if key.endswith(suffix)), "")


def _name(key: str) -> str:
    return key.removesuffix(_suffix(key)).replace("_", " ") if key.isidentifier() else key


def _format_named(key: str, value: Json, unit: str) -> str:
    unit = _suffix(key) or ("" if key in _BARE else unit)
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        form = _SUFFIXES.get(unit)
        if form:
            return form(value)
        return str(value) if isinstance(value, int) else three_digits(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return " ".join(_format_named(key, entry, unit) for entry in value) or "none"
    if isinstance(value, Mapping):
        inside = (f"{_name(str(name))} {_format_named(str(name), entry, unit)}" for name, entry in value.items())
        return f"({', '.join(inside)})"
    return json.dumps(value, default=str)
