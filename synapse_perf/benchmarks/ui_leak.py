"""What stays of each round on a page: DOM nodes, listeners and script memory, counted after the garbage is collected?

Nodes and listeners are counted by the browser, exactly; the heap is not free of noise.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("dom_node_growth", "1", "lower", "DOM nodes that stay after a round of the scenario"),
        MetricDefinition("listener_growth", "1", "lower", "event listeners that stay after a round of the scenario"),
        MetricDefinition("script_heap_growth", "B", "lower", "script memory that stays after a round of the scenario"),
    )
}
ROUND_S = 60.0
COLLECTIONS = 2  # what a first one frees may let go of more


def measure(context: Context) -> Iterator[Sample]:
    """One sample a round: what there is more of than after the round before."""
    from synapse_perf.benchmarks.page_in_browser import told_failures

    with told_failures():
        levels = asyncio.run(_rounds(context))
    for number, (before, after) in enumerate(itertools.pairwise(levels), start=1):
        values = [Measurement(name, after[name] - before[name]) for name in METRICS]
        yield Sample(tuple(values), {"round": number, "nodes": after["dom_node_growth"]})


async def _rounds(context: Context) -> list[dict[str, float]]:
    """What there was before the first round and after each."""
    from synapse_perf.benchmarks.page_in_browser import fresh_browser, page_in
    from synapse_perf.outside.scenario_run import run_scenario

    workload = context.workload
    async with fresh_browser(context) as browser:
        opened = await page_in(browser, context)
        levels = [await _level(opened)]
        for number in range(1, workload["rounds"] + 1):
            context.stage(f"round {number} of {workload['rounds']}")
            await run_scenario(opened.page, workload["scenario"], ROUND_S)
            levels.append(await _level(opened))
        context.facts["warnings"] = opened.warnings
    return levels


async def _level(opened: Any) -> dict[str, float]:
    for _ in range(COLLECTIONS):
        await opened.send("HeapProfiler.collectGarbage")
    counted = await opened.send("Memory.getDOMCounters")
    heap = await opened.send("Runtime.getHeapUsage")
    return {
        "dom_node_growth": counted["nodes"],
        "listener_growth": counted["jsEventListeners"],
        "script_heap_growth": heap["usedSize"],
    }
