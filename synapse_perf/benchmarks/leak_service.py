"""Does a running service hold more after each request that it is asked?

One request after the other, each on a connection of its own, which the service has to let go of as well. Requests that
fail are counted and the hunt goes on: what a service leaves behind of those is worth knowing too.
"""

from __future__ import annotations

from collections.abc import Iterator

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.leak_loop import METRICS as METRICS
from synapse_perf.benchmarks.leak_outside import Lost, Settling, check_tree, tree_of, watch_tree
from synapse_perf.samples import Fact, Sample

FIRST_IMPORT = None


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each request, or for several short ones."""
    from synapse_perf.outside.service_client import ServiceClient
    from synapse_perf.outside.streamed_answer import QueryLost

    workload, tree, lost = context.workload, tree_of(context), Lost("request")
    client = ServiceClient(workload["url"], min(workload["timeout_s"], workload["budget_s"]))
    bodies: list[bytes | None] = [text.encode() for text in workload["bodies"]] or [None]
    settling = Settling(tree, workload["grace_s"])

    def ask(number: int) -> dict[str, Fact]:
        try:
            settling.begin()
            client.ask(bodies[(number - 1) % len(bodies)])
            settling.wait()
            lost.is_over()
        except QueryLost as error:
            check_tree(tree, number)
            lost.count(error, number)
        return {"lost": lost.total}

    context.stage(f"asking {client.path} again and again")
    try:
        yield from watch_tree(context, tree, ask, workload.get("calls"))
    finally:
        context.facts["warnings"] = lost.told()
