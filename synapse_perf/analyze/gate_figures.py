"""Which figures of a run does a gate judge, one for each metric, and which of them can be trusted?"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from synapse_perf.analyze.gate_leaks import growth_of, told_leaks
from synapse_perf.analyze.summary import process_medians, quantile
from synapse_perf.errors import InputError
from synapse_perf.model import Better, Leak, Metric, Result, Suite, metric_key

EVERY_TIME = "every time"  # what the processor time of a whole command stands for
LEAST_FOR_FASTEST = 3  # samples of a run
EXPERIMENT = "variant"  # the label of arms that are tried out and never judged


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one run: the median over its processes; NaN where it has no samples or one that is no number."""

    value: float
    unit: str
    better: Better
    is_steady: bool = True  # the same in every process; asked of exact metrics only
    is_principal: bool = True  # has to be decided; others fail a gate when they are surely slower, and only then
    stands_for: str = ""  # a companion: heard only where this metric (or any time) is inconclusive
    is_leak: bool = False  # growth that a hunt has confirmed, 0 where it found none


Figures = Mapping[str, Figure]


def is_timed(figure: Figure) -> bool:
    """Whether the clock made it, so that others on the machine change it: a time or a rate, not processor time."""
    return (figure.unit == "s" or figure.unit.endswith("/s")) and figure.stands_for != EVERY_TIME


def results_of(run: Result | Suite) -> tuple[Result, ...]:
    return run.results if isinstance(run, Suite) else (run,)


def figures_of(run: Result | Suite, wanted: Collection[str] = ()) -> dict[str, Figure]:
    """One figure for each metric that has a better direction, by its key; of several benchmarks with their names.

    `wanted` are patterns such as ``query_latency*``. Raises InputError for a metric that is there twice, and for a time
    below zero.
    """
    found: dict[str, Figure] = {}
    targeted = {check.metric for result in results_of(run) for check in result.checks}
    for key, metric in judged_metrics(run, wanted):
        if key in found:
            raise InputError(f"the metric {key} is there twice", "measure again, or remove one of the two")
        # What has a target is what a run is about; of a run without targets, or asked for by name, every metric is.
        is_principal = bool(wanted) or not targeted or metric.key in targeted or metric.better == "exact"
        found[key] = _figure(key, metric, is_principal)
    for key, leak in judged_leaks(run, wanted):
        found[key] = Figure(growth_of(leak), leak.unit, "lower", is_leak=True)
    return found


def companions_of(run: Result | Suite, wanted: Collection[str] = ()) -> dict[str, Figure]:
    """The fastest sample of each time that has several: others on the machine only ever add to a time."""
    found = {}
    for key, metric in judged_metrics(run, wanted):
        samples = [value for trial in metric.trials for value in trial.samples]
        if metric.unit == "s" and metric.better == "lower" and len(samples) >= LEAST_FOR_FASTEST:
            fastest = math.nan if any(map(math.isnan, samples)) else min(samples)
            name = key.removesuffix(metric.key) + metric_key(f"{metric.name} (fastest)", metric.labels)
            found[name] = Figure(fastest, "s", "lower", is_principal=False, stands_for=key)
    return found


def judged_metrics(run: Result | Suite, wanted: Collection[str] = ()) -> Iterator[tuple[str, Metric]]:
    """Every metric that a gate judges, with the name that it has there."""
    results = results_of(run)
    is_one = len({result.benchmark for result in results}) == 1
    for result in results:
        for metric in () if result.leaks else result.metrics:
            key = metric.key if is_one else f"{result.benchmark}: {metric.key}"
            is_wanted = not wanted or any(fnmatchcase(key, pattern) or metric.name == pattern for pattern in wanted)
            if metric.better != "none" and EXPERIMENT not in metric.labels and is_wanted:
                yield key, metric


def judged_leaks(run: Result | Suite, wanted: Collection[str] = ()) -> Iterator[tuple[str, Leak]]:
    """The rows of leak hunts, which stand for the series that they were judged by."""
    results = results_of(run)
    is_one = len({result.benchmark for result in results}) == 1
    for result in results:
        for leak in told_leaks(result):
            key = leak.metric if is_one else f"{result.benchmark}: {leak.metric}"
            name = leak.metric.partition("{")[0]
            if not wanted or any(fnmatchcase(key, pattern) or name == pattern for pattern in wanted):
                yield key, leak


def failures_of(run: Result | Suite) -> tuple[str, ...]:
    """What failed while it was measured, but for its end by Ctrl-C; the same words once."""
    failures = [each for result in results_of(run) for each in result.failures if each.kind != "interrupted"]
    return tuple(dict.fromkeys(f"failed while it was measured: {each.message}" for each in failures))


def check_wanted(wanted: Collection[str], runs: Sequence[Result | Suite]) -> None:
    """Raise InputError for a name or pattern that no run has a metric of: nobody would miss what it was to judge."""
    for pattern in wanted:
        if not any(figures_of(run, (pattern,)) for run in runs):
            names = ", ".join(dict.fromkeys(name.partition("{")[0] for run in runs for name in figures_of(run)))
            raise InputError(f"--metric {pattern}: no metric has this name", f"choose of these: {names or 'none'}")


def is_written_once(sides: Sequence[Figures]) -> bool:
    """Whether all runs of a side have the very same times, which no clock gives: they were read, not measured anew."""
    times = [{name: one.value for name, one in side.items() if is_timed(one)} for side in sides]
    return len(times) > 1 and bool(times[0]) and all(each == times[0] for each in times)


def middle(values: Sequence[float]) -> float:
    return quantile(values, 0.5) if values and not any(map(math.isnan, values)) else math.nan


def _figure(key: str, metric: Metric, is_principal: bool) -> Figure:
    values = process_medians([trial.samples for trial in metric.trials])
    if metric.unit == "s" and any(value < 0 for value in values):
        raise InputError(f"{key}: a time below zero ({min(values):g} s)", "its clock went backwards: measure again")
    return Figure(middle(values), metric.unit, metric.better, len(set(values)) <= 1, is_principal)
