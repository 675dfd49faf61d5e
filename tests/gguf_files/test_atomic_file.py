"""Does a file appear whole or not at all, whatever happens while it is written?"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.atomic_file import is_leftover, whole_file


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_file_is_there_after_the_block_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    with whole_file(path, 3) as file:
        file.write(b"abc")
        assert not path.exists()
    assert path.read_bytes() == b"abc"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_nothing_is_left_after_an_interruption(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), whole_file(tmp_path / "model.gguf", 3) as file:
        file.write(b"ab")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole_file(path, 3):
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"


def test_a_lack_of_room_is_told_with_both_sizes_before_writing(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught, whole_file(tmp_path / "model.gguf", 2**60):
        pass
    assert "needs 1073741824 GiB" in caught.value.message
    assert "free" in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"), whole_file(tmp_path / "none" / "model.gguf", 3):
        pass


@pytest.mark.parametrize(("number", "told"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "could not be written")])
def test_an_error_of_the_disk_is_told(tmp_path: Path, number: int, told: str) -> None:
    with pytest.raises(InputError, match=told), whole_file(tmp_path / "model.gguf", 3):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    (tmp_path / f".model.gguf.{dead_process()}.partial").write_bytes(b"half")
    with whole_file(path, 3) as file:
        file.write(b"abc")
    assert list(tmp_path.iterdir()) == [path]


def test_only_the_unfinished_file_of_a_dead_process_is_a_leftover(tmp_path: Path) -> None:
    assert is_leftover(tmp_path / f".model.gguf.{dead_process()}.partial")
    assert not is_leftover(tmp_path / f".model.gguf.{os.getpid()}.partial")
    assert not is_leftover(tmp_path / "model.gguf")
    assert not is_leftover(tmp_path / ".notes.partial")
