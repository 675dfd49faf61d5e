"""In what form is one condition of the machine told: what it is, what it spoils, and what to do?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "unavailable", "unknown"]
Purpose = Literal["load", "retrieval", "latency", "leaks", "flame graph"]

TIMING: tuple[Purpose, ...] = ("load", "retrieval", "latency")


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of the check-up.

    `warning`: it can be measured, but less truly than it should be. `unavailable`: it cannot be had. `unknown`: the
    system does not tell, as a virtual machine about its battery.
    """

    name: str
    state: State
    what: str
    remedy: str = ""
    spoils: tuple[Purpose, ...] = ()  # empty where the state is ok or unknown
