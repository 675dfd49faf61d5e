"""May the process that was named be watched? It has to be there, not this tool itself, and readable."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    import psutil

LIST = "see its number with: ps -ef"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A process, known by its number and its start."""

    pid: int
    started_s: float
    name: str


def choose_process(pid: int) -> Chosen:
    """The process of this number; InputError, in one line, where it cannot be watched."""
    import psutil

    if pid == os.getpid():
        raise InputError(f"--pid {pid}: that is this tool itself", LIST)
    try:
        process = psutil.Process(pid)
        started_s, name = process.create_time(), process.name()
        if process.status() == psutil.STATUS_ZOMBIE:
            raise InputError(f"--pid {pid}: {name} has ended, and waits for its parent to take note", LIST)
    except psutil.NoSuchProcess as error:
        raise InputError(f"--pid {pid}: there is no such process", LIST) from error
    except psutil.AccessDenied as error:
        raise InputError(f"--pid {pid}: it may not be read", "run this as its user, or as root") from error
    _check_readable(process, name)
    return Chosen(pid, started_s, name)


def _check_readable(process: psutil.Process, name: str) -> None:
    import psutil

    from synapse_perf.host.leak_probes import anonymous_bytes

    try:
        process.num_fds()
        if anonymous_bytes(process.pid) is not None:
            return
        is_of_system = process.memory_info().vms == 0
    except psutil.AccessDenied:
        is_of_system = False
    except psutil.NoSuchProcess as error:
        raise InputError(f"--pid {process.pid}: {name} has just ended", LIST) from error
    if is_of_system:
        raise InputError(f"--pid {process.pid}: {name} is a part of the system and holds no memory of its own", LIST)
    owner = _owner(process)
    told = f"--pid {process.pid}: {name} belongs to {owner}, and what it holds may not be read"
    raise InputError(told, f"run this as {owner}, or as root")


def _owner(process: psutil.Process) -> str:
    import psutil

    try:
        return process.username()
    except (psutil.Error, KeyError, OSError):
        return "another user"
