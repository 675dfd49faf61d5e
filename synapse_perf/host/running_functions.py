"""Which Python functions does a running process spend its time in? Recorded by py-spy, which never stops the process.

It reads memory that may change while it is read (``--nonblocking``), so a few stacks are wrong; that is the price for
a service that does not notice. Where it may not look, or finds no Python, `problem` says so with what would help.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from synapse_perf.host.profiler_access import binary, remedy_here
from synapse_perf.host.py_spy_start import ATTACHED_WORDS, said_until_attached

RATE_PER_S = 250  # a service that is asked often is asked for less than a second, so as not to fill it
LIBRARIES = "libraries alone, such as an event loop"
LONGEST_S = 600  # it ends by then, should nobody stop it
PATIENCE_S = 10.0
_FRAME = re.compile(r"^(?P<function>.*) \((?P<file>.*?)(?::(?P<line>\d+))?\)$")
_LIBRARY = re.compile(r"/lib/(?:python|pypy)[\d.]+/|/(?:site|dist)-packages/|^<")
_ERRORS = re.compile(r"Errors: (\d+)")
# Where threads wait: to py-spy one that has just begun to looks as if it ran.
_WAITING = re.compile(r"^(?:\w+\.)?(?:select|poll|wait|acquire|get|join|accept|recv|recv_into)$")
_WAITING_IN = re.compile(r"/(?:selectors|threading|queue|socket|thread)\.py$")
_MODULE_LEVEL = "<module>"
_Frame: TypeAlias = tuple[str, str, str]  # function, file, line


class Running(NamedTuple):
    """In how many samples of a thread that ran each function was the innermost of the program's own, most first."""

    counts: dict[str, int]
    samples: int
    problem: str


class FunctionRecorder:
    """Records one process from when it is made until `stop`; `begin` waits until it does."""

    def __init__(self, pid: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._output = os.path.join(self._folder.name, "stacks")  # noqa: PTH118 - pathlib costs time in a worker
        self._recorder: subprocess.Popen[bytes] | None = None
        self._said = ""
        self._problem = "py-spy is not installed: pip install py-spy"
        py_spy = binary()
        if py_spy is None:
            return
        command = [py_spy, "record", "--nonblocking", "--pid", str(pid), "--duration", str(LONGEST_S)]
        command += ["--rate", str(RATE_PER_S), "--format", "raw", "--full-filenames", "--output", self._output]
        try:
            self._recorder = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except OSError as error:
            self._problem = f"py-spy: {error.strerror}"

    def begin(self) -> bool:
        """Wait until it samples; False where it may not, or finds nothing to look at."""
        if self._recorder is not None:
            self._said = said_until_attached(self._recorder)
        return ATTACHED_WORDS in self._said

    def stop(self) -> Running:
        """What was seen. It writes when it is interrupted (SIGINT), and only then."""
        with self._folder:
            if self._recorder is None:
                return Running({}, 0, self._problem)
            with contextlib.suppress(ProcessLookupError):
                self._recorder.send_signal(signal.SIGINT)
            try:
                said, _ = self._recorder.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._recorder.kill()
                self._recorder.communicate()
                return Running({}, 0, "py-spy did not end")
            return self._read(self._said + said.decode(errors="replace"))

    def _read(self, said: str) -> Running:
        lines: list[str] = []
        with contextlib.suppress(OSError), open(self._output, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            lines = file.read().splitlines()
        counts = counted(lines)
        samples = sum(counts.values())
        return Running(counts, samples, "" if samples else _why_not(said))


def counted(stacks: Iterable[str]) -> dict[str, int]:
    """Of collapsed stacks ("outer (file:1);inner (file:2) 12" a line), by function with its most frequent line."""
    by_function: dict[tuple[str, str], Counter[str]] = {}
    for stack in stacks:
        frames, _, count = stack.rpartition(" ")
        if not count.isdigit():
            continue
        known = [_frame(match) for frame in frames.split(";") if (match := _FRAME.match(frame))]
        if not known or _waits(known[-1]):
            continue
        function, file, line = _own(known)
        by_function.setdefault((function, file), Counter())[line] += int(count)
    named = {
        f"{function} ({file}:{lines.most_common(1)[0][0]})" if file else function: lines.total()
        for (function, file), lines in by_function.items()
    }
    return dict(Counter(named).most_common())


def _frame(match: re.Match[str]) -> _Frame:
    return match["function"], match["file"], match["line"] or "?"


def _waits(frame: _Frame) -> bool:
    return bool(_WAITING.match(frame[0]) and _WAITING_IN.search(frame[1]))


def _own(frames: list[_Frame]) -> _Frame:
    """The innermost frame of the program's own: below that it is in a library on its behalf."""
    own = next((frame for frame in reversed(frames) if not _LIBRARY.search(frame[1])), None)
    if own is None or (own[0] == _MODULE_LEVEL and own is not frames[-1]):  # what only starts everything tells nothing
        return LIBRARIES, "", ""
    return own[0], os.path.basename(own[1]), own[2]  # noqa: PTH119


def _why_not(said: str) -> str:
    """One line, out of what py-spy said."""
    lower = said.lower()
    if "permission" in lower or "not permitted" in lower or "requires root" in lower:
        return f"py-spy may not look inside: {remedy_here()}"
    if "python version" in lower or "find a python" in lower:
        return "it is no Python that py-spy knows"
    errors = _ERRORS.search(said)
    if errors and int(errors[1]):
        return f"py-spy could read none of its stacks ({errors[1]} errors)"
    error = next((line for line in said.splitlines() if line.startswith("Error: ")), "")
    return f"py-spy: {error.removeprefix('Error: ')}" if error else "in no sample did a thread of it run"
