"""Does the server of ws-latency answer at all, and in which way? Tried once, before anything is measured."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.commands.ws_request import WsRequest
    from synapse_perf.outside.paced_requests import HttpCaller

PATIENCE_S = 2.0
_OTHER_MODES = (
    "give --message TEXT if it answers only its own kind of message, --mode event --trigger URL if it pushes, or "
    "--mode ping for the protocol alone"
)


@contextmanager
def served(request: WsRequest) -> Iterator[WsRequest]:
    """With the address of the built-in server, where that was asked for, which runs as long as the block."""
    if not request.is_sample:
        yield request
        return
    from synapse_perf.outside.sample_websocket import sample_server

    with sample_server() as url:
        yield replace(request, url=url)


def with_mode(request: WsRequest) -> WsRequest:
    """The request with the mode in which the server answers; InputError, in one line, where it does not."""
    from synapse_perf.outside.websocket_connections import ConnectionLost

    try:
        return replace(request, mode=asyncio.run(_answered(request)))
    except ConnectionLost as error:
        raise InputError(str(error), error.remedy) from error


async def _answered(request: WsRequest) -> str:
    from synapse_perf.outside.paced_requests import HttpCaller
    from synapse_perf.outside.websocket_connections import close_all, connect_all, drain

    with closing(HttpCaller(PATIENCE_S)) as caller:
        if request.load_url is not None:
            await caller.call("GET", request.load_url)
        connections, _ = await connect_all(request.url, 1, PATIENCE_S)
        try:
            await drain(request.url, connections)
            return await _first_message(request, connections, caller)
        finally:
            await close_all(connections)


async def _first_message(request: WsRequest, connections: list[Any], caller: HttpCaller) -> str:
    from synapse_perf.outside.websocket_connections import TOO_LARGE, ConnectionLost, remedy_of
    from synapse_perf.outside.websocket_schedule import Schedule, marked

    failed: list[ConnectionLost] = []

    async def trigger(mark: str) -> None:
        sent = marked(request.trigger_body, mark) if request.trigger_body else ""
        try:
            await caller.call("POST", (request.trigger or "").replace("{mark}", mark), sent)
        except ConnectionLost as error:
            failed.append(error)
            raise

    schedule = Schedule(connections, rate=100.0, count=1, patience_s=PATIENCE_S)
    if request.mode == "event":
        (exchange,) = await schedule.events(trigger)
    elif request.mode == "ping":
        (exchange,) = await schedule.pings()
    else:
        (exchange,) = await schedule.echo(request.message)
    if failed:
        raise failed[0]
    if schedule.ended:
        ended = schedule.ended[0]
        remedy = _OTHER_MODES if request.mode is None and ended != TOO_LARGE else remedy_of(ended)
        raise ConnectionLost(f"{request.url}: {ended}, at the first message", remedy)
    if exchange.is_lost:
        raise _silent(request)
    return request.mode or "echo"


def _silent(request: WsRequest) -> InputError:
    within = f"within {PATIENCE_S:g} s"
    if request.mode == "event":
        told = f"{request.url}: the trigger was accepted, and no message with its mark came {within}"
        return InputError(told, "is the URL's filter too narrow, or the event another connection's?")
    if request.mode == "ping":
        return InputError(f"{request.url}: it does not answer the protocol's ping {within}", "see the server's log")
    return InputError(f"{request.url}: it did not send the message back {within}", _OTHER_MODES)
