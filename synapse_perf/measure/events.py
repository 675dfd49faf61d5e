"""What does a run tell while it goes on? Small facts for whoever watches; measuring never depends on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from synapse_perf.model import Trial, TrialSpec


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial begins: `process` counts within its arm, `done` and `planned` over the run.

    `planned` is the least number of trials; more follow while a check is undecided, fewer where the time `is_short`.
    """

    spec: TrialSpec
    process: int
    done: int
    planned: int
    expected_left_s: float | None = None
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class StageEntered:
    """The trial that runs has reached another stage."""

    text: str


@dataclass(frozen=True, slots=True)
class TrialFinished:
    trial: Trial


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should know while the run goes on."""

    text: str


Event: TypeAlias = TrialStarted | StageEntered | TrialFinished | Note
Observe: TypeAlias = Callable[[Event], None]
