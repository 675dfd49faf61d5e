from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from synapse_perf.host.counters import Counters, Usage, difference, parse_io, parse_schedstat, snapshot
from synapse_perf.host.file_systems import file_system, why_not_cold
from synapse_perf.host.page_cache import evict

SIZE = 8 << 20
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="these counters are Linux's")


def read_whole(path: Path) -> Usage:
    with path.open("rb", buffering=0) as file:
        start = snapshot()
        while file.read(1 << 20):
            pass
        return difference(start, snapshot())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    if why_not_cold(file_system(tmp_path)):
        pytest.skip("the temporary directory lies on a file system that cannot be evicted")
    path = tmp_path / "data"
    path.write_bytes(os.urandom(SIZE))
    return path


@linux_only
def test_a_cold_read_comes_from_the_device(data: Path) -> None:
    evict([data])
    usage = read_whole(data)
    assert usage.read_bytes is not None
    assert usage.read_bytes >= SIZE


@linux_only
def test_a_warm_read_takes_nothing_from_the_device(data: Path) -> None:
    read_whole(data)
    assert read_whole(data).read_bytes == 0


@linux_only
def test_a_read_is_counted_in_characters_whether_cold_or_warm(data: Path) -> None:
    usage = read_whole(data)
    assert usage.read_chars is not None
    assert SIZE <= usage.read_chars < SIZE + 4096  # the snapshots read a little themselves


def test_each_page_that_is_touched_for_the_first_time_is_a_minor_fault() -> None:
    pages = 500
    with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            memory.madvise(mmap.MADV_NOHUGEPAGE)
        start = snapshot()
        for offset in range(0, len(memory), mmap.PAGESIZE):
            memory[offset] = 1
        usage = difference(start, snapshot())
    assert pages <= usage.minor_faults < pages + 100


def test_a_loop_is_on_the_cpu() -> None:
    start = snapshot()
    total = 0
    while difference(start, snapshot()).on_cpu_s < 0.02:
        total += 1
    usage = difference(start, snapshot())
    assert usage.wall_s >= usage.on_cpu_s >= 0.02
    assert usage.process_cpu_s > 0


@linux_only
def test_waiting_for_another_process_is_blocked_not_on_the_cpu() -> None:
    start = snapshot()
    subprocess.run([sys.executable, "-I", "-S", "-c", "sum(range(3_000_000))"], check=True)
    usage = difference(start, snapshot())
    assert usage.blocked_s is not None
    assert usage.blocked_s > usage.on_cpu_s
    assert usage.voluntary_switches >= 1


@linux_only
def test_the_split_of_the_time_leaves_nothing_over() -> None:
    start = snapshot()
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
    usage = difference(start, snapshot())
    assert usage.run_queue_s is not None
    assert usage.blocked_s is not None
    assert usage.on_cpu_s + usage.run_queue_s + usage.blocked_s == pytest.approx(usage.wall_s)


def test_each_thread_sees_its_own_cpu_time() -> None:
    seen: list[Counters] = []
    sum(range(300_000))
    thread = threading.Thread(target=lambda: seen.append(snapshot()))
    thread.start()
    thread.join()
    assert seen[0].thread_cpu_s < snapshot().thread_cpu_s


def test_blocked_time_is_never_negative() -> None:
    start = Counters(0, 1.0, 1.0, 0.0, 1.0, 2.0, 0, 0, 0, 0, 0, 0)
    end = Counters(1_000_000_000, 1.9, 1.9, 0.0, 1.9, 2.3, 5, 1, 7, 8, 2, 3)
    assert difference(start, end).blocked_s == 0.0


def test_what_the_platform_does_not_count_stays_unknown() -> None:
    start = Counters(0, 1.0, None, None, 1.0, None, 0, 0, None, None, 0, 0)
    end = Counters(1_000_000_000, 1.5, None, None, 1.5, None, 0, 0, None, None, 0, 0)
    usage = difference(start, end)
    unknown = (usage.user_s, usage.system_s, usage.run_queue_s, usage.blocked_s, usage.read_bytes, usage.read_chars)
    assert unknown == (None,) * 6
    assert usage.on_cpu_s == 0.5


def test_schedstat_gives_the_wait_in_seconds() -> None:
    assert parse_schedstat(b"1510000000 48842000 17\n") == pytest.approx(0.048842)
    assert parse_schedstat(b"0\n") is None


def test_io_gives_bytes_from_the_device_and_characters() -> None:
    text = b"rchar: 6976\nwchar: 0\nsyscr: 10\nsyscw: 0\nread_bytes: 4096\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"
    assert parse_io(text) == (4096, 6976)
    assert parse_io(b"") == (None, None)


def test_the_import_is_light() -> None:
    """The worker imports it before anything is timed."""
    program = (
        "import sys, synapse_perf.host.counters; print(*({'psutil', 'ctypes', 'numpy', 'statistics'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
