from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf.host.process_memory import Memory, memory_split, parse_status

MEGABYTE = 1 << 20
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the split is Linux's")

STATUS = b"""Name:\tpython
VmPeak:\t 5000000 kB
VmHWM:\t  262144 kB
VmRSS:\t  204800 kB
RssAnon:\t  102400 kB
RssFile:\t  102396 kB
RssShmem:\t       4 kB
Threads:\t3
"""


def test_status_is_read_in_bytes() -> None:
    assert parse_status(STATUS) == Memory(
        rss=200 * MEGABYTE,
        anonymous=100 * MEGABYTE,
        file_mapped=102396 * 1024,
        shared=4096,
        peak_rss=256 * MEGABYTE,
        peak_anonymous=None,
    )


def test_a_kernel_without_the_split_gives_unknown_not_zero() -> None:
    memory = parse_status(b"VmRSS:\t 1 kB\n")
    assert (memory.rss, memory.anonymous, memory.file_mapped, memory.peak_rss) == (1024, None, None, None)


@linux_only
def test_memory_of_ones_own_is_anonymous() -> None:
    before = memory_split()
    with mmap.mmap(-1, 32 * MEGABYTE, flags=mmap.MAP_PRIVATE) as memory:
        for offset in range(0, len(memory), mmap.PAGESIZE):
            memory[offset] = 1
        after = memory_split()
    assert before.anonymous is not None
    assert after.anonymous is not None
    assert after.anonymous - before.anonymous == pytest.approx(32 * MEGABYTE, abs=2 * MEGABYTE)


@linux_only
def test_a_mapped_file_is_file_mapped(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(os.urandom(MEGABYTE) * 32)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        before = memory_split()
        assert sum(memory[:: mmap.PAGESIZE]) >= 0
        after = memory_split()
    assert before.file_mapped is not None
    assert after.file_mapped is not None
    assert after.file_mapped - before.file_mapped == pytest.approx(32 * MEGABYTE, abs=2 * MEGABYTE)


def test_the_peak_is_not_below_the_present() -> None:
    memory = memory_split()
    assert memory.rss is not None
    assert memory.peak_rss is not None
    assert memory.peak_rss >= memory.rss


def test_another_process_can_be_asked() -> None:
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        memory = memory_split(child.pid)
        child.communicate()
    assert memory.rss is not None
    assert memory.rss > MEGABYTE


def test_a_process_that_is_gone_is_unknown() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert memory_split(child.pid) == Memory(None, None, None, None, None, None)
