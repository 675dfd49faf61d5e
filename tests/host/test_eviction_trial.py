from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.host.eviction_trial import eviction, try_both
from synapse_perf.host.file_systems import file_system, why_not_cold


def test_a_local_folder_is_proven_and_left_as_it_was(tmp_path: Path) -> None:
    if why_not_cold(file_system(tmp_path)):
        pytest.skip("the temporary directory lies on a file system that cannot be evicted")
    line = eviction("state", tmp_path)
    assert line.state == "ok"
    assert line.what.startswith("state (")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_memory_is_a_warning() -> None:
    if file_system("/dev/shm") != "tmpfs":
        pytest.skip("no memory file system here")
    line = eviction("models", Path("/dev/shm"))
    assert (line.state, line.spoils) == ("warning", ("load", "retrieval"))
    assert "there is no device to read it from" in line.what


def test_a_folder_that_takes_no_file_is_unknown(tmp_path: Path) -> None:
    line = eviction("models", tmp_path / "gone")
    assert line.state == "unknown"
    assert "no test file can be written (No such file or directory)" in line.what


def test_both_states_are_tried(tmp_path: Path) -> None:
    assert [certificate.asked for certificate in try_both(tmp_path)] == ["cold", "warm"]
