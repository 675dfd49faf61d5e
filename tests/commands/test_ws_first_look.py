"""Is a server that cannot be measured told in one line, before anything is?"""

from __future__ import annotations

import pytest

from synapse_perf.commands import ws_first_look
from synapse_perf.commands.ws_first_look import with_mode
from synapse_perf.commands.ws_options import MessageOptions
from synapse_perf.commands.ws_request import WsRequest, ws_request
from synapse_perf.errors import InputError
from synapse_perf.profiles.ws_settings import WsLatencySettings
from tests.outside.engine_events import event_engine
from tests.outside.websocket_servers import websocket_server


def request(url: str, **options: str) -> WsRequest:
    return ws_request(url, MessageOptions(**options), WsLatencySettings())  # type: ignore[arg-type]


def told(url: str, **options: str) -> str:
    with pytest.raises(InputError) as error:
        with_mode(request(url, **options))
    assert "\n" not in error.value.message
    assert error.value.remedy
    return error.value.message


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("refusing", "answers 403 to the handshake"),
        ("page", "answers 200 to the handshake"),
        ("ssh", "does not speak WebSocket"),
        ("closing", "the server closed the connection with 1008 who are you"),
        ("huge", "the server sent a message of more than 1024 KiB"),
    ],
)
def test_a_server_that_cannot_be_measured(kind: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_first_look, "PATIENCE_S", 60.0)  # none of these is told by how long it takes
    with websocket_server(kind) as url:
        message = told(url)

    assert message.startswith(url)
    assert expected in message


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mute", "no handshake within 2 s"), ("silent", "did not send the message back within 2 s")],
)
def test_a_server_that_says_nothing(kind: str, expected: str) -> None:
    with websocket_server(kind) as url:
        message = told(url)

    assert message.startswith(url)
    assert expected in message


def test_a_message_that_is_too_large_asks_for_smaller_ones() -> None:
    with websocket_server("huge") as url, pytest.raises(InputError) as error:
        with_mode(request(url))

    assert error.value.remedy.startswith("time smaller ones")


def test_the_mode_is_found_out() -> None:
    with websocket_server("binary") as url:
        assert with_mode(request(url)).mode == "echo"
    with websocket_server("silent") as url:
        assert with_mode(request(url, mode="ping")).mode == "ping"


def test_a_trigger_that_nobody_answers_or_that_causes_nothing() -> None:
    with event_engine() as engine:
        refused = told(engine.events, trigger=f"{engine.api}/api/nothing?m={{mark}}")
        filtered = told(engine.events, trigger=engine.trigger.replace("performance", "cache"))
        unread = told(engine.events, trigger="http://127.0.0.1:9/{mark}")

    assert refused == f"POST {engine.api}/api/nothing answers 404"
    assert "the trigger was accepted, and no message with its mark came within 2 s" in filtered
    assert unread.startswith("nothing answers at http://127.0.0.1:9/")
    assert unread.endswith(": Connection refused")


def test_a_url_that_cannot_be_polled() -> None:
    with websocket_server("echo") as url, websocket_server("ssh") as other:
        silent = told(url, load_url="http://127.0.0.1:9/")
        odd = told(url, load_url=other.replace("ws:", "http:"))

    assert silent == "nothing answers at http://127.0.0.1:9/: Connection refused"
    assert "does not speak HTTP" in odd
