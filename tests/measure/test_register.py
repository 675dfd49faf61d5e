"""What a worker could not end itself is ended by the register, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from synapse_perf.measure.register import Register

SLEEP = "import time; time.sleep(3600)"
LEADER = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', '{SLEEP}']).pid)"


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    register = Register(tmp_path)
    yield register
    register.end_all()


def spawn(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_is_left_ends_and_is_forgotten(register: Register) -> None:
    with spawn(SLEEP) as child:
        register.add(child.pid)

        register.end_left()

        assert child.wait(30) == -signal.SIGKILL
        register.end_left()  # nothing to do any more


def test_what_was_told_to_have_ended_is_let_alone(register: Register) -> None:
    with spawn(SLEEP) as child:
        register.add(child.pid)
        register.remove(child.pid)

        register.end_left()

        assert child.poll() is None
        child.kill()


def test_a_group_ends_also_when_its_leader_is_gone(register: Register) -> None:
    with spawn(f"{LEADER}\nimport sys; sys.stdin.read()") as leader:
        assert leader.stdout is not None
        member = int(leader.stdout.readline())
        register.add(leader.pid)
        os.kill(leader.pid, signal.SIGKILL)
        leader.wait()
        assert is_running(member)

        register.end_left()

        deadline_s = time.monotonic() + 30
        while is_running(member) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert not is_running(member)
