"""How fast can this machine read memory, take a page fault, and get from Python into FAISS and back?

The three floors under a query: no index answers faster than it reads its bytes, and none faster than a call takes.
"""

from __future__ import annotations

import mmap
import time

import numpy as np

SMALLEST = 1 << 20
LARGEST = 256 << 20
_READING_S = 0.05
_CALLS = 200
_TOUCHED = 16 << 20


def read_bandwidth(working_set_bytes: int) -> float:
    """Bytes a second of a plain loop over so much memory, on one thread; the best of several passes."""
    words = np.ones(min(max(working_set_bytes, SMALLEST), LARGEST) // 8, dtype=np.int64)
    best_s = np.inf
    ends_s = time.perf_counter() + _READING_S
    passes = 0
    while passes < 3 or time.perf_counter() < ends_s:
        before_ns = time.perf_counter_ns()
        np.bitwise_or.reduce(words)
        best_s = min(best_s, (time.perf_counter_ns() - before_ns) * 1e-9)
        passes += 1
    return float(words.nbytes / best_s)


def call_s(dimension: int) -> float:
    """Seconds of a search among one vector, which is all call and no search."""
    import faiss

    faiss.omp_set_num_threads(1)
    query = np.ones((1, dimension), dtype=np.float32)
    index = faiss.IndexFlat(dimension)
    index.add(query)
    taken = []
    for _ in range(_CALLS):
        before_ns = time.perf_counter_ns()
        index.search(query, 1)
        taken.append(time.perf_counter_ns() - before_ns)
    return float(np.median(taken)) * 1e-9


def fault_s() -> float:
    """Seconds of the first touch of a page of memory."""
    page = mmap.PAGESIZE
    with mmap.mmap(-1, _TOUCHED) as memory:
        before_ns = time.perf_counter_ns()
        for offset in range(0, _TOUCHED, page):
            memory[offset] = 1
        return (time.perf_counter_ns() - before_ns) * 1e-9 / (_TOUCHED // page)
