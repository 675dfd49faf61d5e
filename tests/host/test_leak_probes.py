"""What the probes of a leak hunt count, on real memory and real processes."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from synapse_perf.host.leak_probes import own_probes, shared_bytes

MIB = 1024**2
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def shared() -> float:
    found = shared_bytes(os.getpid())
    assert found is not None
    return found


@LINUX
def test_memory_that_is_mapped_as_shared_is_counted_with_and_without_a_name() -> None:
    before = shared()
    with mmap.mmap(-1, MIB):
        assert shared() - before == MIB
    named = SharedMemory(create=True, size=2 * MIB)
    assert shared() - before == 2 * MIB
    named.close()
    named.unlink()
    assert shared() == before


@LINUX
def test_private_memory_and_files_are_not_shared_memory(tmp_path: Path) -> None:
    before = shared()
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.truncate(MIB)
        with mmap.mmap(file.fileno(), MIB), mmap.mmap(-1, MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
            assert shared() == before


COUNT_ORPHANS = """
import os, signal, subprocess, time
from synapse_perf.host.leak_probes import orphans
print(len(orphans(os.getpid())))
child = subprocess.Popen(["sleep", "60"])
print(len(orphans(os.getpid())))
told = subprocess.run("sleep 60 </dev/null >/dev/null 2>&1 & echo $!", shell=True, check=True, capture_output=True)
print(len(orphans(os.getpid())))
os.kill(int(told.stdout), signal.SIGKILL)
while orphans(os.getpid()):
    time.sleep(0.01)
child.kill()
print(0)
"""


def test_a_process_whose_parent_has_ended_is_an_orphan_while_it_lives() -> None:
    told = subprocess.run(
        [sys.executable, "-c", COUNT_ORPHANS], start_new_session=True, capture_output=True, text=True, timeout=60
    )

    assert told.stdout.split() == ["0", "0", "1", "0"], told.stderr


def test_a_process_without_a_session_of_its_own_cannot_tell_orphans() -> None:
    code = "from synapse_perf.host.leak_probes import own_probes; print(*own_probes().untold)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert "orphaned_children" in told.stdout


def test_each_probe_has_a_name_of_its_own() -> None:
    names = [probe.name for probe in own_probes().probes]

    assert len(names) == len(set(names))
