"""Is the memory's bandwidth what NumPy reaches, which reads the same array with code of its own?"""

from __future__ import annotations

import ctypes
import mmap
import time
from collections.abc import Callable

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.benchmarks.memory_bandwidth import HELD, Readers
from tests.bench.pairs import paired_ratio

SIZE = 256 << 20
AGREEING = (0.8, 1.25)  # two loops that both read as fast as they can


def test_one_thread_reads_as_fast_as_a_sum_in_numpy(benchmark: BenchmarkFixture) -> None:
    array = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(array))
    ctypes.memset(address, HELD, SIZE)
    readers = Readers(address, SIZE, 1)
    numbers = np.frombuffer(array, dtype=np.int64)
    benchmark.pedantic(readers.pass_s, rounds=9, warmup_rounds=1)

    ratio = paired_ratio(readers.pass_s, _seconds(numbers.sum), most=60)
    print(f"\nmemchr over a sum in NumPy, {SIZE >> 20} MiB: {ratio}")  # noqa: T201
    assert AGREEING[0] < ratio.median < AGREEING[1]


def _seconds(work: Callable[[], object]) -> Callable[[], float]:
    def timed() -> float:
        started_ns = time.perf_counter_ns()
        work()
        return (time.perf_counter_ns() - started_ns) * 1e-9

    return timed
