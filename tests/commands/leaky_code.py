"""Functions of a user's for leak-hunt: some leave things behind, some only seem to, some go wrong."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
KEPT: list[Any] = []
CALLED: list[int] = []
FIRST: list[Any] = []
KEYS = count()
DRAW = random.Random(1)
RECENT: deque[bytearray] = deque(maxlen=300)


def keeps_bytes(size: int = 100_000) -> None:
    KEPT.append(bytearray(size))


def works() -> int:
    return sum(len(str(number)) for number in range(2000))


def collects_late() -> None:
    """Garbage in a cycle, which nothing but the collector frees."""
    garbage: list[Any] = [bytearray(2_000_000)]
    garbage.append(garbage)


def starts_late() -> None:
    """An expensive thing is made in the twelfth call, once."""
    CALLED.append(1)
    time.sleep(0.006)
    if len(CALLED) == 12:
        FIRST.append(bytearray(30_000_000))


def fills_a_cache(entries: int = 40) -> None:
    """Bounded: it holds no more than so many."""
    time.sleep(0.006)
    if len(KEPT) < entries:
        KEPT.append(bytearray(100_000))


@lru_cache
def looked_up(key: int) -> bytearray:
    return bytearray(100_000)


def fills_an_lru_cache() -> None:
    """Bounded too: it holds 128 by default."""
    looked_up(next(KEYS))


def fills_a_ring(leaking: int = 0) -> None:
    """Bounded, and not full while anybody looks."""
    RECENT.append(bytearray(100_000))
    if leaking:
        KEPT.append(bytearray(leaking))


def keeps_random_places() -> None:
    """64 places whose blocks change their size: a heap in fragments."""
    time.sleep(0.006)
    if not KEPT:
        KEPT.extend([None] * 64)
    for _ in range(16):
        KEPT[DRAW.randrange(64)] = bytearray(DRAW.randrange(1000, 60_000))


def opens_a_file() -> None:
    KEPT.append(Path(os.devnull).open())  # noqa: SIM115


async def leaves_everything() -> None:
    """A file, a thread, a task, and 20 KB of small objects, which only Python's own block count sees."""
    KEPT.append(Path(os.devnull).open())  # noqa: SIM115
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    KEPT.append(asyncio.get_running_loop().create_task(asyncio.sleep(3600)))
    KEPT.append([(number, str(number)) for number in range(1000, 1150)])


async def waits() -> None:
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(10)))


def forks() -> None:
    """And at first starts what no signal to a group reaches: a session of its own, and one whose parent is gone."""
    if not CALLED:
        CALLED.append(1)
        subprocess.Popen(SLEEP, start_new_session=True)
        if os.fork() == 0:
            os.setsid()
            subprocess.Popen(SLEEP)
            os._exit(0)
    os.fork()


def raises_in_the_seventh() -> None:
    CALLED.append(1)
    time.sleep(0.006)
    if len(CALLED) == 7:
        raise ValueError("the seventh")


def yields() -> Iterator[int]:
    yield 1


def exits() -> None:
    os._exit(3)


def asks_to_exit() -> None:
    sys.exit("enough")


def never_returns() -> None:
    while True:
        time.sleep(0.05)


def make_list() -> list[bytes]:
    return []


def appends(given: list[bytes], text: str, times: int = 1) -> None:
    given.append(text.encode() * times)


def empties(given: list[bytes]) -> None:
    given.clear()


def fills_memory(size: int = 200_000_000) -> None:
    """Asked for and never touched, so that only the limit on data notices."""
    KEPT.append(bytearray(size))


def counts_in(path: str) -> None:
    """A slow call that tells that it was made."""
    with Path(path).open("a") as file:
        file.write(".")
    time.sleep(0.02)
