"""Does a running server hold more after each client of its WebSocket, in whichever way the client leaves?

A client connects, exchanges a message, and leaves by the closing handshake (`close`), by ending the connection without
it (`drop`), by a reset (`reset`), or without anything that the server could see (`half-open`): it is silent from then
on. That last way takes time: a server finds out by asking, so all clients fall silent together and are then watched
for as long as the usual servers take to ask twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.leak_loop import GROWTH
from synapse_perf.benchmarks.leak_loop import METRICS as METRICS
from synapse_perf.benchmarks.leak_outside import Lost, Settling, check_tree, tree_of, wait_until, watch_tree
from synapse_perf.host.process_tree_probes import ProcessTree
from synapse_perf.samples import Fact, Measurement, Sample

if TYPE_CHECKING:
    from synapse_perf.outside.websocket_client import WebSocketConnection

FIRST_IMPORT = None
HALF_OPEN = "half-open"
SILENT_SHARE = 0.8  # of the time there is


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each client, or for several short visits."""
    tree, lost = tree_of(context), Lost("connection")
    way: str = context.workload["disconnect"]
    try:
        if way == HALF_OPEN:
            yield from _silent_clients(context, tree, lost)
        else:
            yield from _visits(context, tree, lost, way)
    finally:
        context.facts["warnings"] = lost.told()


def _visits(context: Context, tree: ProcessTree, lost: Lost, way: str) -> Iterator[Sample]:
    settling = Settling(tree, context.workload["grace_s"])

    def visit(number: int) -> dict[str, Fact]:
        settling.begin()
        connection = _connected(context, tree, lost, number)
        if connection is not None and _leaves(connection, way, lost, number):
            settling.wait()
        return {"lost": lost.total}

    context.stage(f"connecting and leaving ({way})")
    yield from watch_tree(context, tree, visit, context.workload.get("calls"))


def _connected(context: Context, tree: ProcessTree, lost: Lost, number: int) -> WebSocketConnection | None:
    """With one message exchanged; None where that failed, which is counted."""
    from synapse_perf.outside.streamed_answer import QueryLost
    from synapse_perf.outside.websocket_client import connect

    messages = context.workload["messages"]
    timeout_s = min(context.workload["timeout_s"], context.workload["budget_s"])
    connection = None
    try:
        connection = connect(context.workload["url"], timeout_s)
        connection.exchange(messages[(number - 1) % len(messages)] if messages else None)
        return connection
    except QueryLost as error:
        if connection is not None:
            connection.drop()
        check_tree(tree, number)
        lost.count(error, number)
        return None


def _leaves(connection: WebSocketConnection, way: str, lost: Lost, number: int) -> bool:
    """Whether it could leave in this way."""
    from synapse_perf.outside.streamed_answer import QueryLost

    ways: Mapping[str, Callable[[], None]] = {
        "close": connection.close,
        "drop": connection.drop,
        "reset": connection.reset,
    }
    try:
        ways[way]()
    except QueryLost as error:
        lost.count(error, number)
        return False
    lost.is_over()
    return True


def _silent_clients(context: Context, tree: ProcessTree, lost: Lost) -> Iterator[Sample]:
    """A sample for each, once it is known whether the server let go of it."""
    workload = context.workload
    count, silent_s = workload["samples"], min(workload["silent_s"], workload["budget_s"] * SILENT_SHARE)
    context.stage(f"connecting {count} clients that fall silent")
    clients = [_connected(context, tree, lost, number) for number in range(1, count + 1)]
    silent = [client for client in clients if client is not None]
    context.stage(f"waiting up to {silent_s:.0f} s until the server lets go of them")

    let_go_s: dict[int, float] = {}  # by the client's id: they are kept until the end
    started_ns = time.perf_counter_ns()

    def is_alone() -> bool:
        check_tree(tree, count)
        for client in silent:
            if id(client) not in let_go_s and client.is_let_go():
                let_go_s[id(client)] = (time.perf_counter_ns() - started_ns) * 1e-9
        return len(let_go_s) == len(silent)

    wait_until(is_alone, silent_s, look_s=0.1)
    context.facts.update(silent_for_s=silent_s, grown={})
    try:
        for client in silent:
            after_s = let_go_s.get(id(client))
            growth = Measurement(GROWTH, float(after_s is None), {"probe": "sockets"})
            yield Sample((growth,), {"calls": 1, "lost": lost.total, "let_go_s": after_s})
    finally:
        for client in silent:
            client.drop()
