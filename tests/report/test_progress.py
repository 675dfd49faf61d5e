"""The live display: on a real terminal (a pseudo-terminal), a dumb one, and where there is none."""

from __future__ import annotations

import io
import os
import pty
import re
from collections.abc import Iterator
from dataclasses import replace
from threading import Thread
from typing import TextIO

import pytest

from synapse_perf.measure.events import Event, Note, StageEntered, TrialFinished, TrialStarted
from synapse_perf.model import Failure, Trial, TrialSpec
from synapse_perf.report.progress import Progress, clock_text, display_above

SECOND = 10**9
SPEC = TrialSpec("profile_load", "mmap", {"model": "qwen3-4b", "cache": "cold"}, {})
STARTED = TrialStarted(SPEC, process=4, done=3, planned=12, expected_left_s=80.0)
FINISHED = TrialFinished(Trial(SPEC, 4, (), 3.2))


class Clock:
    """Time that passes only when told."""

    now = 1000 * SECOND

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


class DumbTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Terminal:
    """A pseudo-terminal: what is written to `stream` can be read as the user would see it."""

    def __init__(self) -> None:
        self._reader, writer = pty.openpty()
        self.stream: TextIO = open(writer, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a descriptor, closed below

    def read_all(self) -> str:
        self.stream.close()
        found = b""
        try:
            while chunk := os.read(self._reader, 65536):
                found += chunk
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(self._reader)
        return found.decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    yield Terminal()


def dumb(monkeypatch: pytest.MonkeyPatch, events: list[Event | float]) -> list[str]:
    """The lines of a dumb terminal; a number among the events is a wait in seconds."""
    monkeypatch.setenv("TERM", "dumb")
    clock, stream = Clock(), DumbTerminal()
    with Progress(stream=stream, clock=clock) as progress:
        for event in events:
            if isinstance(event, float):
                clock.wait(event)
            else:
                progress.observe(event)
    return stream.getvalue().splitlines()


def test_a_stream_that_is_no_terminal_stays_silent() -> None:
    stream = io.StringIO()
    with Progress(stream=stream) as progress:
        for event in (STARTED, StageEntered("tensors"), FINISHED, Note("hot")):
            progress.observe(event)
    assert stream.getvalue() == ""


def test_quiet_is_silent_on_a_terminal(terminal: Terminal) -> None:
    with Progress(quiet=True, stream=terminal.stream) as progress:
        progress.observe(STARTED)
        progress.observe(Note("hot"))
    assert terminal.read_all() == ""


def test_lines_say_what_runs_and_how_far() -> None:
    clock = Clock()
    progress = Progress(stream=DumbTerminal(), clock=clock)
    progress._is_dumb = False
    clock.wait(41)
    progress.observe(STARTED)
    progress.observe(StageEntered("tensors"))
    clock.wait(2)
    assert progress.lines() == (
        "trial 4 of at least 12: qwen3-4b, cold, mmap: tensors",
        "0:43 so far, about 1:18 left",
    )


def test_before_the_first_trial_it_prepares() -> None:
    progress = Progress(stream=DumbTerminal(), clock=Clock())
    assert progress.lines() == ("preparing", "0:00 so far")


def test_where_the_time_is_short_it_promises_no_number_of_trials(terminal: Terminal) -> None:
    clock = Clock()
    with Progress(stream=terminal.stream, clock=clock) as progress:
        clock.wait(20.0)
        progress.observe(replace(STARTED, planned=132, expected_left_s=20.0, is_short=True))
        doing, time = progress.lines()

    assert doing.startswith("trial 4 (132 are wanted, there is time for fewer): ")
    assert time.endswith(", about 0:20 left")
    assert "█" * 15 + "░" * 15 in terminal.read_all()  # half of the time


def test_beyond_the_plan_it_says_why() -> None:
    progress = Progress(stream=io.StringIO(), clock=Clock())
    progress._is_silent = False
    progress.observe(replace(STARTED, done=12, expected_left_s=None))
    assert progress.lines()[0].startswith("trial 13, beyond the 12 planned as a check is not decided: ")


def test_an_overdue_estimate_does_not_go_below_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = dumb(monkeypatch, [replace(STARTED, expected_left_s=3.0), 10.0, StageEntered("tensors")])
    assert lines[-1].endswith("0:10 so far, almost done")


def test_a_dumb_terminal_gets_a_line_every_few_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    stages: list[Event | float] = []
    for number in range(100):
        stages += [StageEntered(f"stage {number}"), 0.1]
    lines = dumb(monkeypatch, [STARTED, *stages])
    assert len(lines) == 2
    assert all("\x1b" not in line and "\r" not in line for line in lines)


def test_a_dumb_terminal_gets_every_failure_and_note(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = TrialFinished(replace(FINISHED.trial, failure=Failure("crash", "signal SIGSEGV")))
    lines = dumb(monkeypatch, [STARTED, failed, Note("hot"), failed])
    assert lines[1:] == [
        "failed: qwen3-4b, cold, mmap: signal SIGSEGV",
        "hot",
        "failed: qwen3-4b, cold, mmap: signal SIGSEGV",
    ]


def test_hostile_names_cannot_command_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = replace(SPEC, labels={"model": "a\x1b[2J\nb"})
    lines = dumb(monkeypatch, [replace(STARTED, spec=spec), Note("x\x1b[31m")])
    assert "a?[2J b" in lines[0]
    assert lines[1] == "x?[31m"


def test_a_terminal_shows_the_trial_and_is_clean_afterwards(terminal: Terminal) -> None:
    with Progress(stream=terminal.stream) as progress:
        progress.observe(STARTED)
        progress.observe(StageEntered("tensors"))
        progress.observe(Note("the machine is hot"))
        assert progress._live is not None
        progress._live.refresh()
    seen = terminal.read_all()
    assert "trial 4 of at least 12: qwen3-4b, cold, mmap: tensors" in seen
    assert "the machine is hot" in seen
    assert seen.rstrip().endswith(("\x1b[2K", "\x1b[?25h")), "the last lines are erased and the cursor is back"


def test_what_the_run_is_a_part_of_stands_above_whatever_thread_draws_it(terminal: Terminal) -> None:
    heading = "2 of 3: bench-cgrag, at most 4 min left in all"
    with display_above(lambda: heading), Progress(stream=terminal.stream) as progress:
        progress.observe(STARTED)
        assert progress._live is not None
        drawing = Thread(target=progress._live.refresh)
        drawing.start()
        drawing.join()

    shown = terminal.read_all()
    assert "trial 4 of at least 12" in shown
    assert shown.count(heading) >= shown.count("trial 4 of at least 12")


def test_an_error_within_leaves_the_terminal_clean(terminal: Terminal) -> None:
    with pytest.raises(KeyboardInterrupt), Progress(stream=terminal.stream) as progress:
        progress.observe(STARTED)
        raise KeyboardInterrupt
    assert "\x1b[?25h" in terminal.read_all(), "the cursor is shown again"


def test_no_color_is_honoured_by_the_live_display(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with Progress(stream=terminal.stream) as progress:
        progress.observe(STARTED)
        assert progress._live is not None
        progress._live.refresh()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.read_all())


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (41.9, "0:41"), (200, "3:20"), (3725, "1:02:05"), (-3, "0:00")]
)
def test_clock_text(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text
