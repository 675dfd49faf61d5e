"""Which processes did this tool start, so that none is ever left behind, not even by a parent that was killed?

Every run keeps one small file of (pid, start time) pairs. It is removed at the end of the run; a file whose parent is
gone is swept at the next start. The start time tells a process from a later one with the same number.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import psutil


def _identity(pid: int) -> tuple[int, float] | None:
    try:
        return pid, psutil.Process(pid).create_time()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _is_alive(identity: tuple[int, float]) -> bool:
    current = _identity(identity[0])
    return current is not None and abs(current[1] - identity[1]) < 0.05  # the kernel's tick is 10 ms


def _kill(identity: tuple[int, float]) -> None:
    if not _is_alive(identity):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # Workers and model servers lead their own groups; never signal a group that is not theirs.
        if os.getpgid(identity[0]) == identity[0]:
            os.killpg(identity[0], signal.SIGKILL)
        else:
            os.kill(identity[0], signal.SIGKILL)


class Register:
    """The processes of one run, on disk from the moment that each is known.

    Where nothing can be written they are known for as long as the run goes on, and only a kill -9 of it is not covered.
    """

    def __init__(self, directory: Path) -> None:
        with contextlib.suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
        self._owner = _identity(os.getpid())
        self._path = directory / f"{os.getpid()}.json"
        self._processes: set[tuple[int, float]] = set()

    def add(self, pid: int) -> None:
        identity = _identity(pid)
        if identity is not None:
            self._processes.add(identity)
            self._write()

    def remove(self, pid: int) -> None:
        self._processes = {identity for identity in self._processes if identity[0] != pid}
        self._write()

    def end_left(self) -> None:
        """Kill what a worker has left behind that could not do so itself."""
        for identity in self._processes:
            _kill(identity)
            if _identity(identity[0]) is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(identity[0], signal.SIGKILL)  # a group outlives its leader, and keeps its number
        if self._processes:
            self._processes.clear()
            self._write()

    def end_all(self) -> None:
        """Kill what is left and forget the run."""
        self.end_left()
        _remove(self._path)

    def _write(self) -> None:
        temporary = self._path.with_suffix(".new")
        try:
            temporary.write_text(json.dumps({"owner": self._owner, "processes": sorted(self._processes)}))
            temporary.replace(self._path)
        except OSError:
            _remove(temporary)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def sweep(directory: Path) -> int:
    """Kill what runs whose parent is gone have left behind; return how many processes those were."""
    swept = 0
    try:
        registers = sorted(path for path in directory.iterdir() if path.suffix == ".json")
    except OSError:
        return 0
    for path in registers:
        try:
            content = json.loads(path.read_text())
            owner = tuple(content["owner"])
            processes = [tuple(entry) for entry in content["processes"]]
        except (OSError, ValueError, KeyError, TypeError):
            _remove(path)
            continue
        if _is_alive(owner):
            continue
        for identity in processes:
            swept += _is_alive(identity)
            _kill(identity)
        _remove(path)
        _remove(path.with_suffix(".new"))  # where the owner was killed while it wrote
    return swept
