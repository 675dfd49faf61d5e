"""ws-latency from the command line, against real servers on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SERVER = """
import asyncio, sys, time
from websockets.asyncio.server import serve

stall_at, silent_at = int(sys.argv[1]), int(sys.argv[2])
count = 0

async def answer(connection):
    global count
    async for message in connection:
        count += 1
        if count == stall_at:
            time.sleep(0.3)
        if count != silent_at:
            await connection.send(message)

async def main():
    async with serve(answer, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()

asyncio.run(main())
"""


@contextmanager
def server(stall_at: int = 0, silent_at: int = 0) -> Iterator[str]:
    command = [sys.executable, "-c", SERVER, str(stall_at), str(silent_at)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield f"ws://127.0.0.1:{int(running.stdout.readline())}/"
        finally:
            running.kill()


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., tuple[subprocess.CompletedProcess[str], dict[str, Any]]]:
    def run(*arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        output = tmp_path / "r.json"
        command = [
            sys.executable,
            "-m",
            "synapse_perf",
            "ws-latency",
            "--max-time",
            "1s",
            *arguments,
            "-o",
            str(output),
        ]
        told = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        return told, json.loads(output.read_text()) if output.exists() else {}

    return run


def metric(result: dict[str, Any], name: str = "websocket_latency") -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in result["metrics"] if one["name"] == name)
    return found


def test_each_message_counts_and_nothing_is_lost(program: Any) -> None:
    with server() as url:
        told, result = program(url, "--trials", "1", "--messages", "50", "--connections", "1,5", "--max-time", "9s")

    assert told.returncode in (0, 3), told.stderr  # 3: this machine is too busy to send on time
    assert {one["labels"]["connections"] for one in result["metrics"]} == {"1", "5"}
    assert metric(result)["summary"]["count"] % 50 == 0
    assert len(metric(result, "phase_time")["trials"][0]["samples"]) == 1
    assert not any(any(trial["facts"]["is_lost"]) for trial in metric(result)["trials"])
    assert {check["target"] for check in result["checks"]} == {"websocket-latency"}


def test_a_stall_of_the_server_is_in_the_tail(program: Any) -> None:
    """300 ms at 100 a second: about 30 messages wait for the rest of it, which a client that waits would not send."""
    with server(stall_at=60) as url:
        _, result = program(url, "--trials", "1", "--messages", "100")

    samples = sorted(metric(result)["trials"][0]["samples"])
    assert sum(sample > 0.1 for sample in samples) >= 15
    assert samples[-1] > 0.25


def test_a_message_without_an_answer_counts_as_late(program: Any) -> None:
    with server(silent_at=60) as url:
        told, result = program(url, "--trials", "1", "--messages", "60")

    assert max(metric(result)["trials"][0]["samples"]) == 2.0
    assert any("1 of 60 messages got no answer" in warning for warning in result["warnings"])
    assert "no answer" in told.stdout


def test_pings_are_answered_by_the_protocol(program: Any) -> None:
    with server(silent_at=1) as url:
        _, result = program(url, "--trials", "1", "--messages", "30", "--mode", "ping")

    assert metric(result)["labels"]["mode"] == "ping"
    assert metric(result)["summary"]["count"] == 30
    assert max(metric(result)["trials"][0]["samples"]) < 2.0


def test_nobody_there_is_told_in_one_line(program: Any) -> None:
    told, _ = program("ws://127.0.0.1:9/")

    assert told.returncode == 6
    assert "nothing answers at ws://127.0.0.1:9/" in told.stderr
    assert "Traceback" not in told.stderr + told.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no URL is given"),
        (("http://127.0.0.1:1/",), "not a ws:// or wss:// address"),
        (("ws://127.0.0.1:1/", "--connections", "0"), "'0' is not from 1 to 200"),
        (("ws://127.0.0.1:1/", "--mode", "event"), "--mode event needs a --trigger"),
        (("ws://127.0.0.1:1/", "--trigger", "http://127.0.0.1:1/x"), "it has no {mark}"),
        (("ws://127.0.0.1:1/", "--mode", "ping", "--message", "x"), "--message is not for --mode ping"),
    ],
)
def test_wrong_input_is_one_line(program: Any, arguments: tuple[str, ...], words: str) -> None:
    told, _ = program(*arguments)

    assert told.returncode == 2
    assert words in told.stderr
    assert told.stderr.startswith("error: ")
