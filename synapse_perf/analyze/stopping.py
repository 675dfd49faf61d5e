"""Which checks are still open, why did the run end all the same, and what would more time settle?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.sampling import (
    Arm,
    Bounds,
    Undecided,
    attempts_of,
    given_up,
    is_dropped,
    needed_arms,
    seconds_per_trial,
    spent_s,
)
from synapse_perf.analyze.targets import Target
from synapse_perf.analyze.verdict import decide_metric
from synapse_perf.model import Metric, MetricDefinition, Subject, Trial
from synapse_perf.units import format_duration, format_value

TIME_SPENT = "the time is spent"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run is judged by."""

    definitions: Mapping[str, MetricDefinition]
    targets: Sequence[Target]
    confidence: float = 0.95
    profile: str = ""
    subject: Subject = "real"  # samples are never judged, so nothing about them is ever undecided


@dataclass(frozen=True, slots=True)
class OpenCheck:
    """An undecided check with about how many further processes it needs; None: no number that is worth naming."""

    target: Target
    metric: Metric
    observed: float | None
    needs: int | None


def undecided_by(judgement: Judgement, arms: Sequence[Arm]) -> Undecided:
    """For `sampling.interleaved`: the names of the arms of which some check is still open."""

    def undecided(trials: tuple[Trial, ...]) -> set[str]:
        attempts = attempts_of(trials, arms)
        return {name for name, tried in attempts.items() if tried and open_checks(tried, judgement)}

    return undecided


def needs_by(judgement: Judgement, arms: Sequence[Arm]) -> Callable[[tuple[Trial, ...]], dict[str, int]]:
    """How many further processes about would settle each arm's open checks; 1 where no number is worth naming."""

    def needs(trials: tuple[Trial, ...]) -> dict[str, int]:
        attempts = attempts_of(trials, arms)
        found = {name: open_checks(tried, judgement) for name, tried in attempts.items() if tried}
        return {name: max(check.needs or 1 for check in checks) for name, checks in found.items() if checks}

    return needs


def open_checks(trials: Sequence[Trial], judgement: Judgement) -> list[OpenCheck]:
    """Every check that these trials leave inconclusive."""
    if judgement.subject == "sample":
        return []
    found = []
    for metric in metrics_of(trials, judgement.definitions, judgement.confidence):
        for target in judgement.targets:
            if target.judges(metric.name, metric.labels):
                decision = decide_metric(metric, target, judgement.confidence, judgement.profile)
                if decision.status == "inconclusive":
                    found.append(OpenCheck(target, metric, decision.observed, decision.needs))
    return found


def what_more_time_would_settle(trials: Sequence[Trial], arms: Sequence[Arm], judgement: Judgement) -> tuple[str, ...]:
    """One sentence for each open check: about how many more starts or queries and how long, or that it sits on it."""
    sentences = []
    for tried in attempts_of(trials, arms).values():
        if not is_dropped(tried):
            each_s = seconds_per_trial(tried)
            sentences += [_sentence(check, each_s) for check in open_checks(tried, judgement)]
    return tuple(sentences)


def explain_stop(trials: tuple[Trial, ...], arms: Sequence[Arm], bounds: Bounds, undecided: Undecided) -> str:
    """Why `sampling.interleaved` with these bounds named no further trial."""
    dropped = sorted(given_up(trials, arms))
    most_s = bounds.max_time_s or 0.0
    # A trial is taken to last as long as earlier ones of its kind: with half of the time left it fits, or is unwanted.
    if needed_arms(trials, arms, bounds, undecided) and 2 * spent_s(trials) > most_s:
        reason = f"{TIME_SPENT}: {format_duration(spent_s(trials))} of {format_duration(most_s)}"
    elif undecided(trials) - set(dropped):
        reason = f"{bounds.maximum} processes of each kind are measured, which is the most allowed"
    else:
        reason = "nothing is left to decide"
    return f"{reason}; given up after failures: {', '.join(dropped)}" if dropped else reason


def _sentence(check: OpenCheck, each_s: float | None) -> str:
    limit = format_value(check.target.limit, check.target.unit)
    what = f"{check.target.id} of {check.metric.key}"
    if check.observed is not None:
        what += f" at {format_value(check.observed, check.target.unit)} against {limit}"
    if check.needs is None:
        return f"{what}: it sits on the limit, more time would hardly settle it"
    starts = f"about {check.needs} more start{'s' if check.needs > 1 else ''}"
    each = round(check.metric.summary.count / check.metric.summary.processes)
    if each > 1:
        starts = f"about {check.needs * each} more queries in {check.needs} process{'es' if check.needs > 1 else ''}"
    time = f" ({format_duration(check.needs * each_s)})" if each_s else ""
    return f"{what}: {starts}{time} would settle it if they go on like these"
