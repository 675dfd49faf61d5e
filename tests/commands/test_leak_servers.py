"""leak-hunt servers from the command line: real servers, planted ones, wrong input, and nothing is left behind."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.test_leak_servers import SCRIPT, running
from tests.faults.program import Told, run, started
from tests.llama.small_models import Shape, write_model
from tests.outside.fake_servers import free_port


def command(how: str, port: int) -> str:
    return f"{sys.executable} -I -S {SCRIPT} {how} --port {port}"


def hunt(how: str, *arguments: str, max_time: str = "1s") -> Told:
    given = ("--server", command(how, free_port()), "--max-time", max_time, *arguments)
    return run("leak-hunt", "servers", *given)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert running() == []


def test_what_a_server_leaves_is_a_leak_at_once_with_its_name() -> None:
    told = hunt("leaves_a_child", "--stop", "kill")

    assert told.code == 1, told.err
    assert told.out.startswith("LEAK: ")
    text = " ".join(told.out.split())
    assert "processes left +1.00 per switch" in text
    assert "left after 1 of 1 stops by SIGKILL: pid " in text
    assert "server-leaves-processes" in text


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("servers", "--server", "no-such-server -m x"), "--server: there is no program 'no-such-server'"),
        (("servers", "--server", "cat |"), "--server: '|' is for a shell, and none reads the command"),
        (("servers", "--server", "cat --port 99999"), "--server: --port 99999 is no port"),
        (("servers", "--stop", "burn"), "--stop burn: 'burn' is not known"),
        (("servers", "--ready-url", "http://127.0.0.1:1/"), "--ready-url: without --server there is no server of"),
        (("servers", "--server", "cat", "--ready-timeout", "soon"), "soon"),
        (("model-switch", "--server", "cat"), "--server and what goes with it: no server is hunted"),
    ],
)
def test_what_cannot_be_started_is_wrong_input(arguments: tuple[str, ...], message: str) -> None:
    told = run("leak-hunt", *arguments)

    assert told.code == 2
    assert message in told.errors[-1].splitlines()[0]


def test_a_port_that_somebody_has_is_wrong_input() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = run("leak-hunt", "servers", "--server", command("ends_well", listener.getsockname()[1]))

    assert told.code == 2
    assert "something already listens at" in told.errors[-1].splitlines()[0]


@pytest.mark.parametrize(
    ("how", "timeout", "message"),
    [
        ("ends_at_once", "60s", "ended with status 3 before it was ready: cannot listen at"),
        ("never_listens", "1s", "not ready after 1 s: nothing listens there"),
    ],
)
def test_a_server_that_does_not_come_up_fails_in_one_line(how: str, timeout: str, message: str) -> None:
    told = hunt(how, "--ready-timeout", timeout, max_time="20s")

    assert told.code == 6
    assert message in told.errors[-1].splitlines()[0]
    assert "--ready-timeout" in told.errors[-1] or "by hand" in told.errors[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_run_ends_in_its_middle(number: signal.Signals) -> None:
    """Also not what had made itself a daemon."""
    arguments = ("--server", command("leaves_a_daemon", free_port()), "--max-time", "60s")
    with started("leak-hunt", "servers", *arguments) as hunting:
        hunting.wait_for(lambda: any("time.sleep" in text for text in running()))
        hunting.send(number)
        told = hunting.end()

    assert told.code == (130 if number == signal.SIGINT else -9)


def test_without_a_name_both_are_hunted(tmp_path: Path) -> None:
    told = run("leak-hunt", "--dry-run", "-m", write_model(tmp_path / "tiny.gguf", Shape()))

    assert told.code == 0
    assert all(name in told.out for name in ("model-switch", "model-switch, del", "model-switch, cycle", "servers"))
