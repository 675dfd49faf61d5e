"""Records where a worker spends its time with py-spy, attached from outside between ready and go."""

from __future__ import annotations

import contextlib
import itertools
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from synapse_perf.host.py_spy_start import ATTACHED_WORDS, PATIENCE_S, said_until_attached

RATE_PER_S = 200  # a start lasts about a second; the trial is not judged, so its slow-down does no harm
LIFELINE_FRAME = "_hold_lifeline"  # the worker's thread that waits for its parent: always idle, never of interest
_ADDRESS = re.compile(r"^0x[0-9a-f]+ \((\S*)\)$")


class PySpy:
    """One recording; afterwards either `stacks` has collapsed stacks ("a;b;c 12" a line) or `problem` says why not."""

    def __init__(self) -> None:
        self.stacks: tuple[str, ...] = ()
        self.problem: str | None = None

    @contextlib.contextmanager
    def attach(self, pid: int) -> Iterator[None]:
        """Sample the process until it ends. Never raises: where it may not attach, `problem` says so on entering."""
        executable = find_executable()
        if executable is None:
            self.problem = "py-spy is not installed"
            yield
            return
        with tempfile.TemporaryDirectory() as directory:
            output = Path(directory) / "stacks.txt"
            # The idle are recorded too: a start waits for the disk, and that belongs into the picture.
            command = [executable, "record", "--pid", str(pid), "--format", "raw", "--output", str(output)]
            command += ["--rate", str(RATE_PER_S), "--idle", *_native()]
            try:
                recorder = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                )
            except OSError as error:
                self.problem = f"{executable}: {error.strerror}"
                yield
                return
            with recorder:
                patience_s = 0.0
                try:
                    told = said_until_attached(recorder)
                    if ATTACHED_WORDS not in told:
                        self.problem = _last_line(told) or "py-spy ended without a word"
                    yield
                    patience_s = PATIENCE_S
                finally:
                    _stop(recorder, patience_s)
            self._read(output, told)

    def _read(self, output: Path, told: str) -> None:
        lines = output.read_text(errors="replace").splitlines() if output.exists() else []
        self.stacks = tuple(_readable(line) for line in lines if LIFELINE_FRAME not in line)
        if not self.stacks and self.problem is None:
            self.problem = _last_line(told) or "py-spy took no sample"


def _readable(line: str) -> str:
    """Functions without a symbol by their library alone: addresses differ from one recording to the next."""
    frames, _, count = line.rpartition(" ")
    named = (_ADDRESS.sub(r"[\1]", frame) for frame in frames.split(";"))
    return f"{';'.join(frame for frame, _ in itertools.groupby(named))} {count}"


def find_executable() -> str | None:
    """py-spy beside the interpreter, where it is installed with the tool, or on the path."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _last_line(told: str) -> str:
    return told.strip().splitlines()[-1] if told.strip() else ""


def _native() -> list[str]:
    """Frames of llama.cpp itself, where py-spy can unwind them."""
    return ["--native"] if (platform.system(), platform.machine()) == ("Linux", "x86_64") else []


def _stop(recorder: subprocess.Popen[bytes], patience_s: float) -> None:
    """It ends by itself with the process; on an interrupt (SIGINT, not SIGTERM) it still writes what it has."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        recorder.wait(patience_s)
        return
    recorder.send_signal(signal.SIGINT)
    try:
        recorder.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        recorder.kill()
