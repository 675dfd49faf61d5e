"""However a gate is ended, at whatever it does, no process and no worktree is left, and one line says so."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from synapse_perf.results import state_directory
from tests.commands.made_repository import COMMAND, git, made_repository
from tests.commands.test_gate_against import counting, have_ended, started, two_sleepers, wait_for


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return made_repository(tmp_path / "project")


def nothing_is_left(repository: Path, processes: list[psutil.Process]) -> bool:
    worktrees = state_directory() / "worktrees"
    is_clean = not worktrees.exists() or not list(worktrees.iterdir())
    return is_clean and len(git(repository, "worktree", "list").splitlines()) == 1 and have_ended(processes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_while_a_side_is_set_up(repository: Path, tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    gate = started(repository, COMMAND, "--setup", f"echo x >> {log}; sleep 300 & sleep 300")
    wait_for(log, 1, gate)
    left = two_sleepers(gate)
    gate.send_signal(number)
    out, err = gate.communicate(timeout=60)
    assert (gate.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "error: interrupted"
    assert nothing_is_left(repository, left)


def test_a_second_ctrl_c_leaves_nothing_either(repository: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    gate = started(repository, counting(log, 8))
    wait_for(log, 8, gate)
    left = two_sleepers(gate)
    for _ in range(2):
        gate.send_signal(signal.SIGINT)
    _, err = gate.communicate(timeout=60)
    assert gate.returncode == 130
    assert "Traceback" not in err
    assert nothing_is_left(repository, left)
