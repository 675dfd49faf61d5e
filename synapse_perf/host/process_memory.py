"""How much memory does a process hold, and how much of it is only a file that could be read again?"""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.units import KIB

_MACOS: bool = sys.platform == "darwin"


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes; None where the platform does not tell."""

    rss: int | None
    anonymous: int | None  # Linux: RssAnon; macOS: the physical footprint, which counts compressed pages as well
    file_mapped: int | None  # Linux: RssFile; macOS has no such number
    shared: int | None  # Linux: RssShmem, where a driver's or another process's shared buffers appear
    peak_rss: int | None  # the highest since the process began
    peak_anonymous: int | None  # macOS only (peak footprint): Linux keeps no such peak, so sample at the phases' ends


def memory_split(pid: int | None = None) -> Memory:
    """The memory of a process of the same user, by default this one; a few tens of microseconds."""
    if _MACOS:
        return _macos(pid)
    try:
        status = Path(f"/proc/{'self' if pid is None else pid}/status").read_bytes()
    except OSError:
        return Memory(None, None, None, None, _own_peak_rss() if pid is None else None, None)
    return parse_status(status)


def parse_status(text: bytes) -> Memory:
    """The memory lines of /proc/PID/status."""
    found = {
        name: int(rest.split()[0]) * KIB
        for name, _, rest in (line.partition(b":") for line in text.splitlines())
        if name in (b"VmRSS", b"VmHWM", b"RssAnon", b"RssFile", b"RssShmem")
    }
    return Memory(
        rss=found.get(b"VmRSS"),
        anonymous=found.get(b"RssAnon"),
        file_mapped=found.get(b"RssFile"),
        shared=found.get(b"RssShmem"),
        peak_rss=found.get(b"VmHWM"),
        peak_anonymous=None,
    )


def _macos(pid: int | None) -> Memory:
    from synapse_perf.host import macos_process

    usage = macos_process.usage(pid)
    own = pid is None or pid == os.getpid()
    return Memory(
        rss=usage.resident_bytes if usage else None,
        anonymous=usage.footprint_bytes if usage else None,
        file_mapped=None,
        shared=None,
        peak_rss=_own_peak_rss() if own else None,
        peak_anonymous=usage.peak_footprint_bytes if usage else None,
    )


def _own_peak_rss() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if _MACOS else peak * KIB  # macOS counts bytes, the others KiB
