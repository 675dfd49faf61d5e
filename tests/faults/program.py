"""The installed command in a process of its own: what it says, what it ends with, and what it leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

COMMAND = str(Path(sys.executable).with_name("synapse-perf"))
STAND_IN = Path(__file__).with_name("stand_in")
PROJECT = Path(__file__).parents[2]
QUICK = ("-r", "1", "--cache", "warm", "--no-fit")  # one start of each model, and one plain read
PATIENCE_S = 180.0  # only a hang takes so long, also where others crowd the machine
LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Told:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The errors, each with its remedy."""
        return [text.rstrip("\n") for text in ("\n" + self.err).split("\nerror: ")[1:]]

    @property
    def result(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.out)
        return content

    @property
    def measured(self) -> set[str]:
        """The models that a start was measured of, by a run with --format json."""
        return {m["labels"]["model"] for m in self.result["metrics"] if m["name"] == "model_startup_time"}


def environment(more: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's, with the stand-in for a llama.cpp that fails; None takes a variable away."""
    merged: dict[str, str | None] = {**os.environ, "PYTHONPATH": str(STAND_IN), **(more or {})}
    return {name: value for name, value in merged.items() if value is not None}


def run(
    *arguments: str | Path,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
    before: Sequence[str] = (),
    stdout: IO[bytes] | int = subprocess.PIPE,
) -> Told:
    """Run it to its end; `before` is a command that starts it."""
    done = subprocess.run(
        [*before, COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(env),
        cwd=cwd,
        timeout=PATIENCE_S,
        check=False,
    )
    told = Told(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())
    assert "Traceback" not in told.err
    return told


def profile(*arguments: str | Path, **options: Any) -> Told:
    """One quick profile-load."""
    return run("profile-load", *arguments, *QUICK, "--format", "json", **options)


class Running:
    """A run that goes on, in a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.children: list[psutil.Process] = []

    def wait_for(self, happened: Callable[[], object]) -> None:
        """Until `happened()` is true; a process that ends before fails the test."""
        for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
            if happened():
                self.children = psutil.Process(self.process.pid).children(recursive=True)
                return
            try:
                code = self.process.wait(LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"it ended with {code}: {self.process.communicate()}")
        raise AssertionError("it never happened")

    def has_stopped(self) -> bool:
        """Whether a process that it has started was stopped: one that was only asked to is still on its way there."""
        stopped = False
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                stopped |= child.status() == psutil.STATUS_STOPPED
        return stopped

    def send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        if to_group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def end(self) -> Told:
        """Wait for its end, and for that of every process it had."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        _, alive = psutil.wait_procs(self.children, timeout=PATIENCE_S / 2)
        assert alive == []
        told = Told(self.process.returncode, out.decode(), err.decode())
        assert "Traceback" not in told.err
        return told


@contextlib.contextmanager
def started(
    *arguments: str | Path, env: Mapping[str, str | None] | None = None, before: Sequence[str] = ()
) -> Iterator[Running]:
    process = subprocess.Popen(
        [*before, COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(env),
        start_new_session=True,
    )
    with process:
        running = Running(process)
        try:
            yield running
        finally:
            for child in running.children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()


def loads(model: Path) -> int:
    """How often the stand-in was asked to load the model."""
    counted = model.with_suffix(".loads")
    return counted.stat().st_size if counted.exists() else 0


def unfinished(*folders: Path) -> list[Path]:
    """Files that a writer makes on its way to the real ones, and registers of runs."""
    names = ("*.partial", "*.tmp", "*.new", "processes/*")
    return [path for folder in folders for name in names for path in folder.rglob(name)]


def state() -> Path:
    return Path(os.environ["SYNAPSE_PERF_STATE_DIR"])


def saved_runs() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((state() / "runs").glob("*.json"))]
