"""What does the self-test of leak-hunt call? Functions with a planted leak, and look-alikes without one.

Each has a size that is far above what the hunt has to see, and nothing to depend on.
"""

from __future__ import annotations

import os
from typing import Any

LEAK_BYTES = 65_536
ENTRY_BYTES = 4096
ENTRIES_AT_MOST = 64
KEPT: list[bytearray] = []
OPENED: list[int] = []
ANSWERS: dict[str, bytearray] = {}
LATEST: dict[str, bytearray] = {}


def keeps_memory() -> None:
    """Leaks."""
    KEPT.append(bytearray(LEAK_BYTES))


def keeps_descriptors() -> None:
    """Leaks."""
    OPENED.append(os.open(os.devnull, os.O_RDONLY))


def keeps_nothing() -> int:
    """Works with objects, text and blocks of many sizes, and leaves garbage in a cycle that the collector frees."""
    made: list[Any] = [{"number": number, "text": str(number) * 20} for number in range(500)]
    made.append(made)
    return len(made) + len(bytearray(LEAK_BYTES))


def remembers_all(key: str) -> bytearray:
    """A cache without a bound."""
    if key not in ANSWERS:
        ANSWERS[key] = bytearray(ENTRY_BYTES)
    return ANSWERS[key]


def remembers_few(key: str) -> bytearray:
    """A cache with a bound that nobody sees from outside."""
    if key not in LATEST:
        if len(LATEST) >= ENTRIES_AT_MOST:
            del LATEST[next(iter(LATEST))]
        LATEST[key] = bytearray(ENTRY_BYTES)
    return LATEST[key]
