"""How much main memory may one more model take, here and now, without pushing anything else out?"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from synapse_perf.host.cgroup import memory_headroom, memory_limit


@dataclass(frozen=True, slots=True)
class MainMemory:
    """In bytes; cached file pages count as available, as they can be read again.

    total: the machine's, or the control group's limit; None where the system does not tell.
    """

    total_bytes: int | None
    available_bytes: int


def main_memory() -> MainMemory:
    """Both figures now. On macOS, which compresses what others hold, available is all that is not wired."""
    import psutil

    now = psutil.virtual_memory()
    available = int(now.total - getattr(now, "wired", 0)) if sys.platform == "darwin" else int(now.available)
    room = memory_headroom()
    return MainMemory(total_memory_bytes(), available if room is None else min(available, room))


def total_memory_bytes() -> int | None:
    """The memory that this process may use: the machine's, or the control group's limit."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    limit = memory_limit()
    return machine if limit is None else min(machine, limit)
