"""What has every service that is started to be measured: a start, a look whether it lives, its last words, an end?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from synapse_perf.samples import Json


class ServiceEnded(Exception):  # noqa: N818 - says what happened
    """It ended before it was ready; `last_lines` are what it said last."""

    def __init__(self, message: str, last_lines: str = "") -> None:
        super().__init__(message)
        self.last_lines = last_lines


class PartMoment(NamedTuple):
    """When something happened to one of several services that were started together, in ns."""

    service: str
    moment: str  # created, started, healthy
    at_ns: int


class StartedService(Protocol):
    """The moments are in ns, on the machine-wide monotonic clock."""

    @property
    def pid(self) -> int | None:
        """Of the process of this tool's own that it is, if it is one."""

    def start(self) -> None:
        """Give the order; raises OSError or ServiceEnded where it cannot be carried out."""

    def check(self) -> None:
        """Raises ServiceEnded where it is no more."""

    def phases(self) -> dict[str, int]:
        """The ends of the phases of the start itself, in order, once it is ready."""

    def parts(self) -> Sequence[PartMoment]: ...

    def health_checks(self) -> Mapping[str, Json]:
        """By service, of those that the container engine asks for their health: how often, and what that took."""

    def output(self) -> str:
        """What it has said until now."""

    def last_lines(self) -> str: ...

    def remove(self) -> None:
        """Whatever happened before, nothing of it is left."""
