"""Are the settings of ws-latency read from a profile, and wrong ones told with their line?"""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.profiles import load_profile
from synapse_perf.profiles.ws_settings import WsLatencySettings


def settings(directory: Path, text: str) -> WsLatencySettings:
    path = directory / "p.toml"
    path.write_text(f"[ws-latency]\n{text}\n")
    return load_profile(str(path)).ws_latency


def test_every_setting_is_read(tmp_path: Path) -> None:
    text = """
    url = "ws://127.0.0.1:8000/ws/events"
    mode = "event"
    trigger = "http://127.0.0.1:8000/events/test?message={mark}"
    connections = [1, 50]
    rate = 20.0
    messages = 100
    load_url = "http://127.0.0.1:8000/api/metrics/resources"
    load_rate = 5.0
    """
    found = settings(tmp_path, text)

    assert (found.mode, found.connections, found.rate, found.messages) == ("event", (1, 50), 20.0, 100)
    assert found.load_url == "http://127.0.0.1:8000/api/metrics/resources"
    assert settings(tmp_path, "connections = 7").connections == (7,)


def test_the_embedded_profile_takes_the_built_in_server() -> None:
    assert load_profile("embedded").ws_latency.sample


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conections = 3", "'conections' is not known in [ws-latency]"),
        ("connections = [201]", "ws-latency.connections must be from 1 to 200"),
        ("rate = 0.0", "ws-latency.rate must be above 0"),
        ("messages = 3", "ws-latency.messages must be at least 10"),
        ('mode = "push"', "ws-latency.mode"),
    ],
)
def test_a_wrong_one_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError) as told:
        settings(tmp_path, text)

    assert told.value.message.startswith(f"{tmp_path}/p.toml:2: ")
    assert expected in told.value.message
