"""What may be asked of ws-latency, and is the rest told in one line?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synapse_perf.commands.options import CommonOptions, PartOptions
from synapse_perf.commands.ws_options import MessageOptions
from synapse_perf.commands.ws_request import check_common, ws_request
from synapse_perf.errors import InputError
from synapse_perf.profiles.ws_settings import WsLatencySettings

URL = "ws://127.0.0.1:1/"
NOTHING = WsLatencySettings()


@pytest.mark.parametrize(
    ("url", "options", "expected"),
    [
        (None, {}, "no URL is given"),
        ("http://127.0.0.1:1/", {}, "not a ws:// or wss:// address"),
        ("ws://127.0.0.1:99999/", {}, "ws-latency ws://127.0.0.1:99999/: Port out of range"),
        ("ws://h/a b", {}, "it has a blank"),
        (URL, {"connections": "0"}, "'0' is not from 1 to 200"),
        (URL, {"connections": "1,201"}, "'201' is not from 1 to 200"),
        (URL, {"mode": "event"}, "--mode event needs a --trigger"),
        (URL, {"mode": "echo", "trigger": "http://h/{mark}"}, "--trigger is not for --mode echo"),
        (URL, {"trigger": "http://127.0.0.1:1/x"}, "it has no {mark}, and no --trigger-body has one"),
        (URL, {"trigger": "ftp://h/{mark}"}, "not a http:// or https:// address"),
        (URL, {"trigger_body": "{mark}"}, "--trigger-body without --trigger"),
        (URL, {"mode": "ping", "message": "x"}, "--message is not for --mode ping"),
        (URL, {"load_rate": 3.0}, "--load-rate without --load-url"),
        (URL, {"load_url": "ws://h/"}, "not a http:// or https:// address"),
    ],
)
def test_what_cannot_be_asked_is_told(url: str | None, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as told:
        ws_request(url, MessageOptions(**options), NOTHING)

    assert expected in told.value.message
    assert told.value.remedy


def test_common_options_without_a_part_are_refused_except_within_run() -> None:
    for options in (CommonOptions(flamegraph=Path("f.svg")), CommonOptions(python=Path("python3"))):
        with pytest.raises(InputError):
            check_common(options)
    check_common(PartOptions(python=Path("python3")))


def test_a_trigger_asks_for_events_which_are_fewer() -> None:
    request = ws_request(URL, MessageOptions(trigger="http://h/", trigger_body='{"text": "{mark}"}'), NOTHING)

    assert (request.mode, request.rate, request.count) == ("event", 20.0, 100)
    assert ws_request(URL, MessageOptions(), NOTHING).mode is None


def test_options_go_before_the_profile_and_another_server_leaves_its_messages_out() -> None:
    profile = WsLatencySettings(url="ws://h/", message="{mark}!", rate=7.0, connections=(1, 50), load_url="http://h/")
    named, other = (ws_request(url, MessageOptions(rate=9.0), profile) for url in (None, URL))

    assert (named.url, named.message, named.rate, named.connections) == ("ws://h/", "{mark}!", 9.0, (1, 50))
    assert (other.url, other.message, other.load_url, other.connections) == (URL, "", None, (1, 50))


def test_the_sample_is_for_those_who_name_no_server() -> None:
    sample = WsLatencySettings(sample=True)

    assert ws_request(None, MessageOptions(), sample).is_sample
    assert not ws_request(URL, MessageOptions(), sample).is_sample
