"""What did the operating system do for this process, and this thread, between two moments?

Light to import and cheap to ask, as the worker stands between the phases that it times: standard library only, files of
/proc opened once, about 10 microseconds for a snapshot.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from typing import NamedTuple, TypeVar

from synapse_perf.clock import NANOSECONDS

_Number = TypeVar("_Number", int, float)
_RUSAGE_THREAD: int | None = getattr(resource, "RUSAGE_THREAD", None)


class Counters(NamedTuple):
    """Running totals at one moment; None where the platform does not count it.

    CPU time and run-queue wait are the calling thread's, except `process_cpu_s`; the rest is the whole process's.
    """

    at_ns: int
    thread_cpu_s: float
    thread_user_s: float | None
    thread_system_s: float | None
    process_cpu_s: float
    run_queue_s: float | None  # ready to run, but no processor was free
    minor_faults: int
    major_faults: int
    read_bytes: int | None  # from the device
    read_chars: int | None  # through read(), from the cache or the device; mapped pages are not in it
    voluntary_switches: int
    involuntary_switches: int


class Usage(NamedTuple):
    """What happened between two snapshots of one thread; None where the platform does not count it."""

    wall_s: float
    on_cpu_s: float
    user_s: float | None
    system_s: float | None
    process_cpu_s: float  # all threads together: above the wall time where several worked
    run_queue_s: float | None
    blocked_s: float | None  # neither running nor ready: waiting for the disk, a lock, another thread
    minor_faults: int
    major_faults: int
    read_bytes: int | None
    read_chars: int | None
    voluntary_switches: int
    involuntary_switches: int


class _ThreadFiles(threading.local):
    """Per thread, since /proc/thread-self means the thread that opened it."""

    def __init__(self) -> None:
        self.schedstat = _open("/proc/thread-self/schedstat")
        self.io = _open("/proc/self/io")

    def __del__(self) -> None:
        for descriptor in (self.schedstat, self.io):
            if descriptor is not None:
                os.close(descriptor)


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


_files = _ThreadFiles()


def snapshot() -> Counters:
    """The totals now; call it twice in one thread and hand both to `difference`."""
    at_ns = time.perf_counter_ns()
    process = resource.getrusage(resource.RUSAGE_SELF)
    thread = resource.getrusage(_RUSAGE_THREAD) if _RUSAGE_THREAD is not None else None
    read_bytes, read_chars = _read_totals()
    return Counters(
        at_ns=at_ns,
        thread_cpu_s=time.thread_time_ns() * NANOSECONDS,
        thread_user_s=thread.ru_utime if thread else None,
        thread_system_s=thread.ru_stime if thread else None,
        process_cpu_s=process.ru_utime + process.ru_stime,
        run_queue_s=_run_queue_s(),
        minor_faults=process.ru_minflt,
        major_faults=process.ru_majflt,
        read_bytes=read_bytes,
        read_chars=read_chars,
        voluntary_switches=process.ru_nvcsw,
        involuntary_switches=process.ru_nivcsw,
    )


def difference(start: Counters, end: Counters) -> Usage:
    """What happened from one snapshot to a later one.

    The split of wall time follows the scheduler's own accounting: blocked = wall - on CPU - run queue, not below 0.
    """
    wall_s = (end.at_ns - start.at_ns) * NANOSECONDS
    on_cpu_s = end.thread_cpu_s - start.thread_cpu_s
    run_queue_s = _minus(end.run_queue_s, start.run_queue_s)
    return Usage(
        wall_s=wall_s,
        on_cpu_s=on_cpu_s,
        user_s=_minus(end.thread_user_s, start.thread_user_s),
        system_s=_minus(end.thread_system_s, start.thread_system_s),
        process_cpu_s=end.process_cpu_s - start.process_cpu_s,
        run_queue_s=run_queue_s,
        blocked_s=None if run_queue_s is None else max(0.0, wall_s - on_cpu_s - run_queue_s),
        minor_faults=end.minor_faults - start.minor_faults,
        major_faults=end.major_faults - start.major_faults,
        read_bytes=_minus(end.read_bytes, start.read_bytes),
        read_chars=_minus(end.read_chars, start.read_chars),
        voluntary_switches=end.voluntary_switches - start.voluntary_switches,
        involuntary_switches=end.involuntary_switches - start.involuntary_switches,
    )


def parse_schedstat(text: bytes) -> float | None:
    """Seconds waited on a run queue: the second number of /proc/PID/schedstat, in nanoseconds there."""
    fields = text.split()
    return int(fields[1]) * NANOSECONDS if len(fields) == 3 else None


def parse_io(text: bytes) -> tuple[int | None, int | None]:
    """``read_bytes`` and ``rchar`` of /proc/PID/io."""
    fields = text.split()
    if len(fields) < 10 or fields[0] != b"rchar:" or fields[8] != b"read_bytes:":
        return None, None
    return int(fields[9]), int(fields[1])


def _run_queue_s() -> float | None:
    descriptor = _files.schedstat
    return None if descriptor is None else parse_schedstat(os.pread(descriptor, 128, 0))


def _read_totals() -> tuple[int | None, int | None]:
    descriptor = _files.io
    if descriptor is not None:
        return parse_io(os.pread(descriptor, 512, 0))
    from synapse_perf.host import macos_process  # what Linux does not need at start-up

    usage = macos_process.usage()
    return (usage.disk_bytes_read if usage else None, None)


def _minus(end: _Number | None, start: _Number | None) -> _Number | None:
    return None if end is None or start is None else end - start
