"""Records where a worker spends its time with py-spy, attached from outside between ready and go."""

from __future__ import annotations

import contextlib
import os
import platform
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from synapse_perf.clock import now_ns, seconds_between

RATE_PER_S = 200  # a start lasts about a second; the trial is not judged, so its slow-down does no harm
PATIENCE_S = 20.0
LIFELINE_FRAME = "_hold_lifeline"  # the worker's thread that waits for its parent: always idle, never of interest
ATTACHED_WORDS = b"Sampling process"


class PySpy:
    """One recording; afterwards either `stacks` has collapsed stacks ("a;b;c 12" a line) or `problem` says why not."""

    def __init__(self) -> None:
        self.stacks: tuple[str, ...] = ()
        self.problem: str | None = None

    @contextlib.contextmanager
    def attach(self, pid: int) -> Iterator[None]:
        """Sample the process until it ends. Never raises: a start that cannot be watched is still a start."""
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
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as recorder:
                try:
                    told = _wait_attached(recorder)
                    yield
                finally:
                    _stop(recorder)
            self._read(output, told)

    def _read(self, output: Path, told: str) -> None:
        lines = output.read_text(errors="replace").splitlines() if output.exists() else []
        self.stacks = tuple(line for line in lines if LIFELINE_FRAME not in line)
        if not self.stacks:
            self.problem = told.strip().splitlines()[-1] if told.strip() else "py-spy took no sample"


def find_executable() -> str | None:
    """py-spy beside the interpreter, where it is installed with the tool, or on the path."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _native() -> list[str]:
    """Frames of llama.cpp itself, where py-spy can unwind them."""
    return ["--native"] if (platform.system(), platform.machine()) == ("Linux", "x86_64") else []


def _wait_attached(recorder: subprocess.Popen[bytes]) -> str:
    """Everything that py-spy says until it samples, gives up, or takes too long."""
    assert recorder.stdout is not None
    told = b""
    deadline_ns = now_ns() + int(PATIENCE_S * 1e9)
    with selectors.DefaultSelector() as selector:
        selector.register(recorder.stdout, selectors.EVENT_READ)
        while ATTACHED_WORDS not in told and selector.select(max(0.0, seconds_between(now_ns(), deadline_ns))):
            chunk = os.read(recorder.stdout.fileno(), 4096)
            if not chunk:
                break
            told += chunk
    return told.decode(errors="replace")


def _stop(recorder: subprocess.Popen[bytes]) -> None:
    """It ends by itself with the process; on an interrupt (SIGINT, not SIGTERM) it still writes what it has."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        recorder.wait(PATIENCE_S)
        return
    recorder.send_signal(signal.SIGINT)
    try:
        recorder.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        recorder.kill()
