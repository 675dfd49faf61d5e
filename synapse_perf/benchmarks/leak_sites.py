"""Which line of the user's code made what stays? Asked of tracemalloc, and of what Python tells audit hooks.

A site is the innermost line of the user's own code on the way to an allocation; where there is none, of an installed
package, and else of Python's library. Lines of this tool are none.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import io
import os
import socket
import sys
import threading
import tracemalloc
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple, TypeAlias

from synapse_perf.benchmarks.leak_walk import LIBRARY
from synapse_perf.host.leak_probes import BYTES_PER_BLOCK

FRAMES = 8  # kept of each allocation; 25 cost three times as much
SMALL_BYTES = 512  # up to which Python takes a block from its own arenas, and the C heap does not see it
PARTS = 40  # of an object, looked at for where it was made
DEEPEST = 40  # frames that an audit hook looks at
Line: TypeAlias = tuple[str, int]
_OWN_CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib costs time
_CALLS_WHAT_IS_HUNTED = tuple(
    os.path.join(_OWN_CODE, *path)  # noqa: PTH118
    for path in (("benchmarks", "user_code.py"), ("benchmarks", "leak_users_code.py"), ("llama", ""))
)
# What Python announces, and the probe that it may leave something with.
EVENTS = {
    "open": "descriptors",
    "socket.__new__": "sockets",
    "subprocess.Popen": "children",
    "os.fork": "children",
    "os.posix_spawn": "children",
    "_thread.start_new_thread": "python_threads",
    "_thread.start_joinable_thread": "python_threads",
    "mmap.__new__": "mapped_files",
}


def start() -> None:
    """From here on tracemalloc notes where memory is allocated."""
    tracemalloc.start(FRAMES)


def stop() -> None:
    tracemalloc.stop()


class Allocated(NamedTuple):
    """What was allocated since `start` and is still there."""

    sites: dict[Line, list[int]]  # bytes and blocks
    total_bytes: int
    heap_bytes: int  # the same as the probe of the live heap counts it


def allocated() -> Allocated:
    by_frames: dict[Any, list[int]] = {}
    # Of the raw traces: the statistics of a snapshot take 50 µs for each of them.
    traces: Any = tracemalloc.take_snapshot().traces
    for _, size, frames, *_ in traces._traces:
        counted = by_frames.setdefault(frames, [0, 0, 0])
        counted[0] += size
        counted[1] += 1
        counted[2] += BYTES_PER_BLOCK + (size if size > SMALL_BYTES else 0)
    found: dict[Line, list[int]] = {}
    total = as_heap = 0
    for frames, (size, blocks, heap_bytes) in by_frames.items():
        if _is_measuring(frames):
            continue
        total += size
        as_heap += heap_bytes
        line = best_line(frames)
        if line is None:
            continue
        counted = found.setdefault(line, [0, 0])
        counted[0] += size
        counted[1] += blocks
    return Allocated(found, total, as_heap)


def site_of(thing: object) -> str:
    """Where an object was made since `start`, or else a part of it; empty where that is not known.

    Python 3.11 does not tell it of objects with attributes, and no version of what came out of a free list.
    """
    seen, waiting = {id(thing)}, deque([thing])
    while waiting and len(seen) < PARTS:
        one = waiting.popleft()
        traceback = tracemalloc.get_object_traceback(one)
        frames = [(frame.filename, frame.lineno) for frame in reversed(traceback or ())]
        if (line := best_line(frames)) is not None:
            return told(line)
        for part in gc.get_referents(one):
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)
    return ""


def best_line(frames: Iterable[Line]) -> Line | None:
    """The innermost of the user's own; `frames` from the innermost on, of which those before any of this tool count."""
    inside = takewhile(lambda line: not _is_own(line[0]), frames)
    ranked = [(strangeness(line[0]), place, line) for place, line in enumerate(inside)]
    return min(ranked)[2] if ranked else None


def _is_measuring(frames: Sequence[Line]) -> bool:
    """Whether this tool allocated it for itself: not where it calls what is hunted."""
    own = next((file for file, _ in frames if _is_own(file)), "")
    return bool(own) and not own.startswith(_CALLS_WHAT_IS_HUNTED)


@lru_cache(maxsize=4096)
def strangeness(file: str) -> int:
    """0 for the user's own code, 1 for an installed package, 2 for Python's library, 3 for this tool."""
    if _is_own(file):
        return 3
    if f"-packages{os.sep}" in file:
        return 1
    return 2 if file.startswith((LIBRARY + os.sep, "<frozen")) else 0


def _is_own(file: str) -> bool:
    return file.startswith(_OWN_CODE) or file == tracemalloc.__file__


def told(line: Line) -> str:
    """As people write it: ``app/cache.py:41 (lookup)``."""
    file, number = line
    name = _function_at(file, number)
    return f"{_short(file)}:{number}" + (f" ({name})" if name else "")


def _short(file: str) -> str:
    """From the working folder or the folder of installed packages on."""
    if f"-packages{os.sep}" in file:
        return file.rpartition(f"-packages{os.sep}")[2]
    with contextlib.suppress(ValueError, OSError):
        inside = os.path.relpath(file)
        if not inside.startswith(os.pardir):
            return inside
    return file


def _function_at(file: str, number: int) -> str:
    """The innermost function around a line."""
    inside = [one for one in _functions_of(file) if one[0] <= number <= one[1]]
    return max(inside)[2] if inside else ""


@lru_cache(maxsize=64)
def _functions_of(file: str) -> tuple[tuple[int, int, str], ...]:
    try:
        with open(file, "rb") as source:  # noqa: PTH123
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return ()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return tuple(
        (one.lineno, one.end_lineno or one.lineno, one.name) for one in ast.walk(tree) if isinstance(one, kinds)
    )


class Announced:
    """Counts from where files, sockets, processes, threads and mappings are asked for."""

    def __init__(self) -> None:
        self._is_counting = False
        self._sites: dict[str, Counter[Line]] = {}
        sys.addaudithook(self._hear)  # for good: there is no way to take one away

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        self._is_counting = True
        try:
            yield
        finally:
            self._is_counting = False

    def sites(self) -> dict[str, dict[str, int]]:
        """By probe, the most frequent first."""
        return {probe: {told(line): n for line, n in found.most_common(5)} for probe, found in self._sites.items()}

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        del given
        probe = EVENTS.get(event)
        if probe is None or not self._is_counting:
            return
        frames: list[Line] = []
        frame: Any = sys._getframe(1)  # of this function's caller: C code has none
        while frame is not None and len(frames) < DEEPEST:
            frames.append((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back
        line = best_line(frames)
        if line is not None and not _is_measuring(frames):
            self._sites.setdefault(probe, Counter())[line] += 1


# --- objects that hold what a system counts --------------------------------------------------------------------------


def sites_by_probe() -> dict[str, dict[str, int]]:
    """Where the threads, tasks, sockets and files that are there now were made, as far as tracemalloc saw it."""
    from synapse_perf.host.leak_probes import unfinished_tasks

    kinds: dict[str, Iterable[object]] = {
        "python_threads": threading.enumerate(),
        "tasks": unfinished_tasks(),
        "descriptors": _open_files(),
    }
    found = {}
    for probe, things in kinds.items():
        counted = Counter(filter(None, map(site_of, things)))
        if counted:
            found[probe] = dict(counted.most_common(5))
    return found


def _open_files() -> list[object]:
    files = [one for one in gc.get_objects() if issubclass(type(one), io.FileIO | socket.socket)]
    return [one for one in files if _is_open(one)]


def _is_open(file: Any) -> bool:
    try:
        return int(file.fileno()) >= 0
    except (ValueError, OSError):
        return False
