"""Which trials put load on the tiers: how many users or queries a second, for how long, and does that fit the time?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from synapse_perf.analyze.latency_pace import Pace
from synapse_perf.analyze.latency_plan import LatencyCase
from synapse_perf.analyze.sampling import Arm
from synapse_perf.analyze.targets import VARIANT
from synapse_perf.model import Json
from synapse_perf.units import format_duration

QUERIES = 30  # in a step of one process, where there is time: those of 6 processes support a p95
LEAST_QUERIES = 5
PLANNED = 0.8  # of the time: what is not foreseen must not cost a process
MOST_ARRIVALS = 600  # in a step of one process
ALL_SAMPLES = 1_000_000
BENCHMARKS = {"tier_latency": "query_load", "served_query": "served_load"}  # that put load on what the others ask


@dataclass(frozen=True, slots=True)
class Loads:
    """What was asked for: numbers of users of a closed loop, queries a second of an open one."""

    users: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.users or self.rates)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The trials, and what there is no time for, in words."""

    arms: tuple[Arm, ...]
    warnings: tuple[str, ...]


def plan_query_load(
    cases: Sequence[LatencyCase],
    paces: Mapping[str, Pace],
    loads: Loads,
    limits_s: Mapping[str, float],
    *,
    budget_s: float,
    processes: int,
) -> LoadPlan:
    """One kind of trial for each tier whose pace is known, with all levels that there is time for, the quickest first.

    A step is as long as `QUERIES` take, or shorter where all of them do not fit into the budget, but not so short that
    it has less than a few. One that has more load than the tier can answer goes on for its patience: as long as it was
    offered, or as the target allows, since only then a query without an answer is beyond doubt over it.
    """
    tiers = {case.spec.labels["tier"]: case for case in cases if is_plain(case) and case.spec.labels["tier"] in paces}
    steps = [step for tier in tiers for step in _wanted(tier, paces[tier], loads, limits_s[tier])]
    process_s = PLANNED * budget_s / processes
    fitting: list[_Step] = []
    for step in sorted(steps, key=lambda step: step.least_s):
        if _least_s([*fitting, step], paces) <= process_s:
            fitting.append(step)
    fitting, left_out = [step for step in steps if step in fitting], [step for step in steps if step not in fitting]
    spare_s = process_s - _least_s(fitting, paces)
    more_s = sum(step.expected_s - step.least_s for step in fitting)
    share = min(1.0, spare_s / more_s) if more_s > 0 else 1.0
    arms = []
    for tier, case in tiers.items():
        own = [step.workload(share) for step in fitting if step.tier == tier]
        if own:
            longest_s = sum(_longest_s(one) + paces[tier].query_s for one in own)
            arms.append(_arm(case, own, limits_s[tier], longest_s, processes))
    needed_s = processes * _least_s(steps, paces) / PLANNED - budget_s
    return LoadPlan(tuple(arms), (_no_time(left_out, needed_s),) if left_out else ())


def is_plain(case: LatencyCase) -> bool:
    """Whether it is the judged one of a tier."""
    return case.is_judged and case.spec.benchmark in BENCHMARKS


def _least_s(steps: Sequence[_Step], paces: Mapping[str, Pace]) -> float:
    """What one process of each tier takes for these."""
    ready_s = sum(paces[tier].ready_s for tier in {step.tier for step in steps})
    return ready_s + sum(step.least_s for step in steps)


def _no_time(steps: Sequence[_Step], needed_s: float) -> str:
    names = ", ".join(f"{step.tier} {step.name}" for step in steps)
    return f"no time was left for load on {names}: allow about {format_duration(math.ceil(needed_s))} more"


@dataclass(frozen=True, slots=True)
class _Step:
    """One level: how long it is to be, what it is expected to take, and the least that makes sense."""

    tier: str
    users: int | None
    rate: float | None
    asking_s: float
    least_s: float
    is_overload: bool
    limit_s: float

    @property
    def expected_s(self) -> float:
        return self.asking_s + (max(self.asking_s, self.limit_s) if self.is_overload else 0.0)

    @property
    def name(self) -> str:
        return f"{self.rate:g}/s" if self.users is None else f"{self.users} user{'s' if self.users > 1 else ''}"

    def workload(self, share: float) -> dict[str, Json]:
        asking_s = max(share * self.asking_s, self.least_s)
        if self.rate is None:
            return {"users": self.users, "asking_s": asking_s, "patience_s": max(asking_s, self.limit_s)}
        count = min(max(round(self.rate * asking_s), 1), MOST_ARRIVALS)
        patience_s = max(count / self.rate, self.limit_s)
        return {"rate": self.rate, "count": count, "patience_s": patience_s}


def _wanted(tier: str, pace: Pace, loads: Loads, limit_s: float) -> list[_Step]:
    closed = [
        _Step(
            tier,
            users,
            None,
            asking_s=(users + max(QUERIES, 2 * users)) * pace.query_s,  # the first of each user is not counted
            least_s=(users + max(LEAST_QUERIES, users)) * pace.query_s,
            is_overload=False,
            limit_s=limit_s,
        )
        for users in loads.users
    ]
    opened = [
        _Step(
            tier,
            None,
            rate,
            asking_s=QUERIES * max(1 / rate, pace.query_s),
            least_s=LEAST_QUERIES / rate,
            is_overload=rate * pace.query_s > 1,
            limit_s=limit_s,
        )
        for rate in loads.rates
    ]
    return closed + opened


def _longest_s(step: Mapping[str, Json]) -> float:
    asking_s = step["count"] / step["rate"] if "rate" in step else step["asking_s"]
    return float(asking_s + step["patience_s"])


def _arm(case: LatencyCase, steps: Sequence[Json], limit_s: float, longest_s: float, processes: int) -> Arm:
    spec, tier = case.spec, case.spec.labels["tier"]
    left_out = ("prefix", "count", "asking_s")
    workload = {name: value for name, value in spec.workload.items() if name not in left_out}
    name = f"{tier}, load"
    loaded = replace(
        spec,
        benchmark=BENCHMARKS[spec.benchmark],
        arm=name,
        labels={"tier": tier, "prefix": "cold", VARIANT: "load"},  # a step has a variant of its own
        workload={**workload, "steps": list(steps), "limit_s": limit_s},
        samples=ALL_SAMPLES,
        timeout_s=spec.timeout_s + longest_s,
    )
    return Arm(name, loaded, processes)
