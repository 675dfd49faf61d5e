"""Which command of how many runs, how long may all of it still take, and how did each end? On stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import typer

OVER_S = 1.0  # told from there on
_NOT_CUT = "what has begun is not cut short"


@dataclass(slots=True)
class Ending:
    """How a command ended, in words; empty while it runs."""

    text: str = ""


@contextmanager
def announced(label: str, share_s: float, after_s: float, *, quiet: bool) -> Iterator[Ending]:
    """Above the command's own display: its place in the run, and what is left of the whole.

    `share_s` is the time of this command, `after_s` that of all after it. Whatever stderr is, there is one line when
    it begins and one when it has ended.
    """
    from synapse_perf.report.progress import display_above
    from synapse_perf.units import format_duration

    ending, started_s = Ending(), time.monotonic()

    def heading() -> str:
        left_s = max(share_s - (time.monotonic() - started_s), 0.0) + after_s
        return f"{label}, about {format_duration(left_s)} left in all"

    if not quiet:
        typer.echo(f"{label}, no new trial after {format_duration(share_s)}", err=True)
    with display_above(heading):
        yield ending
    if not quiet:
        took_s = time.monotonic() - started_s
        over = f", over its {format_duration(share_s)}: {_NOT_CUT}" if took_s > share_s + OVER_S else ""
        typer.echo(f"{label}: {ending.text or 'ended'}, after {format_duration(took_s)}{over}", err=True)
