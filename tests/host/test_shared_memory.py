"""Memory that is shared, or could be, is counted with and without a name, and once for a family of processes."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from synapse_perf.host.shared_memory import shared_bytes, shared_bytes_of

MIB = 1024**2
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
FAMILY = f"""
import mmap, os, sys
shared = mmap.mmap(-1, {MIB})
child = os.fork()
if child == 0:
    own = mmap.mmap(-1, {4 * MIB})
    print(os.getpid(), flush=True)
sys.stdin.read()
"""


def shared() -> float:
    found = shared_bytes(os.getpid())
    assert found is not None
    return found


def test_memory_that_is_mapped_as_shared_is_counted_with_and_without_a_name() -> None:
    before = shared()
    with mmap.mmap(-1, MIB):
        assert shared() - before == MIB
    named = SharedMemory(create=True, size=2 * MIB)
    assert shared() - before == 2 * MIB
    named.close()
    named.unlink()
    assert shared() == before


def test_private_memory_and_files_are_not_shared_memory(tmp_path: Path) -> None:
    before = shared()
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.truncate(MIB)
        with mmap.mmap(file.fileno(), MIB), mmap.mmap(-1, MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
            assert shared() == before


def test_what_a_child_shares_with_its_parent_counts_once() -> None:
    command = [sys.executable, "-c", FAMILY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        alone = [shared_bytes(pid) for pid in (parent.pid, child)]
        together = shared_bytes_of([parent.pid, child])

    assert alone == [MIB, 5 * MIB]
    assert together == 5 * MIB
    assert shared_bytes_of([child]) == 0  # it has ended
