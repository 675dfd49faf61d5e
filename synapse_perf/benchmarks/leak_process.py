"""Does a running process hold more and more as time goes by? It is only looked at, and nothing is asked of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.leak_loop import METRICS as METRICS
from synapse_perf.benchmarks.leak_outside import tree_of, watch_tree
from synapse_perf.samples import Fact, Sample

FIRST_IMPORT = None
HOUR_S = 3600.0  # growth is told for an hour


def measure(context: Context) -> Iterator[Sample]:
    """A sample every `every_s` of the workload."""
    tree, every_s = tree_of(context), float(context.workload["every_s"])
    read_ns = due_ns = time.perf_counter_ns()

    def wait(number: int) -> dict[str, Fact] | None:
        """Until the next reading is due; one that is late is told with the time that it really took."""
        nonlocal read_ns, due_ns
        del number
        due_ns = max(due_ns + int(every_s * 1e9), time.perf_counter_ns())
        time.sleep((due_ns - time.perf_counter_ns()) * 1e-9 if due_ns > time.perf_counter_ns() else 0)
        passed_s, read_ns = (time.perf_counter_ns() - read_ns) * 1e-9, time.perf_counter_ns()
        return {"calls": passed_s / HOUR_S, "call_s": HOUR_S}

    context.stage(f"watching process {tree.pid}, a reading every {every_s:g} s")
    yield from watch_tree(context, tree, wait, 1)
