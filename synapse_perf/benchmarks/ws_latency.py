"""How long do messages over WebSocket connections take, each counted from the moment at which it was due?

One run for each process: connections, what the server sends by itself, warm-up messages that count for nothing, the
schedule, and then the protocol's own pings, which tell what of it the network and the server's event loop take. A
message without an answer counts with the time that was waited for it. A URL may be polled all the while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.outside.websocket_schedule import Exchange, Schedule

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("websocket_latency", "s", "lower", "the moment at which a message is due until its answer"),
        MetricDefinition("phase_time", "s", "lower", "connecting, with the handshake"),
        MetricDefinition("polled_latency", "s", "lower", "a request of the URL that is polled until its whole answer"),
    )
}
PING = {"mode": "ping", "variant": "protocol ping"}


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each message of the run, and one for each ping beside it."""
    from synapse_perf.outside.websocket_connections import ConnectionLost, remedy_of

    try:
        samples, ended = asyncio.run(_run(context))
    except ConnectionLost as error:
        raise BenchmarkFailed("error", str(error), error.remedy) from error
    yield from samples
    if ended:
        raise BenchmarkFailed("error", ended, remedy_of(ended))


async def _run(context: Context) -> tuple[list[Sample], str]:
    """The samples, and if connections ended on the way, what is told of them."""
    from synapse_perf.outside.websocket_connections import close_all, connect_all, drain

    workload = context.workload
    context.stage(f"connecting {workload['connections']}")
    connections, connected_s = await connect_all(workload["url"], workload["connections"], workload["patience_s"])
    stopping = asyncio.Event()
    polling = asyncio.create_task(_poll(context, stopping)) if workload["load_url"] else None
    polled: list[Sample] = []
    try:
        drained = await drain(workload["url"], connections)
        messages = _Messages(context, connections)
        await messages.exchange(workload["warmups"])
        context.stage(f"{workload['count']} messages at {workload['rate']:g} a second")
        exchanges = await messages.exchange(workload["count"])
        pings = await messages.ping(workload["pings"]) if workload["pings"] and not messages.told_ended() else []
    finally:
        stopping.set()
        if polling is not None:
            polled = await polling
        await close_all(connections)
    samples = [_sample(one, workload["patience_s"], {}) for one in exchanges]
    samples += [_sample(one, workload["patience_s"], PING) for one in pings]
    connects = tuple(Measurement("phase_time", value, {"phase": "connect"}) for value in connected_s)
    samples[0] = Sample((*samples[0].values, *connects), samples[0].facts)
    lost = [one for one in exchanges if one.is_lost]
    context.facts["lost"] = len(lost)
    context.facts["errors"] = sorted({one.error for one in lost if one.error})[:5]
    context.facts["drained"], context.facts["is_quiet"] = drained
    context.facts["lateness_s"] = [one.lateness_s for one in exchanges]
    return samples + polled, messages.told_ended()


class _Messages:
    """The messages of one mode over these connections."""

    def __init__(self, context: Context, connections: list[Any]) -> None:
        self._workload = context.workload
        self._connections = connections
        self._ended: dict[int, str] = {}

    async def exchange(self, count: int) -> list[Exchange]:
        from synapse_perf.outside.paced_requests import HttpCaller
        from synapse_perf.outside.websocket_schedule import marked

        workload = self._workload
        if workload["mode"] == "ping":
            return await self.ping(count)
        schedule = self._schedule(count)
        if workload["mode"] == "echo":
            exchanges = await schedule.echo(workload["message"])
        else:
            url, body = workload["trigger"], workload["trigger_body"]
            with closing(HttpCaller(workload["patience_s"])) as caller:

                async def trigger(mark: str) -> None:
                    sent = marked(body, mark) if body else ""
                    await caller.call("POST", url.replace("{mark}", mark), sent)

                exchanges = await schedule.events(trigger)
        self._ended.update(schedule.ended)
        return exchanges

    async def ping(self, count: int) -> list[Exchange]:
        schedule = self._schedule(count)
        exchanges = await schedule.pings()
        self._ended.update(schedule.ended)
        return exchanges

    def told_ended(self) -> str:
        if not self._ended:
            return ""
        count = len(self._ended)
        of = f" ({count} of {len(self._connections)} connections)" if len(self._connections) > 1 else ""
        return f"{next(iter(self._ended.values()))}, while messages were sent{of}"

    def _schedule(self, count: int) -> Schedule:
        from synapse_perf.outside.websocket_schedule import Schedule

        workload = self._workload
        return Schedule(self._connections, rate=workload["rate"], count=count, patience_s=workload["patience_s"])


def _sample(exchange: Exchange, patience_s: float, labels: dict[str, str]) -> Sample:
    """Of an event for many, the last arrival counts; the first and the middle one are noted."""
    facts: dict[str, Fact] = {"lateness_s": exchange.lateness_s, "is_lost": exchange.is_lost}
    if exchange.expected > 1 and not exchange.is_lost:
        facts |= {"first_s": exchange.after_s(0), "middle_s": exchange.after_s(exchange.expected // 2)}
    took_s = patience_s if exchange.is_lost else exchange.after_s(-1)
    return Sample((Measurement("websocket_latency", took_s, labels),), facts)


async def _poll(context: Context, stopping: asyncio.Event) -> list[Sample]:
    """One sample of all answers; what became of the rest is noted."""
    from synapse_perf.outside.paced_requests import poll

    workload = context.workload
    polled = await poll(workload["load_url"], workload["load_rate"], workload["load_timeout_s"], stopping)
    context.facts["load"] = {
        "answers": len(polled.took_s),
        "failed": polled.failed,
        "error": polled.first_error,
        "skipped": polled.skipped,
        "left": polled.left,
    }
    values = tuple(Measurement("polled_latency", value) for value in polled.took_s)
    return [Sample(values, {"failed": polled.failed, "left": polled.left})] if values else []
