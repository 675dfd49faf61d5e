"""What does a server still hold of WebSocket clients that have left, each client counted?

Some clients connect, are served once and leave together, all in one way; then its sockets and descriptors are counted
again once it let go of them, or had its time to. Each way twice: what stays both times is no client of somebody else's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.host.process_tree_probes import ProcessTree
    from synapse_perf.outside.websocket_client import WebSocketConnection

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (MetricDefinition("connections_left", "1", "lower", "what a server holds of clients that have left"),)
}
WAYS = ("close", "drop", "reset")
STILL_S = 0.2  # without a change, so that what went on before is over
IMPATIENT_S = 0.3  # once clients of this way were kept for the whole of it
_LOOK_S = 0.01


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each round of each way, with sockets and descriptors."""
    from synapse_perf.host.process_tree_probes import ProcessGone, ProcessTree
    from synapse_perf.outside.streamed_answer import QueryLost

    process = context.workload["process"]
    try:
        tree = ProcessTree(int(process["pid"]), process["started_s"])
        for way in WAYS:
            context.stage(f"clients connect and leave ({way})")
            _visit(context, tree, way, 1)  # what a server makes for its first client stays
            for _ in range(context.workload["rounds"]):
                yield _visit(context, tree, way, context.workload["clients"])
                tree.check()
    except ProcessGone as error:
        raise BenchmarkFailed("crash", f"{error} while clients left it", "see its log") from error
    except QueryLost as error:
        raise BenchmarkFailed("error", f"a client that was to leave: {error}", error.remedy) from error


def _visit(context: Context, tree: ProcessTree, way: str, clients: int) -> Sample:
    from synapse_perf.outside.websocket_client import connect

    workload = context.workload
    sockets, descriptors = _still(tree, workload["grace_s"])
    connected: list[WebSocketConnection] = []
    try:
        for _ in range(clients):
            connected.append(connect(workload["url"], workload["timeout_s"]))
            connected[-1].exchange(None)
        most = tree.open_sockets()
        for client in connected:
            leave: dict[str, Callable[[], None]] = {"close": client.close, "drop": client.drop, "reset": client.reset}
            leave[way]()
        connected.clear()
    finally:
        for client in connected:
            client.drop()
    grace_s = workload["grace_s"] if way not in context.facts.get("kept", ()) else IMPATIENT_S
    if not _wait_until(lambda: tree.open_sockets() <= sockets, grace_s):
        context.facts.setdefault("kept", []).append(way)
    left = {"sockets": tree.open_sockets() - sockets, "descriptors": _descriptors(tree) - descriptors}
    values = (
        Measurement("connections_left", float(max(0, count)), {"disconnect": way, "holds": held})
        for held, count in left.items()
    )
    return Sample(tuple(values), {"clients": clients, "seen": min(clients, most - sockets)})


def _descriptors(tree: ProcessTree) -> int:
    return int(tree.levels().get("descriptors", 0))


def _still(tree: ProcessTree, patience_s: float) -> tuple[int, int]:
    """Sockets and descriptors, once they have not changed for a moment."""
    deadline_ns = time.perf_counter_ns() + int(patience_s * 1e9)
    held, since_ns = tree.open_sockets(), time.perf_counter_ns()
    while time.perf_counter_ns() < deadline_ns and time.perf_counter_ns() - since_ns < STILL_S * 1e9:
        time.sleep(_LOOK_S)
        now = tree.open_sockets()
        if now != held:
            held, since_ns = now, time.perf_counter_ns()
    return held, _descriptors(tree)


def _wait_until(happened: Callable[[], bool], patience_s: float) -> bool:
    deadline_ns = time.perf_counter_ns() + int(patience_s * 1e9)
    while not happened():
        if time.perf_counter_ns() > deadline_ns:
            return False
        time.sleep(_LOOK_S)
    return True
