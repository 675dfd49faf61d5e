"""How often is a gate wrong on machines whose truth is known? Whole gates of 12 metrics, drawn and judged.

The kinds of noise are those that shared runners show: runs that differ, samples that differ within a run, spikes,
drift, noise that lasts from one run to the next, two classes of processor, runs that stall, and builds of the same code
that differ for no reason of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from synapse_perf.analyze.gate_figures import EVERY_TIME, Figure
from synapse_perf.analyze.gate_paired import Judgement, PairedRuns, Rules
from synapse_perf.analyze.gate_policy import Pair, judge, next_pair

METRICS = 12
SAMPLES = 5  # of each metric in a run; its figure is their median
SLOWED = "metric 0"

Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Machine:
    """Standard deviations of the logarithm, and chances."""

    name: str
    between: float  # runs of the same code
    within: float  # samples of the same run
    spikes: float  # chance that a sample takes half as long again
    drift: float = 0.0  # over a hundred runs
    lasting: float = 0.0  # of the noise between runs, from one to the next: AR(1)
    classes: float = 1.0  # every other run or so lands on a processor that takes this many times as long
    stalls: float = 0.0  # chance that a whole run takes two to four times as long
    bias: float = 0.0  # of one build of the same code against another
    session: float = 0.0  # of one session against another, which pairs do not meet and stored figures do
    others: float = 0.0  # what others on the machine add to a run: the mean, and as much for the scatter
    computes: float = 0.5  # the share of the command's processor time that what is slowed takes; told beside others
    metrics: int = METRICS


QUIET = Machine("quiet", 0.005, 0.01, 0.01, drift=0.01, session=0.005)
SHARED = Machine("shared", 0.015, 0.03, 0.05, drift=0.05, session=0.03)
BAD = Machine("bad", 0.03, 0.05, 0.10, drift=0.10, session=0.03)
MACHINES = (QUIET, SHARED, BAD)
# As two processes that never rest did to a workload of two phases on two cores: logarithms of two runs beside each
# other differed by 0.40 on the clock and by 0.15 in processor time, with a correlation of 0.35, and 0.3 of two phases.
LOADED = replace(QUIET, name="loaded", others=0.28, metrics=2)
LOADED_WAITING = replace(LOADED, name="loaded, slower by waiting", computes=0.0)
SHARED_BY_METRICS, SHARED_BY_PROCESSOR, PROCESSOR_SCATTER = 0.55, 0.64, 0.38
PROCESSOR = "processor"


def variants(machine: Machine) -> tuple[Machine, ...]:
    """The machine, and with one more kind of noise each."""
    return (
        machine,
        replace(machine, name=f"{machine.name}, builds differ", bias=0.01),
        replace(machine, name=f"{machine.name}, AR(1) 0.5", lasting=0.5),
        replace(machine, name=f"{machine.name}, two classes", classes=1.25),
        replace(machine, name=f"{machine.name}, stalls", stalls=0.02),
    )


class Runs:
    """The runs of one gate in the order in which they are measured."""

    def __init__(self, machine: Machine, rng: np.random.Generator, slowdown: float) -> None:
        self.machine = machine
        self.rng = rng
        self.slowdown = slowdown
        self.state = np.zeros(machine.metrics)
        self.bias = rng.normal(0, machine.bias, machine.metrics)
        self.trend = rng.normal(0, machine.drift)
        self.count = 0

    def measure(self, is_change: bool) -> dict[str, Figure]:
        """The figures of one run."""
        samples = self.samples(is_change)
        told = {}
        if self.machine.others:
            added, processor = self.added_by_others()
            samples *= added
            processor *= 1 + self.machine.computes * self.slowdown * is_change
            told[PROCESSOR] = Figure(processor, "s", "lower", is_principal=False, stands_for=EVERY_TIME)
        middles = np.median(samples, axis=0)
        return {f"metric {place}": Figure(float(one), "s", "lower") for place, one in enumerate(middles)} | told

    def added_by_others(self) -> tuple[Values, float]:
        """To each metric on the clock, and to the processor time of all; neither knows which side it is."""
        whole, others = float(self.rng.exponential()), self.machine.others
        each = self.rng.exponential(size=self.machine.metrics)
        clock: Values = np.exp(others * (SHARED_BY_METRICS * whole + math.sqrt(1 - SHARED_BY_METRICS**2) * each))
        rest = math.sqrt(1 - SHARED_BY_PROCESSOR**2) * float(self.rng.exponential())
        return clock, math.exp(others * PROCESSOR_SCATTER * (SHARED_BY_PROCESSOR * whole + rest))

    def samples(self, is_change: bool) -> Values:
        """What one run measures: a row for each sample, a column for each metric."""
        machine, rng = self.machine, self.rng
        fresh = math.sqrt(1 - machine.lasting**2) * rng.standard_normal(machine.metrics)
        self.state = machine.lasting * self.state + fresh
        self.count += 1
        level = machine.between * self.state + self.trend * self.count / 100
        samples = level + machine.within * rng.standard_normal((SAMPLES, machine.metrics))
        samples += math.log(1.5) * (rng.random((SAMPLES, machine.metrics)) < machine.spikes)
        figures: Values = np.exp(samples)
        if rng.random() < 0.5:
            figures *= machine.classes
        if rng.random() < machine.stalls:
            figures *= rng.uniform(2, 4)
        if is_change:
            figures *= np.exp(self.bias)
            figures[:, 0] *= 1 + self.slowdown
        return figures


@dataclass(frozen=True, slots=True)
class Outcome:
    """One simulated gate."""

    judgements: tuple[Judgement, ...]
    pairs: int

    @property
    def alarms(self) -> list[str]:
        return [one.metric for one in self.judgements if one.status == "regressed"]

    @property
    def is_red(self) -> bool:
        """The processor time of the whole command speaks only where a time is undecided."""
        clock = {one.status for one in self.judgements if one.metric != PROCESSOR}
        return "regressed" in clock or ("inconclusive" in clock and PROCESSOR in self.alarms)

    def status_of(self, metric: str) -> str:
        return next(one.status for one in self.judgements if one.metric == metric)


def gate(machine: Machine, rng: np.random.Generator, slowdown: float = 0.0, rules: Rules | None = None) -> Outcome:
    """One whole gate as `gate --against` runs it, the policy and the judgement included."""
    rules = rules or Rules()
    runs = Runs(machine, rng, slowdown)
    seed = int(rng.integers(2**31))
    pairs: list[Pair] = []
    while (spec := next_pair(pairs, rules, seed)) is not None:
        measured = {arm: runs.measure(arm == "after") for arm in spec.order}
        told = ("others",) if machine.others else ()
        pairs.append(Pair(spec, PairedRuns(measured["before"], measured["after"]), told))
    return Outcome(tuple(judge(pairs, rules)), len(pairs))


def gates(
    machine: Machine, count: int, seed: int, slowdown: float = 0.0, rules: Rules | None = None
) -> Iterator[Outcome]:
    for place in range(count):
        yield gate(machine, np.random.default_rng([seed, place]), slowdown, rules)


# --- rules of other tools, on the same noise -------------------------------------------------------------------------


def sessions(machine: Machine, rng: np.random.Generator, slowdown: float, runs: int = 12) -> tuple[Values, Values]:
    """All samples of a session before and of one after, as tools see them that measure one after the other."""
    found = []
    for is_change in (False, True):
        made = Runs(machine, rng, slowdown)
        level = rng.normal(0, machine.session, machine.metrics)
        found.append(np.exp(level) * np.concatenate([made.samples(is_change) for _ in range(runs)]))
    return found[0], found[1]


def mean_ten_per_cent(before: Values, after: Values) -> Values:
    """`--benchmark-compare-fail=mean:10%`."""
    return np.asarray(after.mean(axis=0) > 1.10 * before.mean(axis=0))


def mann_whitney(before: Values, after: Values) -> Values:
    return np.asarray(stats.mannwhitneyu(after, before, axis=0, alternative="greater").pvalue < 0.05)


def student_t(before: Values, after: Values) -> Values:
    return np.asarray(stats.ttest_ind(after, before, axis=0, alternative="greater").pvalue < 0.05)


PEERS = {"mean above 10 %": mean_ten_per_cent, "Mann-Whitney, 5 %": mann_whitney, "t test, 5 %": student_t}


def peer_rates(machine: Machine, count: int, seed: int) -> dict[str, tuple[float, float]]:
    """By rule: gates of identical code with an alarm, and gates in which one metric slower by a tenth was found."""
    alarms, found = dict.fromkeys(PEERS, 0), dict.fromkeys(PEERS, 0)
    for place in range(count):
        same = sessions(machine, np.random.default_rng([seed, place]), 0.0)
        slower = sessions(machine, np.random.default_rng([seed, place]), 0.10)
        for name, rule in PEERS.items():
            alarms[name] += bool(rule(*same).any())
            found[name] += bool(rule(*slower)[0])
    return {name: (alarms[name] / count, found[name] / count) for name in PEERS}
