"""Is there room: memory, swap, disk, and memory that may be locked?"""

from __future__ import annotations

import os
import re
import resource
import shutil
from collections.abc import Mapping
from pathlib import Path

from synapse_perf.host.condition import TIMING, Condition
from synapse_perf.host.free_memory import total_memory_bytes
from synapse_perf.units import GIB, format_bytes, format_percent

LITTLE_MEMORY = 0.10  # below this share the system begins to drop or to swap what is being measured
LITTLE_DISK_BYTES = 2 * GIB  # results are small, synthesised models are not
LITTLE_LOCKABLE_BYTES = GIB
_CAP_IPC_LOCK = 14


def swap_traffic() -> int:
    """Bytes swapped in and out since the machine started."""
    import psutil

    now = psutil.swap_memory()
    return int(now.sin + now.sout)


def swap(moved_bytes: int) -> Condition:
    """`moved_bytes` is the traffic while the check-up watched: pages that merely lie in swap cost nothing."""
    import psutil

    used = psutil.swap_memory().used
    if moved_bytes:
        what = f"{format_bytes(used)} used and {format_bytes(moved_bytes)} moved just now"
        return Condition("swap", "warning", what, "close what holds memory", (*TIMING, "leaks"))
    return Condition("swap", "ok", f"{format_bytes(used)} used, none of it moving" if used else "none used")


def memory() -> Condition:
    import psutil

    available = int(psutil.virtual_memory().available)
    total = total_memory_bytes() or int(psutil.virtual_memory().total)
    share = min(1.0, available / total)
    what = f"{format_bytes(min(available, total))} available of {format_bytes(total)}"
    if share < LITTLE_MEMORY:
        return Condition("memory", "warning", f"only {what}", "close what holds memory", (*TIMING, "leaks"))
    return Condition("memory", "ok", f"{what} ({format_percent(share)})")


def disk(label: str, folder: Path) -> Condition:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Condition("disk", "unknown", f"{label}: {error.strerror}")
    if free < LITTLE_DISK_BYTES:
        remedy = "free some, or move it with SYNAPSE_PERF_CACHE_DIR"
        return Condition("disk", "warning", f"{label}: only {format_bytes(free)} free", remedy, TIMING)
    return Condition("disk", "ok", f"{label}: {format_bytes(free)} free")


def lockable() -> Condition:
    """The limit on locked memory, which a privileged Linux process does not have."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if may_lock_anything(_status()):
        return Condition("mlock", "ok", "no limit (privileged)")
    if limit == resource.RLIM_INFINITY:
        return Condition("mlock", "ok", "no limit")
    what = f"up to {format_bytes(limit)} of memory may be locked"
    if limit < LITTLE_LOCKABLE_BYTES:
        what += "; llama.cpp goes on unlocked with a larger model"
        return Condition("mlock", "warning", what, "ulimit -l unlimited, or memlock in limits.conf", ("load",))
    return Condition("mlock", "ok", what)


def may_lock_anything(status: str) -> bool:
    """Whether CAP_IPC_LOCK is in the effective set that /proc/self/status tells."""
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    return bool(match and int(match[1], 16) >> _CAP_IPC_LOCK & 1)


def by_device(folders: Mapping[str, Path]) -> dict[str, Path]:
    """One folder for each device, under the labels of all that lie there: ``state, cache``.

    A folder that is not there yet is stood for by the nearest one above it, which decides the file system.
    """
    labels: dict[int, list[str]] = {}
    places: dict[int, Path] = {}
    for label, folder in folders.items():
        there = Path(os.path.abspath(folder))  # noqa: PTH100 (links stay as the user wrote them)
        while not there.is_dir() and there != there.parent:
            there = there.parent
        device = there.stat().st_dev
        labels.setdefault(device, []).append(label)
        places.setdefault(device, there)
    return {", ".join(labels[device]): place for device, place in places.items()}


def _status() -> str:
    try:
        return Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
