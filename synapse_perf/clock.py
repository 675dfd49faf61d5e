"""The one clock that is measured with, and the one that dates are written with.

`time.perf_counter_ns` is CLOCK_MONOTONIC on Linux and mach_absolute_time on macOS: one clock for all processes of the
machine, so a stamp taken by the parent can be subtracted from one taken by its worker.
"""

from __future__ import annotations

import time

NANOSECONDS = 1e-9


def now_ns() -> int:
    """Nanoseconds on the machine-wide monotonic clock."""
    return time.perf_counter_ns()


def seconds_between(start_ns: int, end_ns: int) -> float:
    """Seconds from one stamp to a later one."""
    return (end_ns - start_ns) * NANOSECONDS


def utc_timestamp(seconds: float | None = None) -> str:
    """The time of day as RFC 3339 in UTC, to the millisecond: ``2026-11-23T10:15:30.123Z``."""
    moment = time.time() if seconds is None else seconds
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment * 1000) % 1000:03d}Z"
