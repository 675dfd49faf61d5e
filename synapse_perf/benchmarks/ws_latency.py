"""How long do messages over WebSocket connections take, each counted from the moment at which it was due?

One run for each process: connections, warm-up messages that count for nothing, then the schedule. A message without an
answer counts with the time that was waited for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("websocket_latency", "s", "lower", "the moment at which a message is due until its answer"),
        MetricDefinition("phase_time", "s", "lower", "connecting, with the handshake"),
    )
}
TRIGGER_TIMEOUT_S = 5.0


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each message of the run."""
    from synapse_perf.outside.websocket_schedule import ConnectFailed

    try:
        yield from asyncio.run(_run(context))
    except ConnectFailed as error:
        raise BenchmarkFailed("error", str(error), error.remedy) from error


async def _run(context: Context) -> list[Sample]:
    from synapse_perf.outside.websocket_schedule import Exchange, close_all, connect_all, drain

    workload = context.workload
    context.stage(f"connecting {workload['connections']}")
    connections, connected_s = await connect_all(workload["url"], workload["connections"], workload["patience_s"])
    try:
        drained = await drain(connections)
        await _exchanges(context, connections, workload["warmups"])
        context.stage(f"{workload['count']} messages at {workload['rate']:g} a second")
        exchanges: list[Exchange] = await _exchanges(context, connections, workload["count"])
    finally:
        await close_all(connections)
    patience_s = workload["patience_s"]
    samples = [_sample(one, patience_s) for one in exchanges]
    first = samples[0]
    connects = tuple(Measurement("phase_time", value, {"phase": "connect"}) for value in connected_s)
    context.facts["lost"] = sum(one.received_ns is None for one in exchanges)
    context.facts["errors"] = sorted({one.error for one in exchanges if one.error})[:5]
    context.facts["drained"] = drained
    context.facts["lateness_s"] = [one.lateness_s for one in exchanges]
    return [Sample((*first.values, *connects), first.facts), *samples[1:]]


def _sample(exchange: Any, patience_s: float) -> Sample:
    is_lost = exchange.received_ns is None
    waited_s = patience_s if is_lost else (exchange.received_ns - exchange.intended_ns) * 1e-9
    facts: dict[str, Fact] = {"lateness_s": exchange.lateness_s, "is_lost": is_lost}
    return Sample((Measurement("websocket_latency", waited_s),), facts)


async def _exchanges(context: Context, connections: list[Any], count: int) -> list[Any]:
    from synapse_perf.outside.websocket_schedule import Schedule

    workload = context.workload
    schedule = Schedule(connections, rate=workload["rate"], count=count, patience_s=workload["patience_s"])
    if workload["mode"] == "ping":
        return await schedule.pings()
    if workload["mode"] == "echo":
        return await schedule.echo(workload["message"])
    return await schedule.events(lambda mark: asyncio.to_thread(_trigger, workload["trigger"], mark))


def _trigger(url: str, mark: str) -> None:
    """Order the server to send an event that holds the mark."""
    import urllib.request

    request = urllib.request.Request(url.replace("{mark}", mark), method="POST", data=b"")  # noqa: S310 - checked
    with urllib.request.urlopen(request, timeout=TRIGGER_TIMEOUT_S) as answer:  # noqa: S310
        answer.read()
