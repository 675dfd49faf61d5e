"""Are answers of every form read to their end, connections kept, and polls sent at their own time?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest

from synapse_perf.outside.paced_requests import HttpCaller, Polled, poll
from synapse_perf.outside.websocket_connections import ConnectionLost

FORMS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "chunks": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\nA: b\r\n\r\n",
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
}


class Server:
    """Answers each request with the same bytes, and counts requests and connections."""

    def __init__(self, content: bytes, delay_s: float = 0.0, ends: bool = False) -> None:
        self.content, self.delay_s, self.ends = content, delay_s, ends
        self.requests: list[bytes] = []
        self.connections = 0
        self.answered = 0
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
                body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
                self.requests.append(head + body)
                await asyncio.sleep(self.delay_s)
                writer.write(self.content)
                self.answered += 1
                if self.ends:
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client is gone, or the test is over
        finally:
            writer.close()


def against(server: Server, use: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
            server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/a?b=c"
            await use()
            await asyncio.sleep(0.01)  # the server sees that its clients are gone

    asyncio.run(run())


@pytest.mark.parametrize("form", FORMS)
def test_a_connection_is_used_again_once_its_answer_is_read(form: str) -> None:
    server = Server(FORMS[form])

    async def use() -> None:
        with closing(HttpCaller(5.0)) as caller:
            for _ in range(3):
                await caller.call("POST", server.url, '{"x": 1}')

    against(server, use)
    assert (len(server.requests), server.connections) == (3, 1)
    assert server.requests[0].startswith(b"POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert server.requests[0].endswith(b'Content-Type: application/json\r\n\r\n{"x": 1}')


def test_an_answer_that_ends_with_its_connection_takes_a_new_one() -> None:
    server = Server(b"HTTP/1.0 200 OK\r\n\r\nhello", ends=True)

    async def use() -> None:
        with closing(HttpCaller(5.0)) as caller:
            await caller.call("GET", server.url)
            await caller.call("GET", server.url)

    against(server, use)
    assert server.connections == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "/a answers 500"),
        (b"hello\r\n\r\n", "/a does not speak HTTP, or broke off"),
        (b"", "/a does not speak HTTP, or broke off"),
    ],
)
def test_what_is_no_success_is_one_sentence(content: bytes, expected: str) -> None:
    server = Server(content, ends=True)

    async def use() -> None:
        with closing(HttpCaller(5.0)) as caller, pytest.raises(ConnectionLost) as told:
            await caller.call("GET", server.url)
        assert str(told.value).endswith(expected)

    against(server, use)


def test_a_server_that_never_answers_is_left() -> None:
    server = Server(FORMS["length"], delay_s=5.0)

    async def use() -> None:
        with pytest.raises(ConnectionLost, match="no answer within 1 s"):
            await HttpCaller(1.0).call("GET", server.url)

    against(server, use)


def test_polls_do_not_wait_for_each_other() -> None:
    """Each answer takes four periods; all are asked for all the same, and one that has no answer yet is no failure."""
    server, found = Server(FORMS["length"], delay_s=0.08), list[Polled]()

    async def use() -> None:
        stopping = asyncio.Event()
        polling = asyncio.create_task(poll(server.url, 50.0, 5.0, stopping))
        while len(server.requests) < 10 or not server.answered:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)  # the answer comes to who asked
        stopping.set()
        found.append(await polling)

    against(server, use)
    (polled,) = found
    assert server.connections >= 3
    assert min(polled.took_s) >= 0.08
    assert (polled.failed, polled.skipped) == (0, 0)
    assert polled.left >= 1  # four periods of them had no answer yet


def test_polls_that_fail_are_counted_with_the_first_reason() -> None:
    server, found = Server(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), list[Polled]()

    async def use() -> None:
        stopping = asyncio.Event()
        polling = asyncio.create_task(poll(server.url, 200.0, 5.0, stopping))
        while len(server.requests) < 3:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        stopping.set()
        found.append(await polling)

    against(server, use)
    assert found[0].failed >= 1
    assert found[0].first_error.endswith("/a answers 404")
