"""ws-latency from the command line, against real servers on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.outside.engine_events import event_engine
from tests.outside.websocket_servers import websocket_server

Ran = tuple[subprocess.CompletedProcess[str], dict[str, Any]]
SHORT = ("--trials", "1", "--max-time", "1s")  # one process for the first case
BUSY = 3  # this machine is too crowded to send in time


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Ran]:
    def run(*arguments: str) -> Ran:
        output = tmp_path / "r.json"
        command = [sys.executable, "-m", "synapse_perf", "ws-latency", *arguments, "-o", str(output)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert "Traceback" not in told.stderr + told.stdout
        return told, json.loads(output.read_text()) if output.exists() else {}

    return run


def metric(result: dict[str, Any], name: str = "websocket_latency", **labels: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in result["metrics"] if one["name"] == name and labels.items() <= one["labels"].items()
    )
    return found


def finding(result: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((one for one in result["findings"] if one["id"] == name), None)


def words(text: str) -> str:
    return " ".join(text.split())


# --- messages --------------------------------------------------------------------------------------------------------


def test_each_message_counts_and_nothing_is_lost(program: Any) -> None:
    """Three processes of each case decide a percentile; no mode is given, and it is found out."""
    with websocket_server("echo") as url:
        told, result = program(url, "--trials", "3", "--messages", "30", "--connections", "1,5", "--max-time", "15s")

    assert told.returncode in (0, BUSY), told.stderr
    assert result["workload"]["mode"] == "echo"
    for count in ("1", "5"):
        assert metric(result, connections=count)["summary"]["count"] % 30 == 0
        assert len(metric(result, "phase_time", connections=count)["trials"][0]["samples"]) == int(count)
        assert metric(result, connections=count, variant="protocol ping")["summary"]["count"] % 20 == 0
    facts = [trial["facts"] for trial in metric(result)["trials"]]
    assert not any(any(one["is_lost"]) for one in facts)
    assert len(result["checks"]) == 2  # pings are no case of their own
    assert {check["target"] for check in result["checks"]} == {"websocket-latency"}
    assert "Latency" in told.stdout
    assert "Phases of the load" not in told.stdout


# --- events ----------------------------------------------------------------------------------------------------------


def test_a_loop_that_another_url_blocks_is_seen_under_load_alone(program: Any) -> None:
    """250 ms in every 500: half of the messages wait, pings wait with them, and the limit is far from either case."""
    with event_engine(0.25) as engine:
        told, result = program(
            *(engine.events, "--trigger", engine.trigger, "--load-url", engine.resources, "--load-rate", "2"),
            *("--trials", "3", "--messages", "40", "--rate", "80", "--max-time", "20s"),
            *("--target", "websocket-latency<120ms"),
        )

    polls = metric(result, "polled_latency")
    assert polls["labels"]["load"] == "polled"
    assert min(polls["trials"][0]["samples"]) >= 0.25  # it blocks for so long
    assert "The polled URL" in told.stdout
    checks = {"polled" if "load=polled" in one["metric"] else "idle": one for one in result["checks"]}
    assert set(checks) == {"idle", "polled"}
    assert checks["polled"]["observed"] > checks["idle"]["observed"]
    if told.returncode == BUSY or checks["idle"]["status"] != "pass":
        return  # this machine was too crowded to judge either
    blocked = finding(result, "websocket-blocked-under-load")
    assert blocked is not None
    assert "event loop is blocked" in blocked["cause"]
    assert told.returncode == 1


# --- clients that leave ----------------------------------------------------------------------------------------------


def left(result: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {
        (one["labels"]["disconnect"], one["labels"]["holds"]): int(sum(sum(t["samples"]) for t in one["trials"]))
        for one in result["metrics"]
        if one["name"] == "connections_left"
    }


def test_clients_that_are_kept_after_an_abrupt_end_alone(program: Any) -> None:
    with websocket_server("leaking-abrupt") as url:
        told, result = program(url, "--trials", "1", "--messages", "40", "--rate", "100", "--max-time", "20s")

    expected = {"close": 0, "drop": 20, "reset": 20}
    assert left(result) == {(way, held): n for way, n in expected.items() for held in ("sockets", "descriptors")}
    assert told.returncode == 1
    assert "LEAK" in told.stdout
    assert "20 sockets left of 20 clients" in words(told.stdout)


# --- wrong input -----------------------------------------------------------------------------------------------------


def test_nobody_there_is_told_in_one_line(program: Any) -> None:
    told, _ = program("ws://127.0.0.1:9/")

    assert told.returncode == 2
    assert told.stderr.startswith("error: nothing answers at ws://127.0.0.1:9/: Connection refused")


def test_a_server_that_ends_the_connection_later_has_failed(program: Any) -> None:
    """What it had answered is kept; the rest counts as lost."""
    with websocket_server("echo", 0, 0, 40) as url:
        told, result = program(url, *SHORT, "--messages", "60")

    assert told.returncode == 6
    assert "the server closed the connection with 1011 out of memory, while messages were sent" in told.stderr
    (trial,) = metric(result)["trials"]
    assert 0 < sum(trial["facts"]["is_lost"]) < 60


def test_wrong_input_is_one_line(program: Any) -> None:
    told, _ = program("ws://127.0.0.1:1/", "--mode", "event")

    assert told.returncode == 2
    assert told.stderr.startswith("error: --mode event needs a --trigger")


# --- the profile and the built-in server -----------------------------------------------------------------------------


def test_what_a_profile_names_is_measured(program: Any, tmp_path: Path) -> None:
    with websocket_server("echo") as url:
        profile = tmp_path / "p.toml"
        profile.write_text(f'[ws-latency]\nurl = "{url}"\nmessages = 20\nconnections = [3]\nrate = 50.0\n')
        _, result = program("--profile", str(profile), *SHORT)

    assert metric(result)["labels"] == {"connections": "3", "mode": "echo"}
    assert result["workload"]["messages"] == 20


def test_the_built_in_server_is_a_sample_that_meets_no_target(program: Any, tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text("[ws-latency]\nsample = true\nmessages = 20\n")
    told, result = program("--profile", str(profile), *SHORT)

    assert told.returncode == 0, told.stderr
    assert result["subject"] == "sample"
    assert {check["status"] for check in result["checks"]} == {"not-measured"}
    assert result["leaks"] == []
    assert "works here (sample, not your system)" in words(told.stdout)
