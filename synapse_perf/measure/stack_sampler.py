"""Samples the Python stacks of this very process, where py-spy may not attach: it needs no permission."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from types import FrameType

INTERVAL_S = 0.005


class StackSampler:
    """Counts the stacks of the thread that started it until it is stopped.

    Time inside a native call counts for the Python line that made it, as long as that call releases the GIL.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._watched = threading.get_ident()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> list[str]:
        """Collapsed stacks, one "outer;inner count" a line."""
        self._stop.set()
        self._thread.join()
        return [f"{stack} {count}" for stack, count in sorted(self._counts.items())]

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            frame = sys._current_frames().get(self._watched)
            if frame is not None:
                self._counts[_collapse(frame)] += 1


def _collapse(innermost: FrameType) -> str:
    names: list[str] = []
    frame: FrameType | None = innermost
    while frame is not None:
        file = frame.f_code.co_filename.rpartition("/")[2]
        names.append(f"{frame.f_code.co_qualname} ({file}:{frame.f_lineno})")
        frame = frame.f_back
    return ";".join(reversed(names))
