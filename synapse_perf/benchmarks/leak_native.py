"""After which line of the user's code does compiled code hold more than before? Asked of the C heap, line by line.

tracemalloc knows nothing of memory that compiled code allocates, but the heap's own counters do, and reading them takes
two microseconds. What a line allocates and a later one frees counts for both, so that over whole calls the line is
left whose growth is that of the leak.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from synapse_perf.benchmarks.leak_sites import Line, strangeness, told
from synapse_perf.host.leak_probes import foreign_allocator

NAMED = 5  # lines that are told
MOST_LINES = 200_000  # of one call: more would take seconds for nothing


def native_lines(call: Callable[[], object], count: int, budget_s: float) -> dict[str, float]:
    """Growth of the C heap for one call by line, the largest first; empty where nothing tells of the heap."""
    import psutil

    heap_info: Any = getattr(psutil, "heap_info", None)
    if heap_info is None or foreign_allocator():
        return {}

    def held_bytes() -> float:
        now = heap_info()
        return float(now.heap_used + now.mmap_used)

    by_line = _HeapByLine(held_bytes, time.perf_counter_ns() + int(budget_s * 1e9))
    for _ in range(count):
        by_line.over(call)
    return by_line.told(count)


class _HeapByLine:
    """Counts while it is on; only in the thread that turns it on."""

    def __init__(self, heap: Callable[[], float], deadline_ns: int) -> None:
        self._heap = heap
        self._deadline_ns = deadline_ns
        self._grown: dict[Line, float] = {}
        self._line: Line | None = None
        self._before = 0.0
        self._left = MOST_LINES

    def over(self, call: Callable[[], object]) -> None:
        """One call, with the heap read after each of the user's lines until it takes too long."""
        self._line, self._left = None, MOST_LINES
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            call()
        finally:
            sys.settrace(before)
            self._close()

    def told(self, calls: int) -> dict[str, float]:
        """Growth for one call, the largest first."""
        ranked = sorted(self._grown.items(), key=lambda pair: -pair[1])
        return {told(line): grown / calls for line, grown in ranked[:NAMED] if grown > 0}

    def _enter(self, frame: FrameType, event: str, given: Any) -> Callable[..., Any] | None:
        del event, given
        if strangeness(frame.f_code.co_filename) > 1:
            return None
        return self._step

    def _step(self, frame: FrameType, event: str, given: Any) -> Callable[..., Any] | None:
        del given
        self._left -= 1
        if self._left < 0 or time.perf_counter_ns() > self._deadline_ns:
            sys.settrace(None)
            return None
        self._close()
        if event == "return":
            caller = frame.f_back
            is_users = caller is not None and strangeness(caller.f_code.co_filename) <= 1
            self._line = (caller.f_code.co_filename, caller.f_lineno) if caller is not None and is_users else None
        else:
            self._line = (frame.f_code.co_filename, frame.f_lineno)
        self._before = self._heap()
        return self._step

    def _close(self) -> None:
        """Count what has grown since the last event for the line that ran."""
        if self._line is not None:
            self._grown[self._line] = self._grown.get(self._line, 0.0) + self._heap() - self._before
