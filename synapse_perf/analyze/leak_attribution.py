"""Which hunts are asked again for who holds what grew, and by which trials?

Such a trial runs in a process of its own, with tracemalloc, after all looks; no row and no metric is made of it. Where
a suspect was named, it is cleared between the calls of a second one, which is as long as the look that was judged. Of a
process that was watched from outside it is only looked at which functions run while it grows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from synapse_perf.analyze.leak_plan import DETECTION_ENVIRONMENT, OVERTIME, OVERTIME_S, Hunt, looks_of
from synapse_perf.analyze.leak_rows import calls_of, decisive, judge_trial
from synapse_perf.analyze.leak_verdict import Judged
from synapse_perf.host.leak_probes import HEAP
from synapse_perf.model import Trial, TrialSpec

ATTRIBUTION, CLEARED, RUNNING = "attribution", "suspect cleared", "functions that run"  # the arms
INSIDE = ("leak_function", "leak_model_switch")  # the benchmarks that run what leaks in the worker itself
OUTSIDE = ("leak_process", "leak_service", "leak_websocket")  # those that watch a process from outside
ROUNDS = 8  # so nine readings; a series of fewer than six cannot be told to rise
CALLS_AT_LEAST = 3  # of a round, if there is time: some leaks come only now and then
SLOWER = 4.0  # than without tracemalloc; measured 0.9 to 13.6
SHARE_OF_TIME = 0.25  # of a run's, for all of this
LEAST_S = 5.0
RECORDED_S = 5.0  # at most, of each process that grows; and at least:
RECORDED_LEAST_S = 1.0
READINGS_S = 0.1  # between two of them, of a process that is only watched: here nothing is read


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user asks for beyond who holds it."""

    suspect: str = ""
    graph: bool = False
    shows_values: bool = False


@dataclass(frozen=True, slots=True)
class Growing:
    """A hunt that something grows in: its deciding look, and the verdict on each probe that grows."""

    hunt: Hunt
    look: Trial
    judged: Mapping[str, Judged]

    @property
    def calls(self) -> float:
        """For which one sample of the look stands, as its rows count them."""
        return calls_of(self.look)

    def growth(self, probe: str) -> float:
        """For one call; nothing where that probe does not grow."""
        judged = self.judged.get(probe)
        return judged.slope.middle / self.calls if judged and judged.slope else 0.0


def growing_hunts(hunts: Iterable[Hunt], trials: Sequence[Trial], benchmarks: Sequence[str] = INSIDE) -> list[Growing]:
    """Of those by these benchmarks each with a leak, or with growth that could not be decided on."""
    found = []
    for hunt in hunts:
        look = decisive(looks_of(trials, hunt.name))
        if look is None or hunt.spec.benchmark not in benchmarks:
            continue
        judged = {
            probe: one
            for probe, one in judge_trial(look).items()
            if one.status == "leak" or (one.status == "inconclusive" and one.slope is not None)
        }
        if judged:
            found.append(Growing(hunt, look, judged))
    return found


def attribution_specs(growing: Sequence[Growing], wanted: Wanted, max_time_s: float) -> list[TrialSpec]:
    """One for each hunt, and one with the suspect cleared for each; all together take a share of the run's time."""
    if not growing:
        return []
    budget_s = max(LEAST_S, SHARE_OF_TIME * max_time_s) / len(growing)
    specs = [_attribution_spec(one, wanted, budget_s) for one in growing]
    return specs + ([_cleared_spec(one, wanted.suspect) for one in growing] if wanted.suspect else [])


def _attribution_spec(one: Growing, wanted: Wanted, budget_s: float) -> TrialSpec:
    paces = [float(sample.facts.get("call_s") or 0) for sample in one.look.samples]
    slow_s = max(median(paces) * SLOWER, 1e-9)
    calls = min(max(CALLS_AT_LEAST, one.calls), budget_s / 2 / (slow_s * (ROUNDS + 1)))
    asked = {
        "rounds": ROUNDS,
        "calls": max(1, int(calls)),
        "growth_bytes": one.growth(HEAP),
        "graph": wanted.graph,
        "shows_values": wanted.shows_values,
    }
    return _spec(one, ATTRIBUTION, 1, budget_s, {"attribute": asked})


def _cleared_spec(one: Growing, suspect: str) -> TrialSpec:
    """As long as the look that was judged, with as many calls between two readings."""
    more = {"suspect": suspect, "clear": True, "calls": round(one.calls), "trim": True}
    return _spec(one, CLEARED, len(one.look.samples), one.look.wall_s * OVERTIME + OVERTIME_S, more)


def recording_specs(growing: Sequence[Growing], max_time_s: float) -> list[TrialSpec]:
    """One for each hunt from outside; clients that fell silent make nothing run."""
    recorded = [one for one in growing if one.look.facts.get("silent_for_s") is None]
    if not recorded:
        return []
    seconds = max(RECORDED_LEAST_S, min(RECORDED_S, SHARE_OF_TIME * max_time_s / len(recorded)))
    return [_recording_spec(one, seconds) for one in recorded]


def _recording_spec(one: Growing, seconds: float) -> TrialSpec:
    workload, calls = one.hunt.spec.workload, round(one.calls * len(one.look.samples))
    if "every_s" in workload:
        record = {"seconds": seconds, "calls": math.ceil(seconds / READINGS_S)}
        return _spec(one, RUNNING, 1, seconds, {"record": record, "every_s": READINGS_S})
    paces = [float(sample.facts.get("call_s") or 0) for sample in one.look.samples]
    more = {"record": {"seconds": seconds, "calls": calls}}
    return _spec(one, RUNNING, 1, seconds + SLOWER * median(paces), more)


def _spec(one: Growing, arm: str, samples: int, budget_s: float, more: Mapping[str, object]) -> TrialSpec:
    spec = one.hunt.spec
    patience_s = budget_s * OVERTIME * SLOWER + OVERTIME_S
    return replace(
        spec,
        arm=arm,
        labels={**spec.labels, "hunt": one.hunt.name},
        samples=samples,
        timeout_s=patience_s,
        workload={**spec.workload, "budget_s": budget_s, "patience_s": patience_s, **more},
        env={**DETECTION_ENVIRONMENT, **spec.env},
    )
