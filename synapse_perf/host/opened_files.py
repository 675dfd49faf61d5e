"""Which files does foreign code read? Seen from inside by hooks of the interpreter, from outside by a watching process.

An audit hook sees what Python opens. What compiled code opens is seen in /proc by a process of its own, as a thread
would not get the interpreter's lock; that misses a small file which is open for less than a millisecond, so a path that
is handed from function to function counts as well. This very file is the watching process's program too. Standard
library only.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import IO, NamedTuple

INTERVAL_S = 0.0003
MAPS_EVERY = 20  # rounds: a look at the mappings of a large process takes a millisecond
CODE_SUFFIXES = (".py", ".pyc", ".pyi", ".pyd", ".so", ".dylib", ".dll", ".pth", ".egg-link", "pyvenv.cfg")
SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/run/", "/usr/share/zoneinfo", "/usr/lib/locale", "/usr/share/locale")
CONVERSIONS = "/gconv/"  # of the C library
LONGEST_PATH = 4096


class OpenedFile(NamedTuple):
    """A regular file that was read, and what was being done when it was first seen open."""

    path: str
    size_bytes: int
    during: str


class OpenedFiles:
    """Watches this process from `start` to `stop`; `enter` names what it is about to do."""

    def __init__(self) -> None:
        self._moments: list[tuple[int, str]] = []
        self._opened: dict[str, int] = {}
        self._handed: set[str] = set()
        self._watcher: subprocess.Popen[bytes] | None = None
        self._is_watching = False

    def start(self) -> None:
        self._is_watching = True
        sys.addaudithook(self._hear)
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", __file__, str(os.getpid())]
            self._watcher = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            assert self._watcher.stdout is not None
            self._watcher.stdout.readline()  # it watches now

    def enter(self, doing: str) -> None:
        self._moments.append((time.perf_counter_ns(), doing))

    def look_at_arguments(self, *, wanted: bool) -> None:
        """Whether the arguments of every Python function are looked at: that slows the code down."""
        sys.setprofile(self._look if wanted else None)

    def stop(self) -> list[OpenedFile]:
        """The data files that were read and still exist, the largest first."""
        self._is_watching = False
        self.look_at_arguments(wanted=False)
        seen = dict(self._opened)
        if self._watcher is not None:
            told, _ = self._watcher.communicate()
            for path, seen_ns in json.loads(told or b"{}").items():
                seen[path] = min(seen_ns, seen.get(path, seen_ns))
        files = {}
        for path, seen_ns in seen.items():
            path = os.path.realpath(path)
            if is_data(path):
                files[path] = OpenedFile(path, os.stat(path).st_size, self._doing_at(seen_ns))  # noqa: PTH116
        return sorted(files.values(), key=lambda file: (-file.size_bytes, file.path))

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._is_watching or event not in ("open", "sqlite3.connect"):
            return
        path = arguments[0]
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE == os.O_WRONLY:
            return
        if hasattr(type(path), "__fspath__"):
            path = str(path)
        if isinstance(path, (str, bytes)):
            self._opened.setdefault(os.path.abspath(os.fsdecode(path)), time.perf_counter_ns())  # noqa: PTH100

    def _look(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        for name, value in list(frame.f_locals.items()):
            if name != "self":  # which may be half made
                for each in value if type(value) is tuple else (value,):
                    self._consider(each)

    def _consider(self, value: object) -> None:
        try:
            text = value if type(value) is str else str(value) if hasattr(type(value), "__fspath__") else ""
        except Exception:  # an object of the user's that is not ready to be asked
            return
        if text in self._handed or not 1 < len(text) < LONGEST_PATH or "\0" in text:
            return
        self._handed.add(text)
        path = os.path.abspath(text)  # noqa: PTH100
        if os.path.isfile(path):  # noqa: PTH113
            self._opened.setdefault(path, time.perf_counter_ns())

    def _doing_at(self, moment_ns: int) -> str:
        return next((doing for began_ns, doing in reversed(self._moments) if began_ns <= moment_ns), "")


def is_data(path: str) -> bool:
    """Whether a path is a file of data: neither code nor the system's, nor the interpreter's own library."""
    name = path.rpartition("/")[2]
    if name.endswith(CODE_SUFFIXES) or ".so." in name or path.startswith(SYSTEM):
        return False
    if any(part in path for part in (".dist-info/", ".egg-info/", CONVERSIONS)):
        return False
    if path in (sys.executable, os.path.realpath(sys.executable)):
        return False
    library = os.path.dirname(os.__file__)  # noqa: PTH120
    if path.startswith(library + "/") and "-packages/" not in path[len(library) :]:
        return False
    return os.path.isfile(path)  # noqa: PTH113


def libraries() -> list[str]:
    """The shared libraries that are mapped into this process; empty where the system does not tell."""
    return sorted(path for path in _mapped(os.getpid()) if path.endswith(".so") or ".so." in path)


# --- the watching process --------------------------------------------------------------------------------------------


def _watch(pid: int, ends: IO[bytes]) -> dict[str, int]:
    """The paths that a process has open or mapped, each with the moment when it was seen first, until `ends` closes."""
    seen: dict[str, int] = {}
    rounds = 0
    while not select.select([ends], [], [], INTERVAL_S)[0]:
        rounds += 1
        paths = list(_open_in(pid, seen))
        if rounds % MAPS_EVERY == 0:
            paths += _mapped(pid)
        now_ns = time.perf_counter_ns()
        for path in paths:
            seen.setdefault(path, now_ns)
    for path in _mapped(pid):
        seen.setdefault(path, time.perf_counter_ns())
    return seen


def _open_in(pid: int, known: Mapping[str, int]) -> Iterator[str]:
    """The paths of a process's descriptors, without those that are only written."""
    folder = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return
    for descriptor in descriptors:
        try:
            target = os.readlink(f"{folder}/{descriptor}")  # noqa: PTH115
            if target.startswith("/") and (target in known or _is_read(f"/proc/{pid}/fdinfo/{descriptor}")):
                yield target
        except OSError:  # closed in between
            continue


def _is_read(info: str) -> bool:
    with open(info, encoding="ascii") as file:  # noqa: PTH123
        flags = next((int(line.split()[1], 8) for line in file if line.startswith("flags:")), os.O_RDONLY)
    return flags & os.O_ACCMODE != os.O_WRONLY


def _mapped(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            fields = [line.rstrip("\n").split(None, 5) for line in file]
    except OSError:
        return []
    return sorted({field[5] for field in fields if len(field) == 6 and field[5].startswith("/")})


if __name__ == "__main__":
    print(flush=True)  # noqa: T201
    found = _watch(int(sys.argv[1]), sys.stdin.buffer)
    json.dump(found, sys.stdout)
