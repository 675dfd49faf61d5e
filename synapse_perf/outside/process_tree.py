"""Which processes belong to one that was started, what do they hold, and how does all of it end?

A server may start others: workers, a shell's last command, model instances. Those in its process group end by one
signal; those that left it are found by their parents.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

PATIENCE_S = 10.0  # from the request to end to the order
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class TreeUsage:
    """Of the process that holds most, and of all together; None where the platform does not tell."""

    peak_rss: int | None
    anonymous: int | None
    file_mapped: int | None
    read_bytes: int | None  # from the device, by all of them


def descendants(pid: int) -> list[psutil.Process]:
    """The process and all that it has started, as far as they can be told by their parents."""
    import psutil

    try:
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.Error:
        return []


def usage(pid: int) -> TreeUsage:
    """What a server and its children hold and have read."""
    import psutil

    from synapse_perf.host.process_memory import Memory, memory_split

    memories: list[Memory] = []
    read: list[int] = []
    for process in descendants(pid):
        memories.append(memory_split(process.pid))
        with contextlib.suppress(psutil.Error, AttributeError, OSError):  # macOS does not count it
            read.append(process.io_counters().read_bytes)
    largest = max(memories, key=lambda memory: memory.rss or 0, default=None)
    return TreeUsage(
        peak_rss=largest.peak_rss if largest else None,
        anonymous=largest.anonymous if largest else None,
        file_mapped=largest.file_mapped if largest else None,
        read_bytes=sum(read) if read else None,
    )


def has_group(pid: int) -> bool:
    """Whether any process of the group that this one led is left."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_tree(process: subprocess.Popen[bytes], patience_s: float = PATIENCE_S) -> None:
    """Ask the leader of a group and all that it started to end, then make them; returns when they are gone."""
    import psutil

    family = descendants(process.pid)
    strays = [one for one in family if _group_of(one.pid) not in (None, process.pid)]
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, PATIENCE_S)):
        _signal_group(process.pid, number)
        for stray in strays:
            with contextlib.suppress(psutil.Error):
                stray.send_signal(number)  # psutil knows it by its start time too: no other of its number is hit
        _wait(process, family, wait_s)


def _wait(leader: subprocess.Popen[bytes], family: list[psutil.Process], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while leader.poll() is None or any(map(_is_alive, family)):
        if time.monotonic() > deadline:
            return
        time.sleep(_LOOK_S)


def _is_alive(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
