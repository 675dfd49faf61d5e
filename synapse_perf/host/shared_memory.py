"""How much memory does a process share, or could share, that belongs to no file on a disk?

Neither the C heap nor anonymous memory counts it, and nothing takes it back. It counts by its size as mapped. Standard
library only, as it runs in the user's own environment.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

# How it is named: without a file (mmap), by memfd_create, shm_open, and shmget.
_NAMES = ("/dev/zero (deleted)", "/memfd:", "/dev/shm/", "/SYSV")  # noqa: S108
_IS_TOLD: bool = sys.platform == "linux"


def shared_bytes(pid: int) -> float | None:
    """Of one process; None where the system does not tell it."""
    return float(_regions(pid).total()) if _IS_TOLD else None


def shared_bytes_of(pids: Iterable[int]) -> float | None:
    """Of several together: what they share with each other counts once. A process that has ended has none."""
    if not _IS_TOLD:
        return None
    together: Counter[str] = Counter()
    for pid in pids:
        try:
            together |= _regions(pid)
        except OSError:
            continue
    return float(together.total())


def _regions(pid: int) -> Counter[str]:
    """Bytes by what is mapped."""
    found: Counter[str] = Counter()
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123
        for line in maps:
            if " /" not in line:
                continue
            addresses, rights, offset, device, inode, path = line.split(maxsplit=5)
            if rights.endswith("s") and path.startswith(_NAMES):
                begin, _, end = addresses.partition("-")
                found[f"{device} {inode} {offset}"] += int(end, 16) - int(begin, 16)
    return found
