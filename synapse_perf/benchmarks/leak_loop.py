"""What does one more iteration leave behind? The loop that every hunt inside a worker shares.

A hunt is a benchmark module that makes a `step` and hands it to `watch`: one sample an iteration, each with the growth
of every probe since the sample before, for one call of the step. Summed up they are the series that is judged, so
a result file alone is enough to judge it again. Nothing is kept here from one iteration to the next.
"""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.host.leak_probes import ANONYMOUS, HEAP, RSS, SHARED, Probes, is_counted, live_heap, settle, trim
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

GROWTH = "memory_growth_per_iteration"
METRICS = {
    GROWTH: MetricDefinition(
        GROWTH, "B", "lower", "what one iteration leaves behind, of the probe that the label names"
    ),
}
SHORT_CALL_S = 0.005  # shorter ones are repeated within a sample, which then sees that much less
SAMPLE_S = 0.05  # about how long the calls of one sample then take
CALLS_AT_MOST = 1000
TRIED_CALLS = 5  # twice, before the series begins: the first warm up, the others tell how long a call takes
ENOUGH_GROWTH_BYTES = 65_536  # of one sample: what grows so fast is seen, and more calls would only fill the memory
RESERVE_SHARE = 0.25  # of the memory that was free: is that all that is left, the run ends
MIB = 1024**2
RESERVE_LEAST_BYTES = 256 * MIB
CHECKED_EVERY_NS = 50_000_000
ENTRIES = "entries"  # the probe of a cache's entries, which no system runs out of

Step: TypeAlias = Callable[[int], "dict[str, Fact] | None"]  # the number of the call, from 1; facts about it


class Limits(NamedTuple):
    """Up to where calls are repeated within a sample: what they may take, leave behind, and be at most."""

    short_call_s: float = SHORT_CALL_S
    sample_s: float = SAMPLE_S
    growth_bytes: float = ENOUGH_GROWTH_BYTES
    calls: int = CALLS_AT_MOST


def watch(context: Context, probes: Probes, step: Step, limits: Limits = Limits()) -> Iterator[Sample]:  # noqa: B008
    """A sample for each iteration until the worker has enough or the workload's `budget_s` is spent.

    `calls` of the workload fixes how many calls make a sample; None: as many as make a short call measurable.
    With `attribute` it asks who holds what grows instead; with `suspect` that is found, or cleared after each call.
    """
    if "attribute" in context.workload:
        from synapse_perf.benchmarks.leak_attribution import attribute

        yield attribute(context, step)
        return
    if "suspect" in context.workload:
        from synapse_perf.benchmarks.leak_suspect import with_suspect

        step = with_suspect(context.workload, step)
    started_ns, guard, pid = time.perf_counter_ns(), MemoryGuard(), os.getpid()
    calls, done = context.workload.get("calls"), 0
    if calls is None:
        calls, done = calls_per_sample(step, pid, probes.read, limits)
    context.facts["untold"] = probes.untold
    is_trimming = context.workload.get("trim", True)
    settle()
    before = probes.read()
    levels = dict(before)
    context.facts["first_levels"] = before
    context.facts["free_bytes"] = guard.free_bytes
    while True:
        guard.check(done)
        step_started_ns = time.perf_counter_ns()
        facts: dict[str, Fact] = {}
        for _ in range(calls):
            done += 1
            facts.update(step(done) or {})
            end_if_forked(pid)
        facts["call_s"] = (time.perf_counter_ns() - step_started_ns) * 1e-9 / calls
        facts["calls"] = calls
        now = _read(probes, facts, is_trimming=is_trimming)
        yield Sample(tuple(growth_since(now, levels, calls)), facts)
        levels = now
        if (time.perf_counter_ns() - started_ns) * 1e-9 > context.workload["budget_s"]:
            return


def set_aside(context: Context) -> None:
    """Take what is there so far out of the collector's work, before any of what is hunted is.

    It stays to the end, and walking over it twice was most of what a reading took. Who asks for owners has to see it.
    """
    if "attribute" not in context.workload:
        gc.collect()
        gc.freeze()


def _read(probes: Probes, facts: dict[str, Fact], *, is_trimming: bool) -> dict[str, float]:
    """The levels once nothing waits to be freed; what the collector and trimming gave back are facts."""
    has_heap = any(probe.name == HEAP for probe in probes.probes)
    untouched = live_heap() if has_heap else None
    gc.collect()
    gc.collect()
    if untouched is not None:
        facts["freed_by_gc_bytes"] = untouched - live_heap()
    rss = next(probe.read for probe in probes.probes if probe.name == RSS)
    rss_before = rss()
    if is_trimming:
        trim()
    rss_after = rss()
    if rss_before is not None and rss_after is not None:
        facts["given_back_bytes"] = rss_before - rss_after
    return probes.read()


def growth_since(now: dict[str, float], before: dict[str, float], calls: float) -> Iterator[Measurement]:
    for name, level in now.items():
        yield Measurement(GROWTH, (level - before.get(name, level)) / calls, {"probe": name})


def calls_per_sample(step: Step, pid: int, read: Callable[[], dict[str, float]], limits: Limits) -> tuple[int, int]:
    """One, unless a call is so short that its own growth would drown in the noise; and how many calls were tried."""
    quickest_s, grown_bytes, done = math.inf, 0.0, 0
    for _ in range(2):
        settle()
        before = read()
        for _ in range(TRIED_CALLS):
            done += 1
            started_ns = time.perf_counter_ns()
            step(done)
            end_if_forked(pid)
            quickest_s = min(quickest_s, (time.perf_counter_ns() - started_ns) * 1e-9)
            if quickest_s >= limits.short_call_s:
                return 1, done
        settle()
        now = read()
        counted = (name for name in now if is_counted(name) and name != ENTRIES)
        if any(now[name] - before.get(name, now[name]) >= TRIED_CALLS for name in counted):
            return 1, done  # seen at once, and many of them would exhaust what the system has of it
        grown_bytes = max(now.get(name, 0.0) - before.get(name, 0.0) for name in (HEAP, ANONYMOUS, SHARED))
    by_time = math.ceil(limits.sample_s / max(quickest_s, 1e-9))
    by_growth = math.ceil(limits.growth_bytes * TRIED_CALLS / grown_bytes) if grown_bytes > 0 else limits.calls
    return max(1, min(limits.calls, by_time, by_growth)), done


def end_if_forked(pid: int) -> None:
    """A child that the code under test forked, and that came back to here, would go on as a second worker."""
    if os.getpid() != pid:
        os._exit(0)


class MemoryGuard:
    """Ends the run before the machine suffers: between iterations by what is free, within one by a limit on Linux."""

    def __init__(self, *, is_limiting: bool = True) -> None:
        from synapse_perf.host.free_memory import main_memory

        self._main_memory = main_memory
        self._checked_ns = time.perf_counter_ns()
        self.free_bytes = available = main_memory().available_bytes
        self._reserve = min(max(RESERVE_LEAST_BYTES, int(available * RESERVE_SHARE)), available // 2)
        if is_limiting:  # what is watched grows in this process
            _limit_data(available - self._reserve)

    def has_room(self) -> bool:
        self._checked_ns = time.perf_counter_ns()
        return self._main_memory().available_bytes >= self._reserve

    def check(self, done: int) -> None:
        """Not so often that it takes a part of the time: as much as is kept in reserve is not filled in between."""
        if time.perf_counter_ns() - self._checked_ns < CHECKED_EVERY_NS or self.has_room():
            return
        available = self._main_memory().available_bytes
        told = f"memory is short after {done} calls, {available // MIB} MiB are free: ended before the machine suffers"
        raise BenchmarkFailed("out-of-memory", told, "give it less to do, or close other programs")


def _limit_data(growth_bytes: int) -> None:
    """No more private memory than there is; an allocation beyond fails. Other systems than Linux do not heed it."""
    import resource

    from synapse_perf.host.leak_probes import data_bytes

    held = data_bytes()
    if held is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = held + growth_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))
