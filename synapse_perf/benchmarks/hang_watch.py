"""Where does foreign code hang? Tells the line shortly before the parent's patience ends; costs nothing until then."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

from synapse_perf.benchmarks.context import Context

EARLIER_S = 1.0  # before the parent ends the worker
SHARE = 0.9  # of the patience, where a second would be most of it
STDERR = 2  # the log of the trial
_OWN_CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib costs time
_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120


class HangWatch:
    """Once `patience_s` is nearly over, the stage says at which line the user's code is.

    `waiting_frames` gives what waits in an event loop, if one runs. Code that holds the interpreter's lock stops every
    thread but one of C, whose stacks are in the log then.
    """

    def __init__(
        self, context: Context, patience_s: float | None, waiting_frames: Callable[[], list[FrameType]]
    ) -> None:
        self.doing = ""  # where a stage has many steps: the one that is done now
        self._stage = ""
        self._context = context
        self._waiting_frames = waiting_frames
        faulthandler.enable(STDERR)  # a crash in compiled code names the line that called it
        if patience_s is None:
            return
        wait_s = max(patience_s - EARLIER_S, patience_s * SHARE)
        # The dump reads the frames of running threads, so it comes once the thread below has told what it can.
        faulthandler.dump_traceback_later(wait_s + (patience_s - wait_s) / 2, file=STDERR)
        threading.Thread(target=self._tell_late, args=(wait_s,), daemon=True).start()

    def stage(self, text: str) -> None:
        """What is done now, for the progress display and for the message of whatever ends the worker."""
        self.doing = ""
        self._stage = text
        self._context.stage(text)

    def place(self) -> str:
        """The line of the user's code at which this process is now: in its main thread, or in another."""
        frames = sys._current_frames()
        main = frames.pop(threading.main_thread().ident or 0, None)
        found = (place_of(outwards(frame)) for frame in (main, *frames.values()))
        return place_of(self._waiting_frames()) or next(filter(None, found), "")

    def _tell_late(self, wait_s: float) -> None:
        time.sleep(wait_s)
        place = self.place()
        self._context.stage((self.doing or self._stage) + (f", at {place}" if place else ""))


def place_of(frames: Iterable[FrameType]) -> str:
    """The first line that is neither the tool's nor the standard library's: ``search.py line 12 (lookup)``."""
    for frame in frames:
        path = frame.f_code.co_filename
        is_library = path.startswith(_LIBRARY + os.sep) and f"-packages{os.sep}" not in path
        if not (is_library or path.startswith((_OWN_CODE, "<frozen"))):
            return f"{os.path.basename(path)} line {frame.f_lineno} ({frame.f_code.co_name})"  # noqa: PTH119
    return ""


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame, then the one that called it, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back
