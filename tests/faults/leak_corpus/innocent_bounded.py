"""What only looks like a leak: bounded caches that get one entry a call and take many calls to fill."""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict, deque
from functools import lru_cache

OWN_ITERATION_S = 0.006
ENTRY = b"x" * 100_000
KEYS = itertools.count()
RING: deque[bytes] = deque(maxlen=300)
BY_KEY: dict[int, bytes] = {}
BY_KEY_MOST = 128


@lru_cache
def by_default(key: int) -> bytes:
    return ENTRY + bytes(1)


@lru_cache(maxsize=500)
def by_hundreds(key: int) -> bytes:
    return ENTRY + bytes(1)


class SizedCache:
    """Tells its size as the caches of cachetools do."""

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self._entries: OrderedDict[int, bytes] = OrderedDict()

    @property
    def currsize(self) -> int:
        return sum(map(len, self._entries.values()))

    def put(self, key: int, entry: bytes) -> None:
        self._entries[key] = entry
        while self.currsize > self.maxsize:
            self._entries.popitem(last=False)


SIZED = SizedCache(maxsize=40_000_000)


def lru_cache_of_128() -> None:
    time.sleep(OWN_ITERATION_S)
    by_default(next(KEYS))


def lru_cache_of_500() -> None:
    time.sleep(OWN_ITERATION_S)
    by_hundreds(next(KEYS))


def ring_of_300() -> None:
    time.sleep(OWN_ITERATION_S)
    RING.append(ENTRY + bytes(1))


def dictionary_of_128() -> None:
    """Nobody but its own code knows the bound."""
    time.sleep(OWN_ITERATION_S)
    BY_KEY[next(KEYS)] = ENTRY + bytes(1)
    if len(BY_KEY) > BY_KEY_MOST:
        del BY_KEY[next(iter(BY_KEY))]


def cache_of_40_megabytes() -> None:
    time.sleep(OWN_ITERATION_S)
    SIZED.put(next(KEYS), ENTRY + bytes(1))
