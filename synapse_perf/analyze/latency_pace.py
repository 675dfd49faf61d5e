"""Which trial of tier-latency comes next, and how many queries is it asked, so that the run ends in time?"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.decision import samples_per_process
from synapse_perf.analyze.latency_plan import LatencyCase
from synapse_perf.analyze.latency_shares import Demand, Share, share_out
from synapse_perf.analyze.sampling import Bounds, attempts_of, given_up, spent_s
from synapse_perf.analyze.stopping import Judgement
from synapse_perf.model import Policy, Trial, TrialSpec

PILOT_SHARE = 0.1  # of a run, for the queries of the first process of each judged case, whose speed nobody knows yet
PATIENCE = 2.0  # times what a process is expected to ask for, before it must stop
LATENCY = "query_latency"

Needs = Callable[[tuple[Trial, ...]], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Pace:
    """What a process of a case takes before and after it asks, and what each of its queries takes."""

    ready_s: float
    query_s: float


def paced(cases: Sequence[LatencyCase], *, bounds: Bounds, judgement: Judgement, needs: Needs, seed: int) -> Policy:
    """What is judged gets its processes first, and of what time is left over what is compared with it gets some.

    The first process of each judged case tells how fast it is. From then on every trial is planned anew out of the
    trials so far (`share_out`): `bounds.minimum` processes of each judged case and then those that `needs` names, in
    blocks with one of each in an order drawn from the seed. What is compared is spread over the run, so that both see
    the same machine. The run ends when nothing is wanted, or nothing that is wanted fits into the time.
    """

    def next_trial(trials: tuple[Trial, ...]) -> TrialSpec | None:
        run = _Run(cases, bounds, judgement, trials)
        if run.left_s <= 0:
            return None
        unknown = run.unknown()
        if unknown:
            return run.pilot(run.first_in_turn(unknown, seed))
        share = share_out(run.demands(needs), run.left_s, minimum=bounds.minimum)
        due = run.due(share)
        return run.next_of(run.first_in_turn(due, seed), share) if due else None

    return next_trial


def least_queries(tried: Sequence[Trial], judgement: Judgement, processes: int) -> int:
    """Of each kind in each of so many processes, to decide what is judged by them if they go on like these.

    Past the limit one in each is enough; under it there must be so many that none of them past it says something.
    """
    statistics = {target.statistic_in(judgement.profile) for target in judgement.targets if target.metric == LATENCY}
    if not statistics or _is_past(tried, judgement):
        return 1
    return max(samples_per_process(statistic, processes, judgement.confidence) for statistic in statistics)


def _is_past(tried: Sequence[Trial], judgement: Judgement) -> bool:
    """Whether of everything that is judged more than half of the queries are past the limit."""
    past = [
        sum(sample >= target.limit for record in metric.trials for sample in record.samples) > metric.summary.count / 2
        for metric in metrics_of(tried, judgement.definitions, judgement.confidence)
        for target in judgement.targets
        if target.judges(metric.name, metric.labels)
    ]
    return bool(past) and all(past)


def pace_of(finished: Sequence[Trial]) -> Pace | None:
    """The medians over processes; None before the first one."""
    asked = [(trial.wall_s, *asked_in(trial)) for trial in finished]
    if not asked:
        return None
    ready_s = median(max(0.0, wall_s - asked_s) for wall_s, _, asked_s in asked)
    return Pace(ready_s, median(asked_s / max(1, count) for _, count, asked_s in asked))


def asked_in(trial: Trial) -> tuple[int, float]:
    """How many queries a process asked in its steady state, and how long that took."""
    count, asked_s = trial.facts.get("asked"), trial.facts.get("asked_s")
    if isinstance(count, int) and isinstance(asked_s, float | int):
        return count, float(asked_s)
    return 0, 0.0


def left_out(cases: Sequence[LatencyCase], trials: Sequence[Trial]) -> list[str]:
    """One line with what there was no time for; nothing where everything was tried."""
    arms = [case.arm(1) for case in cases]
    attempts, hopeless = attempts_of(trials, arms), given_up(trials, arms)
    names = [name for name, tried in attempts.items() if not tried and name not in hopeless]
    return [f"no time was left for {', '.join(names)}: allow more with --max-time"] if names else []


class _Run:
    """The trials so far, seen as what the cases take and what is left."""

    def __init__(
        self, cases: Sequence[LatencyCase], bounds: Bounds, judgement: Judgement, trials: tuple[Trial, ...]
    ) -> None:
        arms = [case.arm(bounds.minimum) for case in cases]
        hopeless = given_up(trials, arms)
        self.bounds = bounds
        self.judgement = judgement
        self.trials = trials
        self.attempts = attempts_of(trials, arms)
        self.left_s = math.inf if bounds.max_time_s is None else bounds.max_time_s - spent_s(trials)
        self._cases = cases
        self._running = [case for case in cases if case.name not in hopeless]
        self._finished = {
            name: [trial for trial in tried if trial.failure is None] for name, tried in self.attempts.items()
        }
        self._known = {name: pace for name, finished in self._finished.items() if (pace := pace_of(finished))}

    def unknown(self) -> list[LatencyCase]:
        """The judged cases that have not told their speed, or all others where none is judged."""
        judged = [case for case in self._running if case.is_judged]
        unknown = [case for case in judged if case.name not in self._known]
        if not judged and not self._known:
            unknown = self._running
        return unknown

    def demands(self, needs: Needs) -> list[Demand]:
        judged = [case for case in self._running if case.is_judged]
        is_first = any(len(self._finished[case.name]) < self.bounds.minimum for case in judged)
        more = {} if is_first else needs(self.trials)
        return [self._demand(case, more.get(case.name, 0)) for case in self._running]

    def due(self, share: Share) -> list[LatencyCase]:
        """Which cases may come next: a judged one of those with the fewest trials, what is compared in between."""
        wanted = [case for case in self._running if len(self._finished[case.name]) < share.processes.get(case.name, 0)]
        fitting = [case for case in wanted if self._pace(case).ready_s + self._pace(case).query_s <= self.left_s]
        block = self._with_fewest([case for case in fitting if case.is_judged])
        compared = [case for case in fitting if not case.is_judged]
        if block:
            progress = min(self._progress(case, share, 0.0) for case in block)
            compared = [case for case in compared if self._progress(case, share, 0.5) <= progress]
        return self._with_fewest(compared) or block

    def first_in_turn(self, cases: Sequence[LatencyCase], seed: int) -> LatencyCase:
        """Each block has an order of its own."""
        block = min(len(self.attempts[case.name]) for case in cases)
        due = [case for case in cases if len(self.attempts[case.name]) == block]
        return min(due, key=lambda case: random.Random(f"{seed}/{block}/{case.name}").random())

    def pilot(self, case: LatencyCase) -> TrialSpec:
        """A part of the time by the work of a query, since nothing is known but that."""
        if self.bounds.max_time_s is None:
            return _asking(case, case.queries, None)
        works = {other.name: other.work * other.queries for other in self._cases if other.is_judged}
        whole = sum({**works, case.name: case.work * case.queries}.values())
        return _asking(case, case.queries, PILOT_SHARE * self.bounds.max_time_s * case.work * case.queries / whole)

    def next_of(self, case: LatencyCase, share: Share) -> TrialSpec:
        pace, queries = self._pace(case), share.queries[case.name]
        limit_s = min(self.left_s - pace.ready_s, PATIENCE * queries * pace.query_s)
        return _asking(case, queries, limit_s if math.isfinite(limit_s) else None)

    def _pace(self, case: LatencyCase) -> Pace:
        """Measured, or else what the judged case of the same tier took, by the work of a query."""
        if case.name in self._known:
            return self._known[case.name]
        tier = case.spec.labels.get("tier")
        known = [other for other in self._cases if other.name in self._known]
        alike = [other for other in known if other.spec.labels.get("tier") == tier] or known
        paces = [(self._known[other.name], case.work / other.work) for other in alike]
        return Pace(median(pace.ready_s for pace, _ in paces), median(pace.query_s * ratio for pace, ratio in paces))

    def _demand(self, case: LatencyCase, more: int) -> Demand:
        finished, pace = self._finished[case.name], self._pace(case)
        return Demand(
            case.name,
            case.is_judged,
            finished=len(finished),
            asked=sum(asked_in(trial)[0] for trial in finished),
            wanted=max(self.bounds.minimum, len(finished), min(len(finished) + more, self.bounds.maximum)),
            ready_s=pace.ready_s,
            query_s=pace.query_s,
            most=case.queries,
            least=least_queries(finished, self.judgement, self.bounds.minimum) if case.is_judged else 1,
            kinds=case.kinds,
        )

    def _progress(self, case: LatencyCase, share: Share, more: float) -> float:
        return (len(self.attempts[case.name]) + more) / share.processes[case.name]

    def _with_fewest(self, cases: Sequence[LatencyCase]) -> list[LatencyCase]:
        fewest = min((len(self.attempts[case.name]) for case in cases), default=0)
        return [case for case in cases if len(self.attempts[case.name]) == fewest]


def _asking(case: LatencyCase, queries: int, limit_s: float | None) -> TrialSpec:
    spec = case.spec
    return replace(
        spec,
        workload={**spec.workload, "count": queries, "asking_s": limit_s},
        timeout_s=spec.timeout_s + (limit_s or 0.0),
    )
