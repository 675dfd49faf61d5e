"""Which frames of a page came late, and which function of the page held the main thread meanwhile?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.analyze.ui_targets import STALLS
from synapse_perf.model import Fact, Metric, TrialRecord

FRAMES = "frame_interval"
LATE_S = 0.0334


@dataclass(frozen=True, slots=True)
class Frame:
    """When it came after the beginning, how long after the one before, and whether that was the main thread's doing."""

    at_s: float
    interval_s: float
    holder: Holder | None

    @property
    def is_late(self) -> bool:
        return self.interval_s > LATE_S


@dataclass(frozen=True, slots=True)
class Holder:
    """A function of the page; without a file it is what the browser did by itself."""

    function: str
    file: str
    line: int
    called_by: str

    @property
    def name(self) -> str:
        place = f" ({self.file}:{self.line})" if self.file else ""
        caller = f", called by {self.called_by}" if self.called_by else ""
        return f"{self.function}{place}{caller}"


@dataclass(frozen=True, slots=True)
class Stalls:
    """What one function did: how often in all recordings, in how many browsers, and how long it ran each time."""

    holder: Holder
    count: int
    browsers: int
    intervals_s: tuple[float, ...]
    held_s: float


def metric_named(metrics: Sequence[Metric], name: str) -> Metric | None:
    return next((metric for metric in metrics if metric.name == name), None)


def frames_of(metrics: Sequence[Metric]) -> list[list[Frame]]:
    """The frames of each browser."""
    metric = metric_named(metrics, FRAMES)
    return [_frames(record) for record in metric.trials] if metric else []


def stalls_of(metrics: Sequence[Metric]) -> list[Stalls]:
    """By function, the one that held the main thread longest first."""
    metric = metric_named(metrics, FRAMES)
    found: dict[Holder, list[tuple[int, float, float]]] = {}
    for browser, record in enumerate(metric.trials if metric else ()):
        held = record.facts.get("held_s", ())
        for place, frame in enumerate(_frames(record)):
            if frame.holder is not None:
                found.setdefault(frame.holder, []).append((browser, frame.interval_s, float(held[place] or 0.0)))
    told = [
        Stalls(
            holder,
            len(each),
            len({browser for browser, _, _ in each}),
            tuple(interval for _, interval, _ in each),
            sum(seconds for _, _, seconds in each),
        )
        for holder, each in found.items()
    ]
    return sorted(told, key=lambda one: -one.held_s)


def waiting_frames(metrics: Sequence[Metric]) -> list[int]:
    """By browser: late frames before which the main thread was waiting, so that something else was late."""
    return [sum(frame.is_late and frame.holder is None for frame in frames) for frames in frames_of(metrics)]


def median_browser(metrics: Sequence[Metric]) -> int | None:
    """The number of the browser whose stalls are nearest to the median of all."""
    stalls = metric_named(metrics, STALLS)
    if stalls is None or not stalls.trials:
        return None
    values = [record.samples[0] for record in stalls.trials]
    middle = statistics.median(values)
    return min(range(len(values)), key=lambda place: abs(values[place] - middle))


def page_facts(metrics: Sequence[Metric], name: str) -> list[Fact]:
    """What each browser noted under a name about the page, as far as it is known."""
    stalls = metric_named(metrics, STALLS)
    values = [record.facts.get(name, (None,))[0] for record in stalls.trials] if stalls else []
    return [value for value in values if value is not None]


def page_number(metrics: Sequence[Metric], name: str) -> float | None:
    """The median over browsers of a number about the page."""
    numbers = [float(value) for value in page_facts(metrics, name) if isinstance(value, int | float)]
    return statistics.median(numbers) if numbers else None


def _frames(record: TrialRecord) -> list[Frame]:
    frames, at_s = [], 0.0
    for place, interval_s in enumerate(record.samples):
        at_s += interval_s
        frames.append(Frame(at_s, interval_s, _holder(record, place)))
    return frames


def _holder(record: TrialRecord, place: int) -> Holder | None:
    def fact(name: str) -> Fact:
        column = record.facts.get(name, ())
        return column[place] if place < len(column) else None

    if fact("held_by") is None:
        return None
    return Holder(str(fact("held_by")), str(fact("file") or ""), int(fact("line") or 0), str(fact("called_by") or ""))
