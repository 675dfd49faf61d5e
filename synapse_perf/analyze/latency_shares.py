"""How many processes and queries of each case fit into the time that is left, and which of them matter most?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

COMFORTABLE = 10  # queries in a process: of so many in six processes one may be past the limit
COMPARED_AT_LEAST = 3  # queries in a process of what is only compared
LEAST_FOR_MEDIAN = 6  # queries
CATCHING_UP = 2  # times the most queries of a process, where those before it were asked less
RESERVE = 0.15  # of the time left, which nothing but what decides is planned into: a machine may become slower


@dataclass(frozen=True, slots=True)
class Demand:
    """What one case has had, and what it would take.

    wanted: processes in the end, of a case that is judged; most and least: queries in each of its first processes, for
    everything that there is to see, and for a decision if none of them speaks against it; kinds: of queries, each of
    which has figures of its own.
    """

    name: str
    is_judged: bool
    finished: int
    asked: int
    wanted: int
    ready_s: float
    query_s: float
    most: int
    least: int = 1
    kinds: int = 1

    def queries(self, each: int, minimum: int) -> int:
        """In its next process, for so many of each kind in each of the first ones on average.

        What is compared asks for as long as it took to get ready, so that about half of its time are queries.
        """
        if not self.is_judged:
            worth_it = int(self.ready_s / self.query_s) if self.query_s > 0 else self.most
            return min(self.most, max(COMPARED_AT_LEAST, worth_it))
        missing = each * self.kinds
        if self.finished < minimum:
            missing = math.ceil((missing * minimum - self.asked) / (minimum - self.finished))
        return max(1, min(CATCHING_UP * self.most, missing))


@dataclass(frozen=True, slots=True)
class Share:
    """For each case the processes that it is to have in the end, and the queries of its next one."""

    processes: Mapping[str, int]
    queries: Mapping[str, int]


def share_out(demands: Sequence[Demand], left_s: float, *, minimum: int) -> Share:
    """The most that fits: first what decides, then something of everything, then more of both.

    A decision takes `minimum` processes of what is judged, and in these the least queries that decide. Where that does
    not fit, every case gets enough for a median before the cheap ones get their decision.
    """
    return _Shares(demands, left_s, minimum).best()


class _Shares:
    def __init__(self, demands: Sequence[Demand], left_s: float, minimum: int) -> None:
        self.judged = [demand for demand in demands if demand.is_judged]
        self.compared = [demand for demand in demands if not demand.is_judged]
        self.demands = demands
        self.left_s = left_s
        self.minimum = minimum
        self.least = {demand.name: demand.queries(demand.least, minimum) for demand in demands}
        self.most = max((demand.most // demand.kinds for demand in demands), default=1)

    def best(self) -> Share:
        wanted = {demand.name: demand.wanted for demand in self.judged}
        if all(demand.finished >= demand.wanted for demand in self.judged):
            return Share({**wanted, **self._comparisons(self.minimum)}, self._asking(self.most))
        one_more = {demand.name: min(demand.wanted, demand.finished + 1) for demand in self.judged}
        is_extension = all(demand.finished >= self.minimum for demand in self.judged)
        for judged in (wanted, one_more) if is_extension else (wanted,):
            found = self._with_comparisons(judged)
            if found is not None:
                return found
        if is_extension:
            return Share(one_more, self._filling(one_more, self.left_s))
        return self._cheapest_first()

    def _with_comparisons(self, judged: Mapping[str, int]) -> Share | None:
        """Everything at its best; or two processes of each comparison, or one, or none, which says the most."""
        planned_s = self.left_s * (1 - RESERVE)
        for each, compared in ((self.most, self.minimum), (COMFORTABLE, 2), (0, 1), (0, 0)):
            processes = {**judged, **self._comparisons(min(compared, self.minimum))}
            if each <= self.most and self._cost_s(processes, self._asking(each)) <= planned_s:
                return Share(processes, self._filling(processes, planned_s))
        return None

    def _cheapest_first(self) -> Share:
        """Not all of it fits: a median for everyone, then a decision for as many as can have one, the cheap ones first.

        Each goal takes the place of the last one of its case where that still fits. What is left over goes into the
        best that is still possible for the others.
        """
        plan = Share({demand.name: demand.finished for demand in self.judged}, {one.name: 1 for one in self.judged})
        by_query = sorted(self.judged, key=lambda one: one.query_s)
        by_decision = sorted(self.judged, key=lambda one: one.ready_s + one.query_s * self.least[one.name])
        for demand in by_query:
            missing = LEAST_FOR_MEDIAN - demand.asked
            plan = self._improved(plan, demand, demand.finished + 1, range(missing, max(0, missing - 1), -1))
        for demand in by_decision:
            plan = self._improved(plan, demand, demand.wanted, range(self.least[demand.name], 0, -1))
        for demand in by_query:
            if plan.processes[demand.name] == demand.finished:
                plan = self._improved(plan, demand, demand.finished + 1, range(LEAST_FOR_MEDIAN - demand.asked, 0, -1))
        return plan

    def _improved(self, plan: Share, demand: Demand, processes: int, queries: Iterable[int]) -> Share:
        """With the first of these numbers of queries that fits, for so many processes of one case."""
        for count in queries:
            changed = Share({**plan.processes, demand.name: processes}, {**plan.queries, demand.name: count})
            if self._cost_s(changed.processes, changed.queries) <= self.left_s:
                return changed
        return plan

    # --- what it costs -----------------------------------------------------------------------------------------------

    def _comparisons(self, processes: int) -> dict[str, int]:
        return {demand.name: processes for demand in self.compared}

    def _asking(self, each: int) -> dict[str, int]:
        """So many queries of each kind, or the least that decide where those are more."""
        asking = {demand.name: demand.queries(each, self.minimum) for demand in self.demands}
        return {name: max(count, self.least[name]) for name, count in asking.items()}

    def _filling(self, processes: Mapping[str, int], limit_s: float) -> dict[str, int]:
        """As many queries in each process as fit."""
        fitting = (each for each in range(self.most, 0, -1) if self._cost_s(processes, self._asking(each)) <= limit_s)
        return self._asking(next(fitting, 0))

    def _cost_s(self, processes: Mapping[str, int], queries: Mapping[str, int]) -> float:
        return sum(
            max(0, processes[demand.name] - demand.finished) * (demand.ready_s + queries[demand.name] * demand.query_s)
            for demand in self.demands
            if demand.name in processes
        )
