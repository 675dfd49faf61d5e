"""What does macOS account to a process: footprint, bytes from disk, page-ins? None on any other system.

The layout is ``struct rusage_info_v4`` of Apple's <sys/resource.h>: 16 bytes of identifier, then 35 counters of 8.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys
from dataclasses import dataclass

MACOS: bool = sys.platform == "darwin"
_RUSAGE_INFO_V4 = 4
_LAYOUT = struct.Struct("=16x35Q")
_PAGE_INS, _RESIDENT, _FOOTPRINT, _DISK_READ, _PEAK_FOOTPRINT = 4, 6, 7, 16, 28


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    page_ins: int
    resident_bytes: int
    footprint_bytes: int  # what the process would give back if it ended; clean file pages are not in it
    peak_footprint_bytes: int
    disk_bytes_read: int


def usage(pid: int | None = None) -> ProcessUsage | None:
    """The accounts of a process of the same user, by default this one."""
    if not MACOS:
        return None
    answer = bytearray(_LAYOUT.size)
    failed = _library().proc_pid_rusage(
        os.getpid() if pid is None else pid, _RUSAGE_INFO_V4, (ctypes.c_char * _LAYOUT.size).from_buffer(answer)
    )
    return None if failed else parse(answer)


def parse(record: bytes | bytearray) -> ProcessUsage:
    """Read a ``rusage_info_v4`` record."""
    fields = _LAYOUT.unpack_from(record)
    return ProcessUsage(
        page_ins=fields[_PAGE_INS],
        resident_bytes=fields[_RESIDENT],
        footprint_bytes=fields[_FOOTPRINT],
        peak_footprint_bytes=fields[_PEAK_FOOTPRINT],
        disk_bytes_read=fields[_DISK_READ],
    )


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("/usr/lib/libproc.dylib")
    library.proc_pid_rusage.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    return library
