"""Which trial comes next in a leak hunt? A first look at each hunt, then longer ones where something grew.

A `Hunt` is what a new kind of hunt has to give: a name, what an iteration is called, and the trial to run; its
benchmark yields a sample an iteration (benchmarks/leak_loop.py). How long it runs is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from synapse_perf.analyze.leak_rows import STEADY, UNTRIMMED, grown_bytes, grown_without_leak, judge_trial
from synapse_perf.analyze.leak_thresholds import FREE_SHARE, LOOKS
from synapse_perf.analyze.leak_verdict import goes_on, is_steady_leak, samples_of_look
from synapse_perf.model import Policy, Trial, TrialSpec

# What makes a heap's series quiet and its numbers comparable. Two arenas are what a service under memory pressure is
# told to set; hash seeds decide how large sets and dictionaries become.
DETECTION_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "PYTHONHASHSEED": "0"}
# For hunts of models and servers. What a thread of the C library keeps for its next allocations counts as in use, and
# is filled by chance over dozens of iterations: with it 20 clean switches of models grew by 3.8 KiB each in use and
# 12 KiB in pages, of servers by 3.4 and 15; without it by 1.6 and 2.6, and by 0.9 and 1.
QUIET_HEAP = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
OVERTIME = 1.25  # of its time that a trial gets before it counts as hanging: an iteration may have just begun
OVERTIME_S = 5.0


@dataclass(frozen=True, slots=True)
class Hunt:
    """One thing that is done again and again, and what is read after each time."""

    name: str  # unique within a run; the label `hunt` of its metrics
    iteration: str  # what one is called: call, switch, start
    spec: TrialSpec  # of one trial; samples, time and environment are set by the plan
    share: float = 1.0  # of the time, against the other hunts
    last_s: float = OVERTIME_S  # that an iteration may take which has begun when the time is over


def next_look(hunts: Sequence[Hunt], max_time_s: float) -> Policy:
    """Each hunt's looks before the next hunt's, each hunt with its share of the time that is left."""

    def next_trial(trials: tuple[Trial, ...]) -> TrialSpec | None:
        for position, hunt in enumerate(hunts):
            left_s = max(0.0, max_time_s - sum(trial.wall_s for trial in trials))
            own_s = left_s * hunt.share / sum(one.share for one in hunts[position:])
            spec = _next_of(hunt, [trial for trial in trials if trial.spec.labels.get("hunt") == hunt.name], own_s)
            if spec is not None:
                return spec
        return None

    return next_trial


def _knowing(spec: TrialSpec, steady: Sequence[str]) -> TrialSpec:
    return replace(spec, workload={**spec.workload, STEADY: list(steady)}) if steady else spec


def _fits(last: Trial, longer: float, left_s: float) -> bool:
    """Whether a look so many times as long has the time that it needs, and would not fill the memory."""
    free_bytes = float(last.facts.get("free_bytes") or math.inf)
    return last.wall_s * longer <= left_s and grown_bytes(last) * longer <= FREE_SHARE * free_bytes


def look_spec(hunt: Hunt, look: int, budget_s: float, *, is_trimming: bool = True) -> TrialSpec:
    """The trial of one look; its worker ends by itself when the time is spent."""
    spec, patience_s = hunt.spec, budget_s * OVERTIME + hunt.last_s
    return replace(
        spec,
        arm=f"look {look + 1}" if is_trimming else UNTRIMMED,
        labels={**spec.labels, "hunt": hunt.name},
        samples=samples_of_look(look),
        timeout_s=patience_s,
        workload={
            **spec.workload,
            "budget_s": budget_s,
            "patience_s": patience_s,
            "trim": is_trimming,
            "samples": samples_of_look(look),
        },
        env={**DETECTION_ENVIRONMENT, **spec.env},
    )


def looks_of(trials: Sequence[Trial], name: str) -> list[Trial]:
    """The looks at one hunt in order, without the one in which nothing was trimmed."""
    return [trial for trial in trials if trial.spec.labels.get("hunt") == name and trial.spec.arm != UNTRIMMED]


def _next_of(hunt: Hunt, done: Sequence[Trial], left_s: float) -> TrialSpec | None:
    if not done:
        return look_spec(hunt, 0, left_s)
    last = done[-1]
    if last.failure is not None or last.spec.arm == UNTRIMMED:
        return None
    look = len(done)
    judged = judge_trial(last)
    if goes_on(judged.values()) and look < len(LOOKS):
        longer = samples_of_look(look) / max(len(last.samples), 1)
        steady = [probe for probe, one in judged.items() if is_steady_leak(one)]
        return _knowing(look_spec(hunt, look, left_s), steady) if _fits(last, longer, left_s) else None
    if grown_without_leak(last) and last.wall_s <= left_s:
        return look_spec(hunt, 0, left_s, is_trimming=False)
    return None
