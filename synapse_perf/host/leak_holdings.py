"""Which descriptors, threads, sockets, children and mapped files does a process hold, by name?

As the probes of host/leak_probes.py count them, told apart by what they are. Numbers within names are left out, so
that a thousand threads of one pool are one name. Standard library and psutil only.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, TypeAlias

from synapse_perf.host import leak_probes

Holdings: TypeAlias = dict[str, dict[str, int]]  # by probe: how many of each name
LONGEST_COMMAND = 60
_NUMBER = re.compile(r"\d+")
_WAITING = ("threading.py", "queue.py", "selectors.py", "socket.py")  # where threads of Python wait


def own_holdings() -> Holdings:
    """Of this process, with its threads of Python and its tasks."""
    found = holdings_of(os.getpid())
    found["python_threads"] = dict(Counter(_thread_names()))
    found["tasks"] = dict(Counter(map(_task_name, leak_probes.unfinished_tasks())))
    return found


def holdings_of(pid: int) -> Holdings:
    """Of any process of the same user."""
    questions: dict[str, Callable[[int], Iterator[str]]] = {
        "descriptors": _descriptors,
        "threads": _system_threads,
        "sockets": _sockets,
        "children": _children,
        "zombies": _zombies,
        "orphaned_children": _orphans,
    }
    found: Holdings = {}
    for probe, names in questions.items():
        counted: Counter[str] = Counter()
        with contextlib.suppress(OSError, _psutil_error()):
            counted.update(names(pid))
        found[probe] = dict(counted)
    found["mapped_files"] = leak_probes.mapped_files(pid)
    return found


def _descriptors(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    for number in os.listdir(folder):  # noqa: PTH208 - pathlib costs time in a worker
        with contextlib.suppress(OSError):
            target = os.readlink(f"{folder}/{number}")  # noqa: PTH115
            if target.startswith("anon_inode:"):
                yield target.removeprefix("anon_inode:").strip("[]")
            elif ":[" in target:
                yield target.partition(":")[0]
            else:
                yield ("device " if target.startswith("/dev/") else "file ") + target.removesuffix(" (deleted)")


def _system_threads(pid: int) -> Iterator[str]:
    """By the names that the system keeps; of this process those that are none of Python's."""
    of_python = {str(thread.native_id) for thread in threading.enumerate()} if pid == os.getpid() else set()
    folder = f"/proc/{pid}/task"
    for number in os.listdir(folder):  # noqa: PTH208
        if number not in of_python:
            with contextlib.suppress(OSError), open(f"{folder}/{number}/comm", encoding="utf-8") as file:  # noqa: PTH123
                yield f"native thread '{_without_numbers(file.read().strip())}'"


def _sockets(pid: int) -> Iterator[str]:
    import psutil

    for one in psutil.Process(pid).net_connections("inet"):
        yield "UDP" if one.status == psutil.CONN_NONE else one.status


def _children(pid: int) -> Iterator[str]:
    return _commands(leak_probes.descendants(pid))


def _orphans(pid: int) -> Iterator[str]:
    return _commands(leak_probes.orphans(pid))


def _commands(pids: Iterable[int]) -> Iterator[str]:
    import psutil

    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            words = process.cmdline() or [f"{process.name()} ({process.status()})"]
            yield _without_numbers(" ".join((os.path.basename(words[0]), *words[1:3])))[:LONGEST_COMMAND]  # noqa: PTH119


def _zombies(pid: int) -> Iterator[str]:
    import psutil

    for child in leak_probes.descendants(pid):
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(child)
            if process.status() == psutil.STATUS_ZOMBIE:
                yield process.name()


def _thread_names() -> Iterator[str]:
    """With the line at which each of them is now."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        place = _place(frame) if frame is not None else ""
        yield _without_numbers(thread.name) + (f", at {place}" if place else "")


def _place(frame: FrameType) -> str:
    """The innermost line that does more than wait; of a thread that does nothing else the innermost."""
    outer: FrameType | None = frame
    while outer is not None and os.path.basename(outer.f_code.co_filename) in _WAITING:  # noqa: PTH119
        outer = outer.f_back
    return _told(outer or frame)


def _told(frame: FrameType) -> str:
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno} ({frame.f_code.co_name})"  # noqa: PTH119


def _task_name(task: Any) -> str:
    """Its coroutine, and the line at which that waits: where the innermost that it awaits is."""
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
    frame = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None) or frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return f"{name}, waiting at {_told(frame)}" if frame is not None else name


def _without_numbers(text: str) -> str:
    return _NUMBER.sub("N", text)


def _psutil_error() -> type[Exception]:
    import psutil

    error: type[Exception] = psutil.Error
    return error
