"""What if stdin, stdout or stderr are closed, full, or read by nobody? Telling never fails; losing data is told."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

import typer

from synapse_perf.errors import MeasurementError

ELSEWHERE = "free some space there, or send stdout elsewhere"


def secure_streams() -> None:
    """Give every standard stream a file, and make a stderr that nobody can read harmless.

    A closed one would hand its number to the next file that is opened, such as the pipe to a worker.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(descriptor, True)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = _over(_Noting(1, "w", closefd=False), sys.stdout, "strict")
    sys.stderr = _over(_Careless(2, "w", closefd=False), sys.stderr, "backslashreplace")


def _over(raw: io.FileIO, before: TextIO | None, errors: str) -> io.TextIOWrapper:
    """A text stream as the interpreter makes it, over another raw file; `before` is None where that was closed."""
    encoding = before.encoding if before else "utf-8"
    is_told_at_once = raw.fileno() == 2 or raw.isatty()
    errors = (before and before.errors) or errors
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=is_told_at_once)


class _Noting(io.FileIO):
    """Remembers that writing failed: Python's own buffers forget it, and what they held."""

    has_failed = False

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            self.has_failed = True
            raise


class _Careless(io.FileIO):
    """Drops what cannot be written: a message that nobody reads is no reason to lose a measurement."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def tell(message: str, remedy: str = "") -> None:
    """An error on stderr: one line with the cause, one with what to do about it."""
    hint = f"\nhint: {_line(remedy)}" if remedy else ""
    typer.echo(f"error: {_line(message)}{hint}", err=True)


def _line(text: str) -> str:
    """The text on one line without control characters: file names and llama.cpp's words may hold any."""
    words = " ".join(text.split()) if "\n" in text else text
    return "".join(character if character.isprintable() else "?" for character in words)


def print_data(text: str) -> MeasurementError | None:
    """Write to stdout; the error to tell if that fails. A reader that has gone, as with `| head`, is none."""
    try:
        typer.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
    except OSError as error:
        drop_stdout()
        return MeasurementError(f"the report could not be written to stdout: {cause_of(error)}", ELSEWHERE)
    return None


def is_stdout_broken() -> bool:
    """Whether stdout is what an operation failed at; if so, what is still meant for it is dropped."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _Noting) or not raw.has_failed:
        return False
    drop_stdout()
    return True


def drop_stdout() -> None:
    """Send stdout, with what is still in its buffer, to nowhere: the interpreter flushes it once more at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def cause_of(error: OSError) -> str:
    """The system's words for it, as they stand within a sentence."""
    reason = error.strerror or type(error).__name__
    return reason[:1].lower() + reason[1:]
