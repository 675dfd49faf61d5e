"""Which trial comes next? Policies: pure functions of the trials so far."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from synapse_perf.model import Policy, Trial, TrialSpec

MINIMUM = 6  # finished processes of each arm before any is stopped early
FAILURES_AT_MOST = 3  # of an arm, if they are more than a quarter of its trials
REWRITTEN = "cache"  # the label that a trial may come back with changed: not proven cold
PACED = ("count", "asking_s")  # of a workload: how much a process is asked may change from trial to trial

Undecided = Callable[[tuple[Trial, ...]], set[str]]


@dataclass(frozen=True, slots=True)
class Arm:
    """One kind of trial under a name that is unique in the plan; `repeats` fixes its count of finished processes."""

    name: str
    spec: TrialSpec
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be measured: finished processes of each arm, and seconds of all trials together."""

    minimum: int = MINIMUM
    maximum: int = 60
    max_time_s: float | None = None


def fixed(specs: Sequence[TrialSpec]) -> Policy:
    """These trials, in this order."""
    return lambda trials: specs[len(trials)] if len(trials) < len(specs) else None


def interleaved(arms: Sequence[Arm], *, bounds: Bounds, seed: int, undecided: Undecided) -> Policy:
    """Blocks with one trial of each arm that is still needed, each block in an order of its own, drawn from the seed.

    Every arm runs until it has `bounds.minimum` finished processes, then only those that `undecided` names, until none
    is, each has `bounds.maximum`, or no arm's next trial, as long as its median so far, fits into the time left. A
    failed trial takes its place in the block and counts for nothing; an arm that goes on failing is dropped. So is
    every other on files that one hung on, unless it has finished before: waiting again would spend the others' time.
    """

    def next_trial(trials: tuple[Trial, ...]) -> TrialSpec | None:
        attempts = attempts_of(trials, arms)
        needed = needed_arms(trials, arms, bounds, undecided)
        fitting = [arm for arm in needed if _fits(arm, attempts, trials, bounds)]
        if not fitting:
            return None
        block = min(len(attempts[arm.name]) for arm in fitting)
        order = {arm.name: random.Random(f"{seed}/{block}/{arm.name}").random() for arm in fitting}
        due = (arm for arm in fitting if len(attempts[arm.name]) == block)
        return min(due, key=lambda arm: order[arm.name]).spec

    return next_trial


def needed_arms(trials: tuple[Trial, ...], arms: Sequence[Arm], bounds: Bounds, undecided: Undecided) -> list[Arm]:
    """The arms that want another trial, whatever the time."""
    attempts = attempts_of(trials, arms)
    finished = {name: sum(trial.failure is None for trial in tried) for name, tried in attempts.items()}
    hopeless = given_up(trials, arms)
    running = [arm for arm in arms if arm.name not in hopeless]
    short = [arm for arm in running if finished[arm.name] < _wanted(arm, bounds)]
    extendable = [arm for arm in running if arm.repeats is None and finished[arm.name] < bounds.maximum]
    if not extendable or any(arm in short for arm in extendable):
        return short
    open_arms = undecided(trials)
    return [arm for arm in running if arm in short or (arm in extendable and arm.name in open_arms)]


def given_up(trials: Sequence[Trial], arms: Sequence[Arm]) -> set[str]:
    """The names of the arms that get no further trial: dropped, or never finished on files that another hung on."""
    attempts = attempts_of(trials, arms)
    hung = {trial.spec.files for trial in trials if trial.failure is not None and trial.failure.kind == "time-out"}
    return {
        arm.name
        for arm in arms
        if is_dropped(attempts[arm.name])
        or (arm.spec.files in hung - {()} and all(trial.failure is not None for trial in attempts[arm.name]))
    }


def is_dropped(tried: Sequence[Trial]) -> bool:
    """Whether an arm is given up.

    Its first trial took all of its time, its first two failed in the same way, or of several more than a quarter.
    """
    failures = [trial.failure for trial in tried if trial.failure is not None]
    if tried and tried[0].failure is not None and tried[0].failure.kind == "time-out":
        return True
    first = {(trial.failure.kind, trial.failure.message) if trial.failure else None for trial in tried[:2]}
    if len(tried) >= 2 and len(first) == 1 and None not in first:
        return True
    return len(failures) >= FAILURES_AT_MOST and 4 * len(failures) > len(tried)


def attempts_of(trials: Sequence[Trial], arms: Sequence[Arm]) -> dict[str, list[Trial]]:
    """The trials of each arm by its name, in order."""
    attempts: dict[str, list[Trial]] = {arm.name: [] for arm in arms}
    keys = {arm.name: _identity(arm.spec) for arm in arms}
    for trial in trials:
        identity = _identity(trial.spec)
        name = next((name for name, key in keys.items() if key == identity), None)
        if name is not None:
            attempts[name].append(trial)
    return attempts


def seconds_per_trial(tried: Sequence[Trial]) -> float | None:
    """What a trial of an arm is expected to take: the median so far; None before the first."""
    return median(trial.wall_s for trial in tried) if tried else None


def spent_s(trials: Sequence[Trial]) -> float:
    """Seconds of all trials."""
    return sum(trial.wall_s for trial in trials)


def _wanted(arm: Arm, bounds: Bounds) -> int:
    return bounds.minimum if arm.repeats is None else arm.repeats


def _fits(arm: Arm, attempts: dict[str, list[Trial]], trials: Sequence[Trial], bounds: Bounds) -> bool:
    if bounds.max_time_s is None:
        return True
    return spent_s(trials) + (seconds_per_trial(attempts[arm.name]) or 0.0) <= bounds.max_time_s


def _identity(spec: TrialSpec) -> TrialSpec:
    labels = {name: value for name, value in spec.labels.items() if name != REWRITTEN}
    workload = {name: value for name, value in spec.workload.items() if name not in PACED}
    return replace(spec, labels=labels, workload=workload, timeout_s=0.0)
