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
        told = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
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
        told, result = program(url, "--trials", "3", "--messages", "30", "--connections", "1,5", "--max-time", "10s")

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


def test_a_stall_of_the_server_is_in_the_tail_and_named(program: Any) -> None:
    """300 ms at 100 a second: about 30 messages wait for the rest of it, which a client that waits would not send."""
    with websocket_server("echo", 60) as url:
        _, result = program(url, *SHORT, "--messages", "100")

    samples = sorted(metric(result)["trials"][0]["samples"])
    assert sum(sample > 0.1 for sample in samples) >= 15
    assert samples[-1] > 0.25
    stall = finding(result, "websocket-stall")
    assert stall is not None
    assert stall["evidence"]["longest_s"] > 0.25
    assert stall["evidence"]["messages"] >= 15


def test_a_client_that_waits_hides_the_same_stall() -> None:
    """The independent comparison: it sends the next message when it has the answer to the last."""
    import time

    from websockets.sync.client import connect

    took_s = []
    with websocket_server("echo", 60) as url, connect(url, compression=None) as connection:
        for number in range(100):
            began_s = time.perf_counter()
            connection.send(str(number))
            connection.recv()
            took_s.append(time.perf_counter() - began_s)

    assert sum(one > 0.1 for one in took_s) <= 3  # one, and what a crowded machine adds
    assert max(took_s) > 0.25


def test_a_message_without_an_answer_counts_as_late_and_is_told(program: Any) -> None:
    with websocket_server("echo", 0, 60) as url:
        told, result = program(url, *SHORT, "--messages", "60")

    assert max(metric(result)["trials"][0]["samples"]) == 2.0
    assert any("1 of 60 messages got no answer" in warning for warning in result["warnings"])
    assert finding(result, "websocket-messages-lost") is not None
    assert "1 of 60 messages got no answer" in words(told.stdout)


def test_a_lost_message_is_over_any_limit(program: Any) -> None:
    with websocket_server("echo", 0, 40) as url:
        _, result = program(url, *SHORT, "--messages", "40", "--target", "websocket-latency<3s")

    assert max(metric(result)["trials"][0]["samples"]) == 6.0


def test_pings_are_answered_by_the_protocol(program: Any) -> None:
    with websocket_server("silent") as url:
        _, result = program(url, *SHORT, "--messages", "30", "--mode", "ping")

    assert metric(result)["labels"]["mode"] == "ping"
    assert metric(result)["summary"]["count"] == 30
    assert max(metric(result)["trials"][0]["samples"]) < 2.0


def test_binary_answers_are_answers(program: Any) -> None:
    with websocket_server("binary") as url:
        _, result = program(url, *SHORT, "--messages", "20")

    assert not any(metric(result)["trials"][0]["facts"]["is_lost"])


def test_a_server_that_never_is_quiet_is_told(program: Any) -> None:
    with websocket_server("talking") as url:
        _, result = program(url, *SHORT, "--messages", "20")

    assert any("never stops sending by itself" in warning for warning in result["warnings"])
    assert not any(metric(result)["trials"][0]["facts"]["is_lost"])


# --- events ----------------------------------------------------------------------------------------------------------


def test_an_event_counts_when_it_has_come_to_the_last_connection(program: Any) -> None:
    """After 100 events of the past; the first and the middle arrival are told beside it."""
    with event_engine() as engine:
        told, result = program(
            engine.events, "--trigger", engine.trigger, *SHORT, "--messages", "20", "--connections", "4", "--rate", "50"
        )

    assert result["workload"]["mode"] == "event"
    (trial,) = metric(result)["trials"]
    assert len(trial["samples"]) == 20
    assert not any(trial["facts"]["is_lost"])
    pairs = zip(trial["facts"]["first_s"], trial["facts"]["middle_s"], trial["samples"], strict=True)
    assert all(first <= middle <= last for first, middle, last in pairs)
    assert "to the first of 4 connections" in words(told.stdout)


def test_a_loop_that_another_url_blocks_is_seen_under_load_alone(program: Any) -> None:
    """60 ms in every 100: most messages wait, and pings wait with them."""
    with event_engine(0.06) as engine:
        told, result = program(
            *(engine.events, "--trigger", engine.trigger, "--load-url", engine.resources, "--load-rate", "10"),
            *("--trials", "3", "--messages", "20", "--rate", "40", "--max-time", "14s"),
            *("--target", "websocket-latency<40ms"),
        )

    checks = {"polled" if "load=polled" in one["metric"] else "idle": one for one in result["checks"]}
    assert set(checks) == {"idle", "polled"}
    assert checks["polled"]["observed"] > checks["idle"]["observed"]
    if told.returncode == BUSY:
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
        told, result = program(url, "--trials", "1", "--messages", "10", "--max-time", "8s")

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
