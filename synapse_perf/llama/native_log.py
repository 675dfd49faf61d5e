"""What llama.cpp says while it loads, each line with its moment and what the process had used by then."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from typing import Any, ClassVar

LEVEL_DEBUG = 1
LEVEL_ERROR = 4
SHOWN_VARIABLE = "SYNAPSE_PERF_LLAMA_LOG"  # set: each line goes to stderr too, where it outlives a crash


class NativeLog:
    """Collects the fragments of llama.cpp's log.

    llama.cpp's callback runs on the loading thread, within what is measured: it only appends. Debug lines are dropped
    before they cost anything (a context prints thousands). Where a line is one of `marks`, a snapshot of the process's
    counters is taken as well, for the accounting of phases.
    """

    _callbacks: ClassVar[list[Any]] = []  # llama.cpp may call the one that it was given last until the process ends

    def __init__(self, marks: tuple[bytes, ...] = (), snapshot: Callable[[], Any] | None = None) -> None:
        self.marks = marks
        self.snapshot = snapshot
        self.fragments: list[tuple[int, int, bytes]] = []  # stamp in ns, level, text
        self.snapshots: list[tuple[int, Any]] = []

    def install(self, llama_cpp: Any) -> None:
        """Take over the one global sink; llama-cpp-python's own drops llama.cpp's errors unless it is verbose."""
        # Bound once: attribute look-ups would be paid on every line.
        write, is_shown = os.write, bool(os.environ.get(SHOWN_VARIABLE))
        append, clock, marks, snapshot, note = (
            self.fragments.append,
            time.perf_counter_ns,
            self.marks,
            self.snapshot,
            self.snapshots.append,
        )

        def receive(level: int, text: bytes, _user_data: object) -> None:
            if level == LEVEL_DEBUG:
                return
            moment = clock()
            append((moment, level, text))
            if level == LEVEL_ERROR or is_shown:
                write(2, text)  # the last words of a process that llama.cpp is about to take down
            if snapshot is not None and any(mark in text for mark in marks):
                note((moment, snapshot()))

        callback = llama_cpp.llama_log_callback(receive)
        llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
        self._callbacks.append(callback)

    def look(self) -> None:
        """Take a snapshot of the counters at a moment that no line marks."""
        if self.snapshot is not None:
            self.snapshots.append((time.perf_counter_ns(), self.snapshot()))

    def texts(self, first: int = 0) -> list[tuple[int, int, str]]:
        """The fragments from `first` on, decoded: (stamp in ns, level, text)."""
        return [(stamp, level, text.decode("utf-8", "replace")) for stamp, level, text in self.fragments[first:]]

    def errors(self, first: int = 0) -> list[str]:
        """llama.cpp's own words at error level from the fragment `first` on, in order."""
        return [text.strip() for _, level, text in self.texts(first) if level == LEVEL_ERROR and text.strip()]
