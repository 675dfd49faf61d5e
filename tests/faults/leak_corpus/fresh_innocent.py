"""What only looks like a leak, written after the thresholds and the rules of the verdict were frozen."""

from __future__ import annotations

import itertools
import random
import sqlite3
import time
from collections import OrderedDict, deque
from functools import lru_cache
from typing import Any

import numpy as np

OWN_ITERATION_S = 0.006
KEYS = itertools.count()
DRAW = random.Random()
WINDOW: deque[np.ndarray[Any, Any]] = deque(maxlen=220)
AHEAD: list[bytes] = []
SESSIONS: dict[int, tuple[int, bytes]] = {}
TABLE: list[Any] = [np.zeros(1)]


@lru_cache(maxsize=256)
def shaped(key: int) -> list[dict[str, str]]:
    return [{"name": f"name {number}", "text": f"a text of {number} for {key}"} for number in range(300)]


@lru_cache(maxsize=12)
def connected(key: int) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("create table texts (text blob)")
    database.execute("insert into texts values (zeroblob(300000))")
    return database


class Tiles:
    """At most so many, the oldest go; its sizes have the names of cachetools."""

    def __init__(self) -> None:
        self.maxsize = 210
        self.__tiles: OrderedDict[int, bytearray] = OrderedDict()

    @property
    def currsize(self) -> int:
        return len(self.__tiles)

    def keep(self, key: int) -> None:
        self.__tiles[key] = bytearray(DRAW.randrange(90_000, 110_000))
        if len(self.__tiles) > self.maxsize:
            self.__tiles.popitem(last=False)


TILES = Tiles()


def records_of_256_keys() -> None:
    """Small objects of Python's."""
    time.sleep(OWN_ITERATION_S)
    shaped(next(KEYS))


def window_of_220_readings() -> None:
    time.sleep(OWN_ITERATION_S)
    WINDOW.append(np.full(12_500, 1.5))


def tiles_by_place() -> None:
    time.sleep(OWN_ITERATION_S)
    TILES.keep(next(KEYS))


def blocks_read_ahead() -> None:
    """45 at once, used up one by one."""
    time.sleep(OWN_ITERATION_S)
    if not AHEAD:
        AHEAD.extend(b"x" * 150_000 for _ in range(45))
    AHEAD.pop()


def sessions_that_end() -> None:
    """Each after 20 to 60 calls."""
    time.sleep(OWN_ITERATION_S)
    now = next(KEYS)
    SESSIONS[now] = (now + DRAW.randrange(20, 60), b"x" * 80_000)
    for key in [key for key, (end, _) in SESSIONS.items() if end <= now]:
        del SESSIONS[key]


def table_that_doubles() -> None:
    """One more row of 64 at most, and twice the room where that is full."""
    time.sleep(OWN_ITERATION_S)
    rows = next(KEYS) % 64
    if rows * 1024 > len(TABLE[0]):
        TABLE[0] = np.ones(2 * rows * 1024)


def connections_by_name() -> None:
    """Twelve at most, of native memory."""
    time.sleep(OWN_ITERATION_S)
    connected(DRAW.randrange(40))
