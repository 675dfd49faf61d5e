"""What do a running process and its children hold, read from outside, and is it still the same process?

A process is known by its number and the moment of its start, as numbers are given again. Its children count with it:
a server's workers do the work, and leak. This tool's own processes never count, even where its shell is watched.
Nothing is sent to any process but what `/proc` or the system is asked about it.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from synapse_perf.host.gpu_memory import gpu_memory
from synapse_perf.host.leak_probes import (
    ANONYMOUS,
    GPU,
    HEAP,
    RSS,
    SHARED,
    anonymous_bytes,
    descendants,
    descriptor_kinds,
    mapped_file_count,
    mapped_files,
    socket_states,
)
from synapse_perf.host.shared_memory import shared_bytes_of

CLOSE_WAIT = "close_wait"
PROBES = (
    ANONYMOUS,
    SHARED,
    RSS,
    "descriptors",
    "threads",
    "sockets",
    CLOSE_WAIT,
    "children",
    "zombies",
    "mapped_files",
)
# The boot time, from which psutil counts, is set right now and then; a number is not given again so soon.
SAME_START_S = 2.0
_MOST_TOLD = 8  # of each kind of thing that grew


class ProcessGone(Exception):  # noqa: N818  # says what happened
    """The process that was watched has ended, or its number is another's now."""


class ProcessTree:
    """One running process with its children; `started_s` tells it from another that gets its number."""

    def __init__(self, pid: int, started_s: float) -> None:
        psutil = _psutil()
        self.pid = pid
        try:
            self._process = psutil.Process(pid)
            started = self._process.create_time()
        except psutil.Error as error:
            raise ProcessGone(f"process {pid} has ended") from error
        if abs(started - started_s) > SAME_START_S:
            raise ProcessGone(f"process {pid} has ended, and its number is another process's now")
        self._own = {os.getpid(), os.getppid()}
        self._read_gpu, self._no_gpu = gpu_memory()

    def check(self) -> None:
        """Raise ProcessGone where it is no longer there."""
        psutil = _psutil()
        try:
            is_here = self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            is_here = False
        if not is_here:
            raise ProcessGone(f"process {self.pid} has ended")

    def members(self) -> list[int]:
        """Its number, and those of all that it started, without this tool."""
        found = descendants(self.pid)
        hidden = {one for one in found if one in self._own}
        for one in tuple(hidden):
            hidden.update(descendants(one))
        return [self.pid, *(one for one in found if one not in hidden)]

    def levels(self) -> dict[str, float]:
        """By probe, of all of it together; a child that just ended counts nothing."""
        leader, *children = members = self.members()
        parts = [_held_by(child) for child in children]
        totals = {name: level + sum(part.get(name, 0.0) for part in parts) for name, level in _held_by(leader).items()}
        shared, read_gpu = shared_bytes_of(members), self._read_gpu
        if shared is not None:
            totals[SHARED] = shared
        if read_gpu is not None:
            totals[GPU] = sum(read_gpu(member) for member in members)
        return {**totals, "children": float(len(children)), "zombies": float(sum(map(_is_zombie, children)))}

    def levels_by_member(self) -> dict[int, dict[str, float]]:
        """The same for each of its processes alone, without what only counts processes."""
        return {pid: _held_by(pid) for pid in self.members()}

    def untold(self) -> dict[str, str]:
        """What cannot be read here, and why not."""
        missing = dict.fromkeys(sorted(set(PROBES) - set(self.levels())), "this system does not tell it")
        gpu = {GPU: self._no_gpu} if self._no_gpu else {}
        return {HEAP: "a process tells it only about itself", **missing, **gpu}

    def holds(self) -> dict[str, dict[str, int]]:
        """What is counted above, by its kind: descriptors, sockets, mapped files by name, memory by process."""
        found: dict[str, Counter[str]] = {"descriptors": Counter(), "sockets": Counter(), "mapped_files": Counter()}
        memory: Counter[str] = Counter()
        for pid in self.members():
            found["descriptors"].update(descriptor_kinds(pid))
            found["sockets"].update(socket_states(pid))
            found["mapped_files"].update({os.path.basename(path): n for path, n in mapped_files(pid).items()})  # noqa: PTH119
            memory[f"{process_name(pid)} {pid}"] += int(anonymous_bytes(pid) or 0)
        return {**{kind: dict(counts) for kind, counts in found.items()}, ANONYMOUS: dict(memory)}

    def cpu_s(self) -> float:
        """Processor time that it and its children have used."""
        return sum(_cpu_s(pid) for pid in self.members())

    def open_sockets(self) -> int:
        """Of any kind, as quickly as it can be told; all descriptors where their kinds are not told."""
        return sum(_open_sockets(pid) for pid in self.members())


def grown(before: Mapping[str, Mapping[str, int]], now: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """What there is more of, the most first, and only so many of each kind of thing."""
    found: dict[str, dict[str, int]] = {}
    for kind, counts in now.items():
        more = {name: count - before.get(kind, {}).get(name, 0) for name, count in counts.items()}
        most = sorted(((name, count) for name, count in more.items() if count > 0), key=lambda one: -one[1])
        if most:
            found[kind] = dict(most[:_MOST_TOLD])
    return found


def process_at(port: int) -> int | None:
    """The process of this user that listens on a port of this machine; the first of a family that shares it."""
    psutil = _psutil()
    found: list[int] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            listening = (one for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN)
            if any(one.laddr.port == port for one in listening):
                found.append(process.pid)
    return _eldest(found)


def _eldest(pids: Iterable[int]) -> int | None:
    """The one that started the others, if one did."""
    psutil, family = _psutil(), set(pids)
    for pid in sorted(family):
        with contextlib.suppress(psutil.Error):
            if psutil.Process(pid).ppid() not in family:
                return pid
    return None


def _held_by(pid: int) -> dict[str, float]:
    """By probe, what one process holds; without what it does not tell, as one that has just ended."""
    psutil = _psutil()
    found: dict[str, float | None] = {}
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        process = psutil.Process(pid)
        found[ANONYMOUS] = anonymous_bytes(pid)
        found[RSS] = float(process.memory_info().rss)
        found["descriptors"] = float(process.num_fds())
        found["threads"] = float(process.num_threads())
        found["mapped_files"] = mapped_file_count(pid)
        states = [one.status for one in process.net_connections("inet")]
        found["sockets"] = float(len(states))
        found[CLOSE_WAIT] = float(states.count(psutil.CONN_CLOSE_WAIT))
    return {name: level for name, level in found.items() if level is not None}


def _open_sockets(pid: int) -> int:
    psutil = _psutil()
    if kinds := descriptor_kinds(pid):
        return kinds.get("socket", 0)
    with contextlib.suppress(psutil.Error, OSError):
        return int(psutil.Process(pid).num_fds())
    return 0


def _is_zombie(pid: int) -> bool:
    psutil = _psutil()
    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return False


def _cpu_s(pid: int) -> float:
    psutil = _psutil()
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


def process_name(pid: int) -> str:
    psutil = _psutil()
    with contextlib.suppress(psutil.Error):
        return str(psutil.Process(pid).name())
    return "process"


def _psutil() -> Any:
    import psutil

    return psutil
