"""Functions of a key for leak-hunt --cache: with and without a bound, seen and unseen, and leaks that look like one."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable

ENTRY = 2000
ANSWERS: dict[str, bytearray] = {}
LEFT: list[bytearray] = []
FEW: OrderedDict[str, bytearray] = OrderedDict()


def remembers_all(key: str) -> bytearray:
    return ANSWERS.setdefault(key, bytearray(ENTRY))


@functools.cache
def remembers_numbers(key: int) -> float:
    """Entries so small that a table which doubles is most of the growth."""
    return key * 0.5


@functools.lru_cache(maxsize=200)
def remembers_some(key: str) -> bytearray:
    return bytearray(ENTRY)


def remembers_few(key: str) -> bytearray:
    """Bounded by its own code."""
    if key not in FEW:
        FEW[key] = bytearray(ENTRY)
        if len(FEW) > 100:
            FEW.popitem(last=False)
    return FEW[key]


@functools.lru_cache(maxsize=16)
def leaks_behind(key: str) -> str:
    LEFT.append(bytearray(ENTRY))
    return key.upper()


async def remembers_nothing(key: str) -> str:
    return key.upper()


def knows_few(key: str) -> int:
    return {"one": 1, "two": 2}[key]


class Store:
    def __init__(self) -> None:
        self.entries: dict[str, bytearray] = {}

    def get(self, key: str, size: int = ENTRY) -> bytearray:
        return self.entries.setdefault(key, bytearray(size))


def make_store() -> Store:
    return Store()


def ask(store: Store, key: str, size: int = ENTRY) -> bytearray:
    return store.get(key, size)


def hidden() -> Callable[[str], bytearray]:
    kept: dict[str, bytearray] = {}
    return lambda key: kept.setdefault(key, bytearray(ENTRY))


inside = hidden()
STORE = Store()
