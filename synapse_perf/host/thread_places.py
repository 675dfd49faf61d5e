"""Where are the threads of a running process? Asked of py-spy, which only reads its memory and never stops it.

Where py-spy may not look, or the process is no Python, the names tell that the system keeps of threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from synapse_perf.host.profiler_access import binary

PATIENCE_S = 15.0
_LIBRARY = ("threading.py", "queue.py", "selectors.py", "socket.py", "thread.py")  # where threads wait


class ThreadPlaces(NamedTuple):
    """How many threads are at each place, the most first; `problem`: why they are told by names alone."""

    counts: dict[str, int]
    problem: str


def thread_places(pids: Iterable[int]) -> ThreadPlaces:
    """Of all these processes together."""
    found: Counter[str] = Counter()
    problems: list[str] = []
    for pid in pids:
        stacks, problem = _dump(pid)
        if problem:
            problems.append(problem)
            found.update(_system_names(pid))
        else:
            found.update(place_of(one) for one in stacks)
    return ThreadPlaces(dict(found.most_common()), problems[0] if problems else "")


def place_of(thread: Mapping[str, Any]) -> str:
    """The innermost frame that is not one where threads only wait: file, line and function, without a folder."""
    frames = [one for one in thread.get("frames") or () if isinstance(one, Mapping)]
    own = next((one for one in frames if os.path.basename(str(one.get("filename"))) not in _LIBRARY), None)  # noqa: PTH119
    frame = own or (frames[0] if frames else None)
    if frame is None:
        return str(thread.get("thread_name") or "no Python frame")
    file = os.path.basename(str(frame.get("short_filename") or frame.get("filename")))  # noqa: PTH119
    return f"{frame.get('name')} ({file}:{frame.get('line')})"


def _dump(pid: int) -> tuple[list[Mapping[str, Any]], str]:
    """The threads as py-spy tells them, or why it does not."""
    py_spy = binary()
    if py_spy is None:
        return [], "py-spy is not installed"
    command = [py_spy, "dump", "--nonblocking", "--json", "--pid", str(pid)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        threads = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return [], f"py-spy: {type(error).__name__}"
    if isinstance(threads, list):
        return [one for one in threads if isinstance(one, Mapping)], ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return [], f"py-spy may not look inside: {lines[0].removeprefix('Error: ') if lines else done.returncode}"


def _system_names(pid: int) -> list[str]:
    names: list[str] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as file:  # noqa: PTH123
                names.append(f"named {file.read().strip()}")
    return names
