"""Is a run slower than stored runs of the same machine, as far as runs of different days can tell?

A prediction interval for one further run (G. J. Hahn, W. Q. Meeker, Statistical Intervals, 1991, section 4.7) on the
logarithm, which assumes that runs of the same code scatter normally there. So few runs say little about their scatter,
so it is moderated by what other metrics show (G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3,
2004): the chance of any false alarm in a gate is at most `ALARM` if the scatter is what these runs show.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from synapse_perf.analyze.compare import NO_SAMPLE, changed_meaning, differing_fields
from synapse_perf.analyze.disturbance import TOO_MANY, is_disturbed
from synapse_perf.analyze.gate_figures import Figure, figures_of, judged_metrics
from synapse_perf.analyze.gate_files import changed_software
from synapse_perf.analyze.gate_leaks import appeared
from synapse_perf.analyze.gate_paired import Rules
from synapse_perf.analyze.gate_report import GateRow
from synapse_perf.analyze.percentile import student_quantile
from synapse_perf.analyze.summary import process_medians
from synapse_perf.baselines.noise import DaySpread
from synapse_perf.model import Comparison, ComparisonStatus, Metric, Result
from synapse_perf.units import format_percent

ALARM = 0.01
SLIP = 0.0005  # of calling a slowdown by the effect asked for unchanged
ASSUMED_SPREAD = 0.03  # of runs of different days, where nothing is known: that of shared machines
PRIOR_WEIGHT = 10  # degrees of freedom that what is known beforehand counts for
MOST_RUNS = 50
_ENOUGH = 3  # degrees of freedom with which a metric can speak for itself
_MEDIAN_OVER_MEAN = 1.2533  # standard error of a median over that of a mean, for normal samples


@dataclass(frozen=True, slots=True)
class Spread:
    """How runs of the same code scatter from day to day: the standard deviation of the logarithm, and its evidence."""

    deviation: float
    degrees: float
    is_assumed: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """One metric of the current run beside the same of stored runs."""

    metric: str
    now: Figure | None
    before: tuple[Figure, ...]
    within: float = 0.0  # standard error of the current figure by its own processes
    is_crowded: bool = False
    calibrated: DaySpread | None = None  # what runs of the same code on other days have shown


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    rows: tuple[GateRow, ...]
    detectable: float | None  # the median over metrics of the least slowdown that would be an alarm
    is_assumed: bool  # the scatter was assumed, not seen
    changed: tuple[str, ...] = field(default_factory=tuple)  # software that differs


def judge_stored(
    current: Result,
    runs: Sequence[Result],
    rules: Rules,
    wanted: Sequence[str] = (),
    calibrated: Mapping[str, DaySpread] | None = None,
) -> StoredOutcome:
    """`runs` are stored runs of the same command, the newest first; `calibrated` is by metric."""
    difference = differing_fields(current, runs[0])
    usable = [run for run in runs if not differing_fields(run, runs[0])]
    metrics = [replace(one, calibrated=(calibrated or {}).get(one.metric)) for one in _beside(current, usable, wanted)]
    if difference:
        reason = f"differing: {', '.join(difference)}"
        return StoredOutcome(tuple(_plain_row(one, "not-comparable", reason, rules) for one in metrics), None, False)
    timed = sum(_refusal(one) is None and not _is_exact(one) for one in metrics)
    rows, limits, assumed = [], [], False
    for one in metrics:
        spread = _spread(one, metrics)
        row, limit = _row(one, spread, rules, max(timed, 1))
        rows.append(row)
        if limit is not None and row.is_principal:
            limits.append(limit)
            assumed |= spread.is_assumed
    return StoredOutcome(
        tuple(rows), statistics.median(limits) if limits else None, assumed, tuple(changed_software(current, runs[0]))
    )


def _beside(current: Result, runs: Sequence[Result], wanted: Sequence[str]) -> list[Stored]:
    now, metrics = figures_of(current, wanted), dict(judged_metrics(current, wanted))
    stored = [figures_of(run, wanted) for run in runs]
    names = dict.fromkeys([*(name for figures in stored[:1] for name in figures), *now])
    return [
        Stored(
            name,
            now.get(name),
            tuple(figures[name] for figures in stored if name in figures),
            _within(metrics[name]) if name in metrics else 0.0,
            _is_crowded(metrics[name]) if name in metrics else False,
        )
        for name in names
    ]


def _row(one: Stored, spread: Spread, rules: Rules, family: int) -> tuple[GateRow, float | None]:
    refusal = _refusal(one)
    if refusal is not None:
        return _plain_row(one, *refusal, rules), None
    assert one.now is not None
    if _is_exact(one):
        return _exact_row(one, rules), None
    logs = [math.log(figure.value) for figure in one.before]
    sign = -1 if one.now.better == "higher" else 1
    slowdown = sign * (math.log(one.now.value) - statistics.fmean(logs))
    floor, effect = math.log1p(rules.floor_of(one.metric)), math.log1p(rules.effect_of(one.metric))
    alarm = _half_width(spread, len(logs), ALARM / family)
    shown = _half_width(spread, len(logs), 0.025)
    status, reason, needs = _decide(one, slowdown, spread, len(logs), floor, effect, alarm)
    ratio, low, high = (math.exp(sign * value) for value in (slowdown, slowdown - shown, slowdown + shown))
    row = _plain_row(one, status, reason, rules, needs)
    comparison = Comparison(
        one.metric,
        status,
        row.comparison.baseline,
        one.now.value,
        one.now.unit,
        ratio,
        min(low, high),
        max(low, high),
        reason,
    )
    return replace(row, comparison=comparison), math.expm1(floor + alarm)


def _decide(
    one: Stored, slowdown: float, spread: Spread, runs: int, floor: float, effect: float, alarm: float
) -> tuple[ComparisonStatus, str, int | None]:
    slip = _half_width(spread, runs, SLIP)
    if slowdown - floor > alarm:
        if one.is_crowded:
            return "inconclusive", "slower, but the machine was crowded: end what else runs and measure again", None
        return "regressed", f"slower than {runs} stored run{'s' * (runs > 1)} can explain", None
    if slowdown + slip < -floor:
        return "improved", "faster than stored runs can explain", None
    if slowdown + slip < effect:
        return "unchanged", f"no slowdown by {format_percent(math.expm1(effect))}", None
    more = (
        count - runs
        for count in range(runs + 1, MOST_RUNS + 1)
        if slowdown + _half_width(_grown(spread, count - runs), count, SLIP) < effect
        or slowdown - floor > _half_width(_grown(spread, count - runs), count, ALARM)
    )
    asked = format_percent(math.expm1(effect))
    return "inconclusive", f"runs of different days scatter too much to exclude a slowdown by {asked}", next(more, None)


def _half_width(spread: Spread, runs: int, error: float) -> float:
    quantile = student_quantile(round(spread.degrees) + 1, error)
    return quantile * spread.deviation * math.sqrt(1 + 1 / runs)


def _grown(spread: Spread, runs: int) -> Spread:
    return Spread(spread.deviation, spread.degrees + runs, spread.is_assumed)


def _spread(one: Stored, metrics: Sequence[Stored]) -> Spread:
    """Moderated: the runs' own variance and what is known beforehand, weighted by their degrees of freedom."""
    own, own_degrees = _variance(one)
    known = _pooled([other for other in metrics if other is not one]) or _alone(own_degrees)
    degrees = known.degrees + own_degrees
    variance = (known.degrees * known.deviation**2 + own_degrees * own) / degrees
    # Of a single day only the least is known that days differ by.
    least = one.calibrated.deviation if one.calibrated and not one.calibrated.degrees else 0.0
    return Spread(math.sqrt(max(variance, one.within**2, least**2)), degrees, known.is_assumed)


def _alone(own_degrees: int) -> Spread:
    """What is known beforehand of the only metric: nothing that its own runs do not show better, if there are some."""
    return Spread(0.0, 0) if own_degrees >= _ENOUGH else Spread(ASSUMED_SPREAD, PRIOR_WEIGHT, is_assumed=True)


def _pooled(others: Sequence[Stored]) -> Spread | None:
    """What the stored runs show over other metrics together; None for a single run."""
    found = [(variance, degrees) for variance, degrees in map(_variance, others) if degrees]
    if not found:
        return None
    deviation = math.sqrt(statistics.fmean(variance for variance, _ in found))
    return Spread(deviation, min(sum(degrees for _, degrees in found), PRIOR_WEIGHT))


def _variance(one: Stored) -> tuple[float, int]:
    """Of the logarithm over the stored runs and calibrated days, with its degrees of freedom."""
    values = [figure.value for figure in one.before]
    if not values or _is_exact(one) or not all(math.isfinite(value) and value > 0 for value in values):
        return 0.0, 0
    calibrated = one.calibrated or DaySpread(0.0, 0)
    degrees = len(values) - 1 + calibrated.degrees
    if not degrees:
        return 0.0, 0
    squares = statistics.variance(map(math.log, values)) * (len(values) - 1) if len(values) > 1 else 0.0
    return (squares + calibrated.deviation**2 * calibrated.degrees) / degrees, degrees


def _refusal(one: Stored) -> tuple[ComparisonStatus, str] | None:
    if one.now is None:
        return "missing", "the run has no such metric"
    if not one.before:
        if not math.isfinite(one.now.value):
            return "inconclusive", f"new, and has {NO_SAMPLE}"
        return "missing", "new: there is nothing to compare it with"
    if changed := changed_meaning(one.before[0], one.now):
        return "not-comparable", f"differing: {', '.join(changed)}"
    values = [one.now.value, *(figure.value for figure in one.before)]
    if one.now.is_leak and (told := appeared([figure.value for figure in one.before], [one.now.value])) is not None:
        return told
    if not all(map(math.isfinite, values)):
        if not math.isfinite(one.now.value) and any(math.isfinite(figure.value) for figure in one.before):
            return "missing", NO_SAMPLE
        return "inconclusive", f"a run has {NO_SAMPLE}"
    if not _is_exact(one) and min(values) <= 0:
        return (
            ("unchanged", "0 in every run")
            if set(values) == {0.0}
            else ("inconclusive", "a ratio needs values above 0")
        )
    return None


def _exact_row(one: Stored, rules: Rules) -> GateRow:
    assert one.now is not None
    if not all(figure.is_steady for figure in (one.now, *one.before)) or len({each.value for each in one.before}) > 1:
        return _plain_row(one, "inconclusive", "it should be exact, and differs between runs of the same code", rules)
    is_same = one.now.value == one.before[0].value
    return _plain_row(
        one,
        "unchanged" if is_same else "regressed",
        "the same in every run" if is_same else "it has to be equal",
        rules,
    )


def _plain_row(one: Stored, status: ComparisonStatus, reason: str, rules: Rules, needs: int | None = None) -> GateRow:
    figure = one.now or one.before[0]
    values = [each.value for each in one.before if each.unit == figure.unit and math.isfinite(each.value)]
    before = statistics.median(values) if values else None
    now = one.now.value if one.now and math.isfinite(one.now.value) else None
    comparison = Comparison(one.metric, status, before, now, figure.unit, None, None, None, reason)
    is_incomplete = status == "inconclusive" and None in (before, now)
    is_principal = figure.is_principal or is_incomplete
    return GateRow(comparison, figure.better, rules.floor_of(one.metric), needs, is_principal=is_principal)


def _is_exact(one: Stored) -> bool:
    return one.now is not None and one.now.better == "exact"


def _within(metric: Metric) -> float:
    """The standard error of the median over processes, on the logarithm."""
    values = process_medians([trial.samples for trial in metric.trials])
    if len(values) < 3 or min(values) <= 0:
        return 0.0
    return _MEDIAN_OVER_MEAN * statistics.stdev(map(math.log, values)) / math.sqrt(len(values))


def _is_crowded(metric: Metric) -> bool:
    return sum(map(is_disturbed, metric.trials)) >= TOO_MANY * max(len(metric.trials), 1)
