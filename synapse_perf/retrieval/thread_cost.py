"""How many OpenMP threads does a search get where it is called, and does it pay for them?"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from synapse_perf.samples import Json

PAIRS = 15
WARM_UPS = 3
PATIENCE_S = 3.0
PAIRS_AT_LEAST = 7


def thread_cost(search: Callable[[Any], Any], rows: Sequence[Any], asked_for: int) -> dict[str, Json]:
    """Threads by default, as set here, and as another thread sees it; the time of a search with one and with all.

    `asked_for` is what the retrieval sets (0: nothing). The setting holds for the thread that makes it, no other.
    """
    import faiss

    default = faiss.omp_get_max_threads()
    here = asked_for or default
    faiss.omp_set_num_threads(here)
    elsewhere = _in_another_thread(faiss.omp_get_max_threads)
    facts: dict[str, Json] = {"default": default, "here": here, "elsewhere": elsewhere}
    if elsewhere > 1:
        facts |= _compared(search, rows, elsewhere)
    faiss.omp_set_num_threads(here)
    return facts


def _in_another_thread(call: Callable[[], int]) -> int:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(call()))
    thread.start()
    thread.join()
    return seen[0]


def _compared(search: Callable[[Any], Any], rows: Sequence[Any], many: int) -> dict[str, Json]:
    """The same queries with one thread and with many, in turn, the first of a pair in turn as well."""
    import faiss

    def timed(threads: int, row: Any) -> float:
        faiss.omp_set_num_threads(threads)
        started = time.perf_counter()
        search(row)
        return time.perf_counter() - started

    for number in range(WARM_UPS):
        timed(1, rows[number % len(rows)])
        timed(many, rows[number % len(rows)])
    pairs: list[dict[int, float]] = []
    began = time.perf_counter()
    while len(pairs) < PAIRS and (len(pairs) < PAIRS_AT_LEAST or time.perf_counter() - began < PATIENCE_S):
        row, order = rows[len(pairs) % len(rows)], (1, many) if len(pairs) % 2 else (many, 1)
        pairs.append({threads: timed(threads, row) for threads in order})
    return {
        "one_s": statistics.median(pair[1] for pair in pairs),
        "all_s": statistics.median(pair[many] for pair in pairs),
        "pairs": len(pairs),
        "slower_pairs": sum(pair[many] > pair[1] for pair in pairs),
    }
