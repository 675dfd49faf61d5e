"""A machine of known speed on which runs of tier-latency are simulated, trial by trial; it waits for nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from synapse_perf.analyze.latency_plan import LatencyCase
from synapse_perf.model import Failure, Measurement, Policy, Sample, Trial, TrialSpec

Draw = Callable[[random.Random, int], Sequence[float]]  # so many factors of one process's queries


def steady(rng: random.Random, count: int) -> list[float]:
    """5 % from process to process, 8 % from query to query."""
    level = rng.lognormvariate(0, 0.05)
    return [level * rng.lognormvariate(0, 0.08) for _ in range(count)]


@dataclass
class Machine:
    """Seconds of one query by case, or by tier for cases that are not named; a trial asks until its limit.

    Getting a process ready is its start, the load, the first query, and warming up.
    """

    query_s: Mapping[str, float]
    start_s: float = 0.3
    load_s: float = 0.25
    draw: Draw = steady
    slower: Callable[[float], float] = lambda spent_s: 1.0  # by what has passed
    failing: Mapping[str, Failure] = field(default_factory=dict)
    seed: int = 1

    def run(self, policy: Policy, most: int = 1000) -> tuple[Trial, ...]:
        """The whole run."""
        rng = random.Random(self.seed)
        trials: list[Trial] = []
        processes: Counter[str] = Counter()
        while (spec := policy(tuple(trials))) is not None:
            assert len(trials) < most, "it never ends"
            processes[spec.arm] += 1
            trials.append(self.trial(spec, processes[spec.arm], rng, sum(trial.wall_s for trial in trials)))
        return tuple(trials)

    def trial(self, spec: TrialSpec, process: int, rng: random.Random, spent_s: float) -> Trial:
        if spec.arm in self.failing:
            return Trial(spec, process, (), self.start_s, {}, self.failing[spec.arm])
        tier = spec.labels["tier"]
        each_s = self.query_s.get(spec.arm, self.query_s[tier] * (2 if spec.benchmark == "high_level_chat" else 1))
        each_s *= self.slower(spent_s)
        first, *factors = self.draw(rng, spec.workload["count"] + 1)
        asked: list[float] = []
        limit_s = spec.workload["asking_s"]
        for factor in factors:
            asked.append(each_s * factor)
            if limit_s is not None and sum(asked) * (len(asked) + 1) / len(asked) > limit_s:
                break
        facts = {"asked": len(asked), "asked_s": sum(asked)}
        kinds = sorted({query["complexity"] for query in spec.workload["queries"]}) if tier != "two-stage" else [""]
        samples = tuple(
            Sample((Measurement("query_latency", seconds, {"complexity": kind} if kind else {}),))
            for seconds, kind in zip(asked, kinds * len(asked), strict=False)
        )
        warm_up_s = min(2.0, 2 * each_s) if tier != "two-stage" else 0.0
        wall_s = self.start_s + self.load_s + each_s * first + warm_up_s + sum(asked)
        return Trial(spec, process, samples, wall_s, facts)


def asked_by(trials: Sequence[Trial], cases: Sequence[LatencyCase]) -> dict[str, list[int]]:
    """Queries of each process, by case."""
    return {
        case.name: [len(trial.samples) for trial in trials if trial.spec.arm == case.name and trial.failure is None]
        for case in cases
    }
