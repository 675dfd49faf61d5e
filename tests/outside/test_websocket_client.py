"""Frames as RFC 6455 has them, and the ways in which a connection is left, against a real server."""

from __future__ import annotations

import pytest

from synapse_perf.outside.streamed_answer import QueryLost
from synapse_perf.outside.websocket_client import PING, TEXT, Frame, connect, frame_in, frame_of
from tests.outside.leaky_servers import leaky_server


def test_a_message_is_masked_as_in_the_examples_of_the_rfc() -> None:
    """Section 5.7: a single-frame masked text message, 'Hello'."""
    assert frame_of(TEXT, b"Hello", bytes.fromhex("37fa213d")) == bytes.fromhex("818537fa213d7f9f4d5158")


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "8180"), (125, "81fd"), (126, "81fe007e"), (65535, "81feffff"), (65536, "81ff0000000000010000")],
)
def test_the_length_is_as_short_as_it_can_be(size: int, head: str) -> None:
    frame = frame_of(TEXT, b"a" * size, b"\0\0\0\0")

    assert frame == bytes.fromhex(head) + b"\0\0\0\0" + b"a" * size


def test_frames_are_taken_out_as_they_become_whole() -> None:
    """The RFC's unmasked 'Hello' and its ping, and a long one in two pieces."""
    long = bytes.fromhex("827e0100") + b"b" * 256
    buffer = bytearray(bytes.fromhex("810548656c6c6f" + "890548656c6c6f") + long[:100])

    assert [frame_in(buffer), frame_in(buffer), frame_in(buffer)] == [
        Frame(TEXT, b"Hello"),
        Frame(PING, b"Hello"),
        None,
    ]
    buffer += long[100:]
    assert frame_in(buffer) == Frame(2, b"b" * 256)
    assert buffer == b""


def test_a_masked_frame_of_a_server_and_one_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="masked"):
        frame_in(bytearray(frame_of(TEXT, b"", b"abcd")))
    with pytest.raises(ValueError, match="bytes"):
        frame_in(bytearray(b"\x81\x7f" + b"\xff" * 8))


def test_an_exchange_and_each_way_to_leave() -> None:
    with leaky_server() as running:
        for way in ("close", "drop", "reset"):
            connection = connect(running.ws, 5.0)
            connection.exchange(None)
            connection.exchange('{"type": "ping"}')
            assert not connection.is_let_go()
            getattr(connection, way)()
            assert connection.is_let_go()


def test_no_websocket_there_and_nobody_at_all() -> None:
    with leaky_server() as running, pytest.raises(QueryLost, match="/query answers 200 OK to the handshake"):
        connect(running.ws.replace("/ws", "/query"), 5.0)
    with pytest.raises(QueryLost, match=r"nothing answers at 127\.0\.0\.1"):
        connect(running.ws, 5.0)
