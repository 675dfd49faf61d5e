"""Every process of a server is found, whether this process adopts orphans or only a variable tells whose they are."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from synapse_perf.outside import server_family
from synapse_perf.outside.server_family import ServerFamily, free_port, listened_at, still_listened_at

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "leaky_server.py"
PATIENCE_S = 30.0
Start = Callable[[str], ServerFamily]


@pytest.fixture
def start() -> Iterator[Start]:
    """A family whose processes carry a variable, as where no orphan can be adopted."""
    families: list[tuple[ServerFamily, subprocess.Popen[bytes]]] = []

    def start(how: str) -> ServerFamily:
        family, port = ServerFamily(adopts=False), free_port()
        words = [sys.executable, "-I", "-S", str(SCRIPT), how, "--port", str(port)]
        process = subprocess.Popen(words, env={**os.environ, **family.env}, start_new_session=True)
        families.append((family, process))
        family.started(process)
        wait_for(lambda: bool(listened_at(family.look())))
        return family

    yield start
    for family, process in families:
        family.end()
        assert process.wait() is not None
        assert family.left().is_nothing  # a zombie of another parent is that one's to wait for


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_daemon_is_known_by_the_variable_that_it_inherited(start: Start) -> None:
    members = start("leaves_a_daemon").look()

    assert len(members) == 2
    assert len({os.getsid(one.pid) for one in members}) == 2


def test_what_is_left_is_told_and_ended(start: Start) -> None:
    family = start("leaves_a_child")
    (leader,) = (one for one in family.look() if one.ppid() == os.getpid())
    leader.kill()

    left = family.wait_gone([], 1.0)

    assert [one.pid != leader.pid for one in left.orphans] == [True]
    assert left.zombies == []


def test_nobody_else_is_of_the_family(start: Start) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        members = start("ends_well").look()

        assert stranger.pid not in {one.pid for one in members}
        assert os.getpid() not in {one.pid for one in members}


def test_a_number_that_was_given_again_is_not_signalled(start: Start) -> None:
    """As psutil knows it: the process that was seen has ended, so there is nobody to end."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        seen = psutil.Process(ended.pid)
        ended.wait()
        server_family._signal(seen, signal.SIGTERM)

    assert not seen.is_running()


@pytest.mark.parametrize("tells", [True, False])
def test_a_port_is_seen_to_be_listened_at(tells: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the system's tables, or by a connection where there are none."""
    if not tells:
        monkeypatch.setattr(server_family, "_listening_ports", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = ("127.0.0.1", int(listener.getsockname()[1]))
        assert still_listened_at([address]) == [address]
        assert listened_at([psutil.Process()])[address].pid == os.getpid()

    assert still_listened_at([address]) == []


def test_one_that_listens_everywhere_is_reached_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_family, "_listening_ports", lambda: None)
    with socket.create_server(("0.0.0.0", 0)) as listener:
        address = ("0.0.0.0", int(listener.getsockname()[1]))

        assert still_listened_at([address]) == [address]
