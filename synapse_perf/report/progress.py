"""What runs right now, and for how much longer? A live display on a terminal's stderr, and nothing anywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from synapse_perf.clock import now_ns, seconds_between
from synapse_perf.measure.events import Event, Note, StageEntered, TrialFinished, TrialStarted
from synapse_perf.report.characters import clean, needs_ascii, to_ascii
from synapse_perf.report.figures import where_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_REFRESHES_PER_SECOND = 2  # few, because what is measured runs on the same machine
_PLAIN_EVERY_S = 5.0
_BAR_WIDTH = 30
_ABOVE: ContextVar[Callable[[], str] | None] = ContextVar("above", default=None)


@contextmanager
def display_above(heading: Callable[[], str]) -> Iterator[None]:
    """Within the context each display has this line above it: how far the whole is that it is a part of."""
    token = _ABOVE.set(heading)
    try:
        yield
    finally:
        _ABOVE.reset(token)


class Progress:
    """Hand `observe` to whoever measures, and measure within the context.

    Silent if `quiet` or where the stream is no terminal. A dumb terminal gets a line every few seconds at most.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None, clock: Callable[[], int] = now_ns) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._is_silent = quiet or not self._stream.isatty()
        self._is_dumb = os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}
        self._is_ascii = needs_ascii(self._stream)
        self._begun_ns = clock()
        self._above = _ABOVE.get()  # here, as the thread that draws has a context of its own
        self._trial: TrialStarted | None = None
        self._trial_ns = 0
        self._stage = ""
        self._done = 0
        self._told_ns: int | None = None
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        self._begun_ns = self._clock()
        if self._is_silent or self._is_dumb:
            return self
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, markup=False, highlight=False, emoji=False)
        self._live = Live(
            console=console,
            get_renderable=self._display,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            try:
                self._live.stop()
            finally:  # also when a second Ctrl-C comes just now
                self._live.console.show_cursor(True)
            self._live = None

    def observe(self, event: Event) -> None:
        if self._is_silent:
            return
        match event:
            case TrialStarted():
                self._trial, self._trial_ns, self._stage, self._done = event, self._clock(), "", event.done
            case StageEntered(text=text):
                self._stage = text
            case TrialFinished(trial=trial):
                self._done += 1
                if trial.failure is not None:
                    where = where_of(trial.spec.labels, trial.spec.arm)
                    self._say(f"failed: {where}: {trial.failure.message}")
            case Note(text=text):
                self._say(text)
        if self._live is None and self._is_dumb:
            self._tell_sometimes()

    def lines(self) -> tuple[str, str]:
        """What is shown now: what runs, and how far the run has come."""
        trial = self._trial
        elapsed = f"{clock_text(seconds_between(self._begun_ns, self._clock()))} so far"
        if trial is None:
            return f"preparing{': ' + self._stage if self._stage else ''}", elapsed
        where = where_of(trial.spec.labels, trial.spec.arm) or trial.spec.benchmark
        number = trial.done + 1
        if trial.is_short:
            count = f"trial {number} ({trial.planned} are wanted, there is time for fewer)"
        elif number <= trial.planned:
            count = f"trial {number} of at least {trial.planned}"
        else:
            count = f"trial {number}, beyond the {trial.planned} planned as a check is not decided"
        left = self._left()
        return self._fit(f"{count}: {where}{': ' + self._stage if self._stage else ''}"), f"{elapsed}{left}"

    def _left(self) -> str:
        trial = self._trial
        if trial is None or trial.expected_left_s is None:
            return ""
        left_s = trial.expected_left_s - seconds_between(self._trial_ns, self._clock())
        return f", about {clock_text(left_s)} left" if left_s >= 1 else ", almost done"

    def _share(self) -> float:
        """Of the trials that are planned; where they do not fit, of the time."""
        trial = self._trial
        if trial is None:
            return 0.0
        if not trial.is_short or trial.expected_left_s is None:
            return self._done / max(trial.planned, 1)
        gone_s = seconds_between(self._begun_ns, self._trial_ns)
        return gone_s / (gone_s + trial.expected_left_s) if gone_s else 0.0

    def _display(self) -> RenderableType:
        from rich.text import Text

        doing, time = self.lines()
        filled = min(round(self._share() * _BAR_WIDTH), _BAR_WIDTH)
        full, empty = ("#", "-") if self._is_ascii else ("█", "░")
        text = Text(no_wrap=True, overflow="crop")
        if self._above is not None:
            text.append(self._fit(self._above()) + "\n")
        text.append(doing + "\n", "bold")
        text.append(full * filled + empty * (_BAR_WIDTH - filled), "cyan")
        text.append(f"  {time}", "dim")
        return text

    def _tell_sometimes(self) -> None:
        now = self._clock()
        if self._told_ns is not None and seconds_between(self._told_ns, now) < _PLAIN_EVERY_S:
            return
        self._told_ns = now
        self._say(", ".join(self.lines()))

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(self._fit(text), soft_wrap=True)
        else:
            self._stream.write(self._fit(text) + "\n")
            self._stream.flush()

    def _fit(self, text: str) -> str:
        shown = clean(text).replace("\n", " ")
        return to_ascii(shown) if self._is_ascii else shown


def clock_text(seconds: float) -> str:
    """Whole seconds as a clock shows them: ``0:41``, ``3:20``, ``1:02:05``."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
