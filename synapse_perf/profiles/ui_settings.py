"""What can a profile set for ui-fps?"""

from __future__ import annotations

from dataclasses import dataclass

from synapse_perf.errors import InputError

LEAK_ROUNDS_AT_LEAST = 4  # two of which a page may need to settle


@dataclass(frozen=True, slots=True)
class UiFpsSettings:
    """The page and what is done on it; None leaves it to the command, `sample` takes a page of the tool's own."""

    url: str | None = None
    seconds: float | None = None
    scenario: str | None = None  # a file
    leak: int | None = None  # rounds of the scenario
    chromium: str | None = None
    gpu: bool = False
    sample: bool = False

    def __post_init__(self) -> None:
        if self.seconds is not None and not 1 <= self.seconds <= 120:
            raise InputError("ui-fps.seconds must be from 1 to 120", "correct the value")
        if self.leak is not None and self.leak < LEAK_ROUNDS_AT_LEAST:
            raise InputError(f"ui-fps.leak must be at least {LEAK_ROUNDS_AT_LEAST}", "correct the value")
