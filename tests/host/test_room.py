from __future__ import annotations

import resource
from pathlib import Path

import pytest

from synapse_perf.host import room
from synapse_perf.units import MIB


def test_swap_that_does_not_move_is_no_warning() -> None:
    assert room.swap(0).state == "ok"


def test_swap_that_moves_is() -> None:
    line = room.swap(8 * MIB)
    assert line.state == "warning"
    assert "8.00 MiB moved just now" in line.what


def test_memory_is_told() -> None:
    assert "available of" in room.memory().what


def test_a_folder_that_is_not_there_has_no_known_room(tmp_path: Path) -> None:
    assert room.disk("cache", tmp_path / "gone").state == "unknown"
    assert "free" in room.disk("cache", tmp_path).what


def test_folders_on_one_device_are_told_once(tmp_path: Path) -> None:
    found = room.by_device({"state": tmp_path, "cache": tmp_path / "not" / "yet"})
    assert found == {"state, cache": tmp_path}


def test_a_folder_on_another_device_is_told_apart(tmp_path: Path) -> None:
    assert list(room.by_device({"state": tmp_path, "models": Path("/proc")})) == ["state", "models"]


def test_a_privileged_process_may_lock_what_it_wants() -> None:
    assert room.may_lock_anything("Name:\tpython\nCapEff:\t000001ffffffffff\n")
    assert not room.may_lock_anything("CapEff:\t0000000000000000\n")
    assert not room.may_lock_anything("")


def test_a_low_limit_on_locked_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real limit is lowered for a moment; only the privilege of the tests' user is taken away."""
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    monkeypatch.setattr(room, "_status", lambda: "CapEff:\t0000000000000000\n")
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (8 * MIB if before[1] == -1 else min(8 * MIB, before[1]), before[1]))
    try:
        line = room.lockable()
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, before)
    assert line.state == "warning"
    assert "may be locked" in line.what
