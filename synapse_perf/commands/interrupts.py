"""What do Ctrl-C and a request to end do, the first time and the second, and when nobody may be stopped half-way?"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import NoReturn

import typer

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


def catch_signals() -> None:
    """End on SIGTERM and SIGHUP as on Ctrl-C: trials saved, workers gone. What is ignored, as under nohup, stays so."""
    for number in _heeded():
        signal.signal(number, _interrupt)
    # A Ctrl-C that arrives on the very way out has nothing left to stop, and no traceback to show.
    sys.excepthook = _without_traceback
    sys.unraisablehook = _unraised


def ignore_signals() -> None:
    """Nothing is left that could be stopped."""
    for number in _heeded():
        signal.signal(number, signal.SIG_IGN)


class HeldInterrupts:
    """Within the context a first interrupt is only noted, so that what was measured is saved; a second one is raised.

    With `again`, there was one before: the next is raised at once.
    """

    def __init__(self, *, again: bool = False) -> None:
        self.is_interrupted = again
        self._before = {number: signal.getsignal(number) for number in _heeded()}

    def __enter__(self) -> HeldInterrupts:
        for number in self._before:
            signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt
        self.is_interrupted = True
        typer.echo("interrupted: finishing the report, once more to leave at once", err=True)


def _heeded() -> list[signal.Signals]:
    """The signals of this platform that are not ignored; none outside the main thread, which alone may set them."""
    if threading.current_thread() is not threading.main_thread():
        return []
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _without_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


def _unraised(what: sys.UnraisableHookArgs) -> None:
    if not issubclass(what.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(what)
