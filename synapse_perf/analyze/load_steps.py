"""Up to which load does a service keep its latency, and was it really offered that load?

The knee is the highest load at which p95 is at most KNEE_FACTOR times the p95 at the lowest load, nothing failed and
the backlog does not grow, and so at every load below it. A step whose sender was late in half of its processes is
unfit: it offered another load than it says.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.analyze.summary import quantile
from synapse_perf.model import Fact, Metric, TrialRecord

KNEE_FACTOR = 3.0
GROWING = 0.1  # more unanswered for each request that comes: the backlog grows, if nearly every process agrees
DISSENT = 1  # process that may disagree
LATE_S = 0.001  # timers of an operating system are not exact
LATE_SHARE = 0.25  # of the p95 of the latency, which counts it
TOO_MANY_LATE = 0.5  # of the processes

Key = tuple[str, str]  # strategy, variant


@dataclass(frozen=True, slots=True)
class LoadStep:
    """One level of load under one strategy, over all processes that reached it."""

    strategy: str
    variant: str
    load: float
    throughput: Metric  # its facts are those of the step
    latency: Metric
    encoder_wait: Metric | None
    lag: Metric | None

    @property
    def processes(self) -> int:
        return self.throughput.summary.processes

    @property
    def offered_per_s(self) -> float:
        return statistics.median(self.numbers("offered_per_s"))

    @property
    def completed_per_s(self) -> float:
        return statistics.median(sample for record in self.throughput.trials for sample in record.samples)

    @property
    def p95_s(self) -> float | None:
        """Of all requests; None where they are too few for it."""
        return self.latency.summary.p95

    @property
    def median_s(self) -> float:
        return statistics.median(per_process(self.latency, 0.5))

    @property
    def is_growing(self) -> bool:
        growth = self.numbers("backlog_growth")
        return statistics.median(growth) > GROWING and sum(one <= 0 for one in growth) <= DISSENT

    @property
    def is_late(self) -> bool:
        """Whether the sender was late: its lateness is a part of the latency that is not the service's."""
        lateness, latency = self.numbers("lateness_p95_s"), per_process(self.latency, 0.95)
        late = sum(one > max(LATE_S, LATE_SHARE * p95_s) for one, p95_s in zip(lateness, latency, strict=False))
        return late >= TOO_MANY_LATE * len(lateness)

    @property
    def is_in_balance(self) -> bool:
        """Whether the service can take this load."""
        return not (self.is_growing or self.count("errors"))

    @property
    def is_fit(self) -> bool:
        """Whether it can, and was offered it at its time."""
        return self.is_in_balance and not self.is_late

    def count(self, fact: str) -> int:
        return round(sum(self.numbers(fact)))

    def numbers(self, fact: str) -> list[float]:
        """The values of a fact, one a process."""
        return [value for record in self.throughput.trials for value in _numbers(record, fact)]


@dataclass(frozen=True, slots=True)
class Knee:
    """The highest load that keeps the latency; without a step, why there is none."""

    step: LoadStep | None
    reason: str


def steps_of(metrics: Sequence[Metric]) -> dict[Key, list[LoadStep]]:
    """The steps of each strategy and variant, the lowest load first; the idle loop is none."""
    found: dict[Key, list[LoadStep]] = {}
    for metric in metrics:
        labels = metric.labels
        if metric.name != "throughput" or "load" not in labels or not metric.summary.count:
            continue
        key = (labels["strategy"], labels.get("variant", ""))
        latency = _beside(metrics, metric, "retrieval_latency", stage="total")
        if latency is None:
            continue
        wait = _beside(metrics, metric, "retrieval_latency", stage="encoder_wait")
        lag = _beside(metrics, metric, "event_loop_lag")
        found.setdefault(key, []).append(LoadStep(*key, float(labels["load"]), metric, latency, wait, lag))
    return {key: sorted(steps, key=lambda step: step.load) for key, steps in found.items()}


def knee(steps: Sequence[LoadStep]) -> Knee:
    """Of one strategy, its steps from the lowest load on that nearly all processes were offered."""
    enough = max(step.processes for step in steps) - DISSENT
    first = next(place for place, step in enumerate(steps) if step.processes >= enough)
    lowest, *higher = steps[first:]
    if lowest.p95_s is None:
        return Knee(None, f"{lowest.latency.summary.count} requests at the lowest load are too few for a p95")
    if not lowest.is_fit:
        return Knee(None, _unfitness(lowest))
    last, reason = lowest, "no higher load was offered"
    for step in higher:
        if step.processes < enough:
            reason = "processes were overloaded before"
            break
        if step.p95_s is None or not step.is_fit:
            reason = "too few requests for a p95" if step.p95_s is None else _unfitness(step)
            break
        if step.p95_s > KNEE_FACTOR * lowest.p95_s:
            reason = f"p95 is more than {KNEE_FACTOR:g} times that at the lowest load"
            break
        last = step
    return Knee(last, reason)


def highest_common(one: Sequence[LoadStep], other: Sequence[LoadStep]) -> tuple[LoadStep, LoadStep] | None:
    """The steps of two strategies at the highest load below the serial rate that both are in balance at."""
    pairs = [pair for pair in common_steps(one, other) if pair[0].load < 1]
    return pairs[-1] if pairs else None


def common_steps(one: Sequence[LoadStep], other: Sequence[LoadStep]) -> list[tuple[LoadStep, LoadStep]]:
    """The steps of two strategies at each load that both are in balance at, the lowest first."""
    others = {step.load: step for step in other if step.is_in_balance}
    return [(step, others[step.load]) for step in one if step.is_in_balance and step.load in others]


def capacity_per_process(steps: Sequence[LoadStep]) -> list[float]:
    """The most answers a second that each process gave at any load."""
    best: dict[tuple[str, int], float] = {}
    for step in steps:
        for record in step.throughput.trials:
            if record.samples:
                key = (record.arm, record.process)
                best[key] = max(best.get(key, 0.0), max(record.samples))
    return list(best.values())


def sender_warnings(metrics: Sequence[Metric]) -> list[str]:
    """One line where steps are unfit as their sender was late; no knee rests on those."""
    steps = [step for steps in steps_of(metrics).values() for step in steps]
    late = [step for step in steps if step.is_late]
    if not late:
        return []
    return [
        f"the sender of the requests was late in {len(late)} of {len(steps)} steps of load: the machine is too busy "
        "to offer a load at its time; end what else runs here and measure again"
    ]


def per_process(metric: Metric, probability: float) -> list[float]:
    """A quantile of the samples of each process."""
    return [quantile(record.samples, probability) for record in metric.trials if record.samples]


def _unfitness(step: LoadStep) -> str:
    if step.is_late:
        return "the sender of the requests was late"
    return "requests failed" if step.count("errors") else "the backlog grew"


def _beside(metrics: Sequence[Metric], throughput: Metric, name: str, **more: str) -> Metric | None:
    """The metric of the same step: with its labels and these."""
    wanted = {**throughput.labels, **more}
    return next(
        (
            metric
            for metric in metrics
            if metric.name == name
            and {label: value for label, value in metric.labels.items() if label != "state"} == wanted
            and metric.summary.count
        ),
        None,
    )


def _numbers(record: TrialRecord, fact: str) -> list[float]:
    values: tuple[Fact, ...] = record.facts.get(fact, ())
    return [float(value) for value in values if isinstance(value, int | float)]
