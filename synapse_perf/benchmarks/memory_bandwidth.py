"""How many bytes of main memory can be read in a second, by as many threads as the model uses?

Each thread runs libc's memchr over its own part of an array that is much larger than the last-level cache and holds no
byte that is searched for, so that every byte is read and none is written. A pass is timed from the first thread's start
to the last one's end. The array is anonymous memory that was written before, and one pass is not counted.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
import time
from collections.abc import Iterator
from typing import Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {
    # A property of the machine: it is no regression of what was measured.
    "memory_bandwidth": MetricDefinition("memory_bandwidth", "B/s", "none", "main memory read per second"),
}
HELD, SEARCHED = 1, 0  # what each byte is, and what memchr never finds


def measure(context: Context) -> Iterator[Sample]:
    """Bytes per second of one pass after the other."""
    threads, size = context.workload["threads"], context.workload["bytes"]
    context.stage(f"reading memory with {threads} thread{'s' if threads > 1 else ''}")
    try:
        array = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise BenchmarkFailed("out-of-memory", f"no {size} bytes for the array", "close other programs") from error
    address = ctypes.addressof(ctypes.c_char.from_buffer(array))
    ctypes.memset(address, HELD, size)
    readers = Readers(address, size, threads)
    readers.pass_s()
    while True:
        yield Sample((Measurement("memory_bandwidth", size / readers.pass_s()),))


class Readers:
    """Threads that read their part of an array each, all at the same time."""

    def __init__(self, address: int, size: int, threads: int) -> None:
        self._memchr: Any = ctypes.CDLL(None).memchr  # releases the interpreter's lock while it reads
        self._memchr.restype = ctypes.c_void_p
        self._memchr.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
        self._gate = threading.Barrier(threads + 1)
        self._spans: list[tuple[int, int]] = [(0, 0)] * threads
        edges = [size * place // threads for place in range(threads + 1)]
        for place in range(threads):
            part = (place, address + edges[place], edges[place + 1] - edges[place])
            threading.Thread(target=self._read, args=part, daemon=True).start()

    def pass_s(self) -> float:
        """Seconds of one pass over the whole array."""
        self._gate.wait()
        self._gate.wait()
        return (max(end for _, end in self._spans) - min(start for start, _ in self._spans)) * 1e-9

    def _read(self, place: int, address: int, length: int) -> None:
        while True:
            self._gate.wait()
            started_ns = time.perf_counter_ns()
            found = self._memchr(address, SEARCHED, length)
            self._spans[place] = (started_ns, time.perf_counter_ns())
            assert found is None
            self._gate.wait()
