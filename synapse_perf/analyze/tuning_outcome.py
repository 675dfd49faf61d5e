"""What does a tuning advise, and how sure is that?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.capacity import SizedLatency, capacity
from synapse_perf.analyze.paired_percentile import difference
from synapse_perf.analyze.tuning import CURRENT, Advice, Capacity, Measured, Row, Spread, Tuning, describe_recall
from synapse_perf.analyze.tuning_finals import p95_of, quickest
from synapse_perf.analyze.tuning_plan import TuningRequest, keeps_to_memory, races
from synapse_perf.analyze.tuning_rows import not_built, plot_points, table
from synapse_perf.analyze.tuning_trials import latencies, measured, parse_point
from synapse_perf.model import Trial
from synapse_perf.units import format_bytes, format_duration, format_percent

CodeFor = Callable[[str, Mapping[str, int], str], str]  # factory text, search parameters, way to open


def outcome(request: TuningRequest, trials: Sequence[Trial], code_for: CodeFor) -> Tuning:
    """Everything that the report says, from the trials alone."""
    return _Outcome(request, trials).tuning(code_for)


@dataclass(frozen=True, slots=True)
class _Choice:
    advice: Advice
    reason: str
    winner: Measured | None = None
    runner_up: Measured | None = None
    difference: Spread | None = None
    gain: Spread | None = None


class _Outcome:
    def __init__(self, request: TuningRequest, trials: Sequence[Trial]) -> None:
        self.request, self.trials = request, trials
        self.full = measured(trials, request.count)
        self.rows = table(request, trials)
        self.current = next((one for one in self.full if one.family == CURRENT), None)

    def tuning(self, code_for: CodeFor) -> Tuning:
        request, choice = self.request, self._choose()
        winner = choice.winner
        return Tuning(
            budget=request.budget,
            metric=request.metric,
            k=request.k,
            count=request.count,
            dimension=request.dimension,
            queries=request.queries,
            is_shown=request.is_shown,
            advice=choice.advice,
            reason=choice.reason,
            winner=self._row(winner),
            runner_up=self._row(choice.runner_up),
            difference=choice.difference,
            current=self._row(self.current),
            gain=choice.gain,
            rows=tuple(self.rows.values()),
            points=plot_points(self.full),
            floors=winner.floors if winner else None,
            bound=winner.floors.bound(winner.best.p50_s) if winner and winner.floors else None,
            capacity=self._capacity(winner),
            code=self._code(winner, code_for),
            left_out=not_built(request, self.trials),
            confidence=request.confidence,
            warnings=_warnings(request),
        )

    def _choose(self) -> _Choice:
        if all(one.family == CURRENT for one in self.full):
            return _Choice("unfinished", "no candidate was measured on all vectors")
        good = quickest(self.request, self.trials)
        if not good:
            return _Choice("none", self._nothing())
        winner, *others = good
        runner_up = others[0] if others else None
        apart = self._difference(runner_up, winner) if runner_up else None
        limit_s = self.request.budget.latency_s
        if limit_s is not None and self._p95_s(winner) > limit_s:
            return _Choice("none", self._nothing(), None, winner, apart)
        advice, reason, gain = self._against_current(winner)
        return _Choice(advice, reason, winner, runner_up, apart, gain)

    def _against_current(self, winner: Measured) -> tuple[Advice, str, Spread | None]:
        """Keep what there is, unless it breaks the budget or is beaten by more than chance."""
        budget, current, best = self.request.budget, self.current, self.rows[winner.name]
        takes = f"{winner.name} takes {format_duration(best.p95.value)} (p95) and finds {describe_recall(best)}"
        if current is None:
            return "change", takes, None
        own, own_p95 = self.rows[current.name], format_duration(self._p95_s(current))
        if winner.family == CURRENT:
            return "keep", f"the current index is the fastest that was tried: p95 {own_p95}", None
        gain = self._difference(current, winner)
        if not current.best.suffices:
            wanted = f"the current index finds {describe_recall(own)} where {format_percent(budget.recall)} are wanted"
            return "change", f"{wanted}; {takes}", gain
        if not keeps_to_memory(self.request, current, self.trials):
            return (
                "change",
                f"the current index takes {format_bytes(own.memory_bytes or own.file_bytes)}; {takes}",
                gain,
            )
        is_told = gain.low is not None and gain.low > 0
        if budget.latency_s is not None and self._p95_s(current) <= budget.latency_s:
            reason = f"the current index keeps to the budget: p95 {own_p95}"
            return "keep", f"{reason}; {takes}" if is_told else reason, gain
        if not is_told:
            both = f"p95 {own_p95} and {format_duration(best.p95.value)}"
            return "keep", f"the current index and {winner.name} cannot be told apart: {both}", gain
        return "change", f"the current index takes {own_p95} (p95), {takes}", gain

    def _nothing(self) -> str:
        good = [row for row in self.rows.values() if not row.dropped]
        close = good[0] if good else max(self.rows.values(), key=lambda row: row.recall)
        name = f"{close.index} {close.parameters}".strip()
        nearest = f"{name} with {describe_recall(close)}, p95 {format_duration(close.p95.value)}"
        size = format_bytes(close.memory_bytes or close.file_bytes)
        return f"no index keeps to the budget ({self.request.budget}); the closest is {nearest}, {size}"

    def _row(self, one: Measured | None) -> Row | None:
        return None if one is None else self.rows[one.name]

    def _p95_s(self, one: Measured) -> float:
        return self.rows[one.name].p95.value

    def _difference(self, slower: Measured, faster: Measured) -> Spread:
        slow, fast = latencies(self.trials, slower, faster)
        if not slow:
            return Spread(slower.best.p95_s - faster.best.p95_s)
        return difference(slow, fast, 0.95, self.request.confidence)

    def _capacity(self, winner: Measured | None) -> Capacity | None:
        limit_s = self.request.budget.latency_s
        if winner is None or winner.floors is None or limit_s is None or winner.family == CURRENT:
            return None
        # Alone and at its best moments it was faster than side by side with others, in other processes.
        times = p95_of(self.trials, winner) / winner.best.p95_s
        own = [one for one in measured(self.trials) if (one.family, one.size) == (winner.family, winner.size)]
        sizes = [
            SizedLatency(one.rows, times * one.best.p95_s, times * one.best.p95_low_s, times * one.best.p95_high_s)
            for one in own
            if one.best.suffices and one.rows not in races(self.request.count)
        ]
        return capacity(sizes, winner.floors.call_s, limit_s)

    def _code(self, winner: Measured | None, code_for: CodeFor) -> str:
        if winner is None or winner.family == CURRENT:
            return ""
        mode = dict(self.request.open_modes).get(winner.index, "read")
        return code_for(winner.index, parse_point(winner.best.parameters), mode)


def _warnings(request: TuningRequest) -> tuple[str, ...]:
    if request.is_shown:
        return ()
    wanted = format_percent(request.budget.recall)
    told = f"{request.queries} queries are too few to show a recall of {wanted}: candidates are judged by the estimate"
    return (told,)
