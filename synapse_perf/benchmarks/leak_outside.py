"""What does a running process hold more of after each step? The loop that hunts from outside share.

As benchmarks/leak_loop.py, but of a process that neither collects nor trims when it is asked to: what it holds is read
as it is, once it had a moment to settle. A process that ends ends the hunt.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.leak_loop import Limits, MemoryGuard, Step, calls_per_sample, growth_since
from synapse_perf.host.process_tree_probes import ProcessGone, ProcessTree, grown
from synapse_perf.samples import Fact, Sample

if TYPE_CHECKING:
    from synapse_perf.outside.streamed_answer import QueryLost

LOOK_S = 0.005  # between two looks at whether it has settled
IMPATIENT_AFTER = 2  # times in a row that it did not settle: from then on it gets little time
IMPATIENT_S = 0.03
THREADS_WORTH_A_LOOK = 3
LOST_AT_MOST = 10  # in a row
CALLS_AT_MOST = 50  # within a sample: each leaves a socket behind for a minute, in this system itself
RESTART = "start it again; its own log may tell why it ended"


class Settling:
    """Waits after a disconnect until the process has let go of its end, or has had its time to.

    Its end is known by its sockets being as many as before: a socket's other end may be a proxy's.
    """

    def __init__(self, tree: ProcessTree, grace_s: float) -> None:
        self._tree = tree
        self._grace_s = grace_s
        self._late = 0
        self._before = 0

    def begin(self) -> None:
        """Right before the connection is made."""
        self._before = self._tree.open_sockets()

    def wait(self) -> None:
        """Once it has ended."""
        grace_s = self._grace_s if self._late < IMPATIENT_AFTER else IMPATIENT_S
        is_free = wait_until(lambda: self._tree.open_sockets() <= self._before, grace_s)
        self._late = 0 if is_free else self._late + 1


class Lost:
    """How many went wrong, by their kind; one that is the very first, or too many in a row, end the hunt."""

    def __init__(self, what: str) -> None:
        self.total = 0
        self._what = what
        self._kinds: Counter[str] = Counter()
        self._row = 0
        self._asked = 0

    def is_over(self) -> None:
        """One went well."""
        self._asked += 1
        self._row = 0

    def count(self, error: QueryLost, number: int) -> None:
        self._asked += 1
        self.total += 1
        self._row += 1
        self._kinds[str(error.status or error.kind) if error.kind != "empty" else "empty response"] += 1
        if number == 1:
            raise BenchmarkFailed("error", f"the first {self._what}: {error}", error.remedy)
        if self._row >= LOST_AT_MOST:
            told = f"{self._row} {self._what}s in a row failed, the last: {error}"
            raise BenchmarkFailed("error", told, error.remedy, detail=told)

    def told(self) -> list[str]:
        """A warning, if any went wrong."""
        if not self.total:
            return []
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self._kinds.most_common())
        return [f"{self.total} of {self._asked} {self._what}s failed ({kinds}): what grew may be theirs"]


def wait_until(happened: Callable[[], bool], patience_s: float, look_s: float = LOOK_S) -> bool:
    """Whether it happened in time."""
    deadline_ns = time.perf_counter_ns() + int(patience_s * 1e9)
    while not happened():
        if time.perf_counter_ns() > deadline_ns:
            return False
        time.sleep(look_s)
    return True


def tree_of(context: Context) -> ProcessTree:
    """The process of the workload; BenchmarkFailed where it is another by now."""
    process: Mapping[str, float] = context.workload["process"]
    try:
        return ProcessTree(int(process["pid"]), process["started_s"])
    except ProcessGone as error:
        raise _gone(error, 0) from error


def check_tree(tree: ProcessTree, done: int) -> None:
    """Raise BenchmarkFailed where the process has ended."""
    try:
        tree.check()
    except ProcessGone as error:
        raise _gone(error, done) from error


def _gone(error: ProcessGone, done: int) -> BenchmarkFailed:
    return BenchmarkFailed("crash", f"{error}{f' after {done} iterations' if done else ''}", RESTART)


def watch_tree(context: Context, tree: ProcessTree, step: Step, calls: int | None) -> Iterator[Sample]:
    """A sample for each `calls` calls of the step; None: as many as make a short call measurable.

    A step that only takes its time tells of which part of an iteration, by its facts `calls` and `call_s`. With
    `record` of the workload nothing is read: it is looked at which functions run meanwhile.
    """
    if "record" in context.workload:
        from synapse_perf.benchmarks.leak_running import record_running

        yield record_running(context, tree, step)
        return
    started_ns, guard, done = time.perf_counter_ns(), MemoryGuard(is_limiting=False), 0
    if calls is None:
        calls, done = calls_per_sample(step, os.getpid(), tree.levels, Limits(calls=CALLS_AT_MOST))
    levels, held, cpu_s = tree.levels(), tree.holds(), tree.cpu_s()
    check_tree(tree, done)
    context.facts.update(untold=tree.untold(), free_bytes=guard.free_bytes, first_levels=levels)
    try:
        while True:
            guard.check(done)
            facts: dict[str, Fact] = {"calls": calls}
            step_started_ns = time.perf_counter_ns()
            for _ in range(calls):
                done += 1
                facts.update(step(done) or {})
            facts.setdefault("call_s", (time.perf_counter_ns() - step_started_ns) * 1e-9 / calls)
            now, now_cpu_s = tree.levels(), tree.cpu_s()
            check_tree(tree, done)
            facts["processor_s"] = max(0.0, now_cpu_s - cpu_s)  # the children that ended take theirs along
            yield Sample(tuple(growth_since(now, levels, float(facts["calls"] or 1))), facts)
            levels, cpu_s = now, now_cpu_s
            if (time.perf_counter_ns() - started_ns) * 1e-9 > context.workload["budget_s"]:
                return
    finally:
        first = context.facts["first_levels"]
        context.facts["grown"] = _what_grew(tree, held, levels.get("threads", 0.0) - first.get("threads", 0.0))


def _what_grew(tree: ProcessTree, before: dict[str, dict[str, int]], threads: float) -> dict[str, dict[str, int]]:
    """By kind and name; and if there are more threads, where most of them are."""
    found = grown(before, tree.holds())
    if threads >= THREADS_WORTH_A_LOOK:
        from synapse_perf.host.thread_places import thread_places

        found["threads"] = dict(list(thread_places(tree.members()).counts.items())[:THREADS_WORTH_A_LOOK])
    return found
