"""Which figures belong to one level of load on a tier, was that load really offered, and does the target hold at it?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from synapse_perf.analyze.clustered_share import LOST, share_below, share_interval
from synapse_perf.analyze.decision import Decision, decide
from synapse_perf.analyze.latency_rows import LATENCY, PHASE, TIER_ORDER
from synapse_perf.analyze.summary import median_interval, quantile
from synapse_perf.analyze.targets import Target
from synapse_perf.benchmarks.query_load_steps import IN_PROCESS, SEEN_FROM_OUTSIDE
from synapse_perf.model import Check, Fact, Interval, Metric, TrialRecord
from synapse_perf.units import format_duration

USERS, RATE = "users=", "rate="  # how variants of load begin
LATE_S = 0.005  # a process that sleeps until a moment wakes up so late on a machine with other work
LATE_SHARE = 0.05  # of what an answer takes: more would change the figures
TOO_MANY_LATE = 0.5  # of the processes
GROWING, DISSENT = 0.1, 1  # unanswered for each query that comes; processes that may disagree


@dataclass(frozen=True, slots=True)
class LoadLevel:
    """One tier at one level of load, over all processes."""

    tier: str
    variant: str
    throughput: Metric  # its facts are those of the step
    tokens: Metric
    goodput: Metric
    latency: Metric | None
    queue: Metric | None
    service: Metric | None
    first_word: Metric | None = None  # of a server, where only this can be seen
    writing: Metric | None = None

    @property
    def is_open(self) -> bool:
        return self.variant.startswith(RATE)

    @property
    def load(self) -> float:
        return float(self.variant.partition("=")[2])

    @property
    def limit_s(self) -> float:
        return self.numbers("limit_s")[0]

    @property
    def groups(self) -> list[list[float]]:
        """The responses of each process, with an infinite one for each query that was lost."""
        lost = {_key(record): _count(record, "errors") for record in self.throughput.trials}
        found: dict[tuple[str, int], list[float]] = {key: [LOST] * count for key, count in lost.items()}
        for record in self.latency.trials if self.latency else ():
            flags = record.facts.get("unanswered", ())
            pairs = zip(record.samples, flags, strict=False)
            found.setdefault(_key(record), []).extend(LOST if is_lost else value for value, is_lost in pairs)
        return [group for group in found.values() if group]

    @property
    def lost(self) -> int:
        return self.count("errors") + self.count("unanswered")

    @property
    def is_late(self) -> bool:
        """Whether the sender was late in half of the processes: what was offered is not the load that it says."""
        service_s = statistics.median(self.numbers("service_median_s") or [0.0])
        late = [one > max(LATE_S, LATE_SHARE * service_s) for one in self.numbers("lateness_p95_s")]
        return bool(late) and sum(late) >= TOO_MANY_LATE * len(late)

    @property
    def is_growing(self) -> bool:
        """Whether queries come faster than they are answered, in nearly every process; unknown where some fail."""
        growth = [] if self.count("errors") else self.numbers("backlog_growth")
        return bool(growth) and statistics.median(growth) > GROWING and sum(one <= 0 for one in growth) <= DISSENT

    @property
    def first_error(self) -> str:
        """What the first query that failed was told."""
        told = (one for record in self.throughput.trials for one in record.facts.get("first_error", ()))
        return str(next(filter(None, told), "")).removeprefix("QueryLost: ")

    def percentile(self, probability: float) -> float:
        """Of the responses of all processes; infinite where so many are lost."""
        return quantile([value for group in self.groups for value in group], probability)

    def share(self, confidence: float) -> tuple[float, tuple[float, float] | None]:
        """The goodput with its interval."""
        return share_below(self.groups, self.limit_s), share_interval(self.groups, self.limit_s, confidence)

    def queue_share(self, confidence: float) -> tuple[float, Interval | None]:
        """Of a response: the median over processes of the medians over their queries."""
        shares = _queue_shares(self.latency, self.queue)
        return (statistics.median(shares) if shares else 0.0), median_interval(shares, confidence) if shares else None

    def count(self, fact: str) -> int:
        return round(sum(self.numbers(fact)))

    def numbers(self, fact: str) -> list[float]:
        """The values of a fact, one a process."""
        values: list[Fact] = [one for record in self.throughput.trials for one in record.facts.get(fact, ())]
        return [float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)]


def levels_of(metrics: Sequence[Metric]) -> list[LoadLevel]:
    """Tiers in their order, of each first the closed loop, the lightest load first."""
    known = {metric.key: metric for metric in metrics if metric.summary.count}

    def beside(metric: Metric, name: str, **labels: str) -> Metric | None:
        return known.get(replace(metric, name=name, labels={**metric.labels, **labels}).key)

    levels = []
    for metric in known.values():
        variant = metric.labels.get("variant", "")
        tokens, goodput = beside(metric, "token_throughput"), beside(metric, "goodput")
        if metric.name == "throughput" and variant.startswith((USERS, RATE)) and tokens and goodput:
            phases = (beside(metric, PHASE, phase=name) for name in (*IN_PROCESS, *SEEN_FROM_OUTSIDE))
            levels.append(
                LoadLevel(metric.labels["tier"], variant, metric, tokens, goodput, beside(metric, LATENCY), *phases)
            )
    return sorted(levels, key=lambda level: (_tier_place(level.tier), level.is_open, level.load))


def holds(level: LoadLevel, target: Target, profile: str, confidence: float) -> Decision:
    """Whether the target of the plain queries holds under this load too; a query that was lost is over it."""
    statistic = target.statistic_in(profile)
    return decide(level.groups, statistic, target.limit, "lower", confidence, minimum=target.minimum)


def late_checks(levels: Sequence[LoadLevel], targets: Mapping[str, Target], profile: str) -> tuple[Check, ...]:
    """An inconclusive row for each level whose sender was late: the run was asked for this load and cannot speak of it.

    No other level has a row: targets judge the plain queries.
    """
    found = []
    for level in levels:
        if not level.is_late:
            continue
        target = targets[level.tier]
        late_s = statistics.median(level.numbers("lateness_p95_s"))
        key = replace(level.throughput, name=LATENCY).key
        reason = (
            f"the sender was late by up to {format_duration(late_s)} (p95): this is not the load that was asked for; "
            "end what else runs here, or offer less"
        )
        statistic = target.statistic_in(profile)
        check = Check(target.id, key, statistic, target.limit, target.unit, None, "inconclusive", reason)
        found.append(check)
    return tuple(found)


def _queue_shares(latency: Metric | None, queue: Metric | None) -> list[float]:
    """Answered queries alone have waited for a known time."""
    waited = {_key(record): record.samples for record in queue.trials} if queue else {}
    shares = []
    for record in latency.trials if latency else ():
        flags = record.facts.get("unanswered", ())
        answered = [value for value, is_lost in zip(record.samples, flags, strict=False) if not is_lost]
        pairs = zip(waited.get(_key(record), ()), answered, strict=False)
        own = [wait / total for wait, total in pairs if total > 0]
        if own:
            shares.append(statistics.median(own))
    return shares


def _key(record: TrialRecord) -> tuple[str, int]:
    return record.arm, record.process


def _count(record: TrialRecord, fact: str) -> int:
    return sum(value for value in record.facts.get(fact, ()) if isinstance(value, int))


def _tier_place(tier: str) -> int:
    return TIER_ORDER.index(tier) if tier in TIER_ORDER else len(TIER_ORDER)
