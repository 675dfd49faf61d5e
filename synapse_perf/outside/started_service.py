"""What has every service that is started to be measured: a start, a look whether it lives, its last words, an end?"""

from __future__ import annotations

from typing import Protocol


class ServiceEnded(Exception):  # noqa: N818 - says what happened
    """It ended before it was ready; `last_lines` are what it said last."""

    def __init__(self, message: str, last_lines: str = "") -> None:
        super().__init__(message)
        self.last_lines = last_lines


class StartedService(Protocol):
    """`start` gives the moments, in ns, at which the phases of the start itself end, by their names, in order."""

    @property
    def pid(self) -> int | None:
        """Of the process of this tool's own that it is, if it is one."""

    def start(self) -> dict[str, int]: ...

    def check(self) -> None:
        """Raises ServiceEnded where it is no more."""

    def last_lines(self) -> str: ...

    def remove(self) -> None:
        """Whatever happened before, nothing of it is left."""
