"""What a benchmark may know and tell while it measures: its workload, the stamps of its start, stages, its processes.

Plain classes: a dataclass costs half a millisecond to define, and this is defined within the starts that are measured.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from synapse_perf.samples import FailureKind, Json

ASKED_NS = 2_000_000_000  # how long children that are asked to end may take before they are made to
# A moment: the clock, and the main thread's time on a processor and in the run queue until then (None: not counted).
Look: TypeAlias = tuple[int, int, int | None]


class BenchmarkFailed(Exception):  # noqa: N818  # it says what happened, as KeyboardInterrupt does
    """A benchmark cannot go on; carries what the user will read, which becomes a Failure in the parent."""

    def __init__(self, kind: FailureKind, message: str, remedy: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.failure = {"kind": kind, "message": message, "remedy": remedy, "detail": detail}


class Context:
    """Handed to a benchmark's measure(); all stamps are on the machine-wide monotonic clock, in ns.

    spawned_ns: the parent, right before it started this process; started_ns: the first statement that ran in it;
    first_import: around the import that had to come first; facts: filled by the benchmark, about the whole process.
    """

    def __init__(
        self,
        workload: Mapping[str, Json],
        spawned_ns: int,
        started_ns: int,
        first_import: tuple[Look, Look],
        send: Callable[..., None],
    ) -> None:
        self.workload = workload
        self.spawned_ns = spawned_ns
        self.started_ns = started_ns
        self.first_import = first_import
        self.facts: dict[str, Json] = {}
        self._send = send
        self._processes: set[int] = set()
        self._at_end: list[Callable[[], None]] = []

    def stage(self, text: str) -> None:
        """Tell the progress display what happens now."""
        self._send("stage", text=text)

    def process_started(self, pid: int) -> None:
        """Promise that this child (the leader of its own process group) ends with the worker."""
        self._processes.add(pid)
        self._send("started", pid=pid)

    def process_ended(self, pid: int) -> None:
        """A child has been waited for."""
        self._processes.discard(pid)
        self._send("ended", pid=pid)

    def at_end(self, action: Callable[[], None]) -> None:
        """Also to be done when the worker ends, whatever ends it."""
        self._at_end.append(action)

    def end_processes(self) -> None:
        """End every child that is still registered, and wait for it: a worker leaves no zombie either.

        Each is asked first, as one that stands for something elsewhere, such as a container, ends that as well.
        """
        left = set(self._processes)
        _signal_groups(left, signal.SIGTERM)
        deadline_ns = time.perf_counter_ns() + ASKED_NS
        while (left := {pid for pid in left if _is_running(pid)}) and time.perf_counter_ns() < deadline_ns:
            time.sleep(0.01)
        _signal_groups(self._processes, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        for action in self._at_end:
            action()


def _signal_groups(leaders: set[int], number: signal.Signals) -> None:
    for pid in tuple(leaders):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def _is_running(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False
