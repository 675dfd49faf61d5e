"""Which functions ran while a process grew? What was done to it goes on for some seconds, and py-spy looks on.

Only after the looks that are judged, as to look costs the process a little time, and no longer than the last of them,
so that a service which leaks is not made to leak much more. This tells where it was, not who holds
what grew: who asks for memory need not be who keeps it.
"""

from __future__ import annotations

import time
from typing import Any

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.leak_loop import MemoryGuard, Step
from synapse_perf.host.process_tree_probes import ProcessTree, process_name
from synapse_perf.host.running_functions import FunctionRecorder
from synapse_perf.samples import Fact, Sample

PROCESSES_AT_MOST = 8  # of a server's workers: the first ones
FUNCTIONS_TOLD = 10


def record_running(context: Context, tree: ProcessTree, step: Step) -> Sample:
    """A sample without values; what was seen of each process is a fact."""
    wanted_s, most_calls = float(context.workload["record"]["seconds"]), int(context.workload["record"]["calls"])
    guard, before = MemoryGuard(is_limiting=False), tree.levels_by_member()
    recorders = {pid: FunctionRecorder(pid) for pid in list(before)[:PROCESSES_AT_MOST]}
    context.stage(f"looking on for up to {wanted_s:g} s with py-spy while it grows")
    calls = 0
    try:
        begun = [recorder.begin() for recorder in recorders.values()]
        started_s = time.perf_counter()
        while any(begun) and calls < most_calls and time.perf_counter() - started_s < wanted_s and guard.has_room():
            calls += 1
            step(calls)
        passed_s = time.perf_counter() - started_s
    finally:
        seen = {pid: recorder.stop() for pid, recorder in recorders.items()}
    now = tree.levels_by_member()
    processes: list[dict[str, Any]] = []
    for pid, running in seen.items():
        grown = {name: level - before[pid].get(name, level) for name, level in now.get(pid, {}).items()}
        functions = dict(list(running.counts.items())[:FUNCTIONS_TOLD])
        told = {"functions": functions, "samples": running.samples, "problem": running.problem}
        processes.append({"process": f"{process_name(pid)} {pid}", "grown": grown, **told})
    context.facts["running"] = {"recorded_s": passed_s, "processes": processes}
    facts: dict[str, Fact] = {"calls": calls}
    return Sample((), facts)
