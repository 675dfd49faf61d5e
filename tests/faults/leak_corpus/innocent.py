"""What only looks like a leak: it grows for a while, wobbles, or comes late, and leaves nothing more with each call.

Calls that are to be iterations of their own sleep for a moment: short ones are repeated within an iteration.
"""

from __future__ import annotations

import itertools
import json
import mmap
import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

OWN_ITERATION_S = 0.006
ENTRY = b"x" * 100_000
KEPT: list[Any] = []
KEYS = itertools.count()
POOL = ThreadPoolExecutor(max_workers=32)
DRAW = random.Random()
LATE = DRAW.randrange(4, 35)  # the call in which something expensive is made, once
TEETH = 7
MAPPED_BYTES = 512 * 1024**2


@lru_cache(maxsize=40)
def entry(key: int) -> bytes:
    return ENTRY + bytes(1)


@lru_cache(maxsize=100)
def entry_of_many(key: int) -> bytes:
    return ENTRY + bytes(1)


def cache_that_fills_fast() -> None:
    time.sleep(OWN_ITERATION_S)
    for _ in range(4):
        entry(next(KEYS))


def cache_that_fills_for_40_calls() -> None:
    time.sleep(OWN_ITERATION_S)
    entry(next(KEYS))


def cache_that_fills_by_chance() -> None:
    """With a time constant of 20 calls."""
    time.sleep(OWN_ITERATION_S)
    for _ in range(2):
        entry(DRAW.randrange(40))


def cache_that_fills_slowly_by_chance() -> None:
    """With a time constant of 50 calls."""
    time.sleep(OWN_ITERATION_S)
    for _ in range(2):
        entry_of_many(DRAW.randrange(100))


def lazy_initialisation() -> None:
    time.sleep(OWN_ITERATION_S)
    if next(KEYS) == LATE:
        KEPT.append(b"x" * 30_000_000)


def lazy_import() -> None:
    time.sleep(OWN_ITERATION_S)
    if next(KEYS) == LATE:
        import http.client
        import unittest.mock
        import xml.dom.minidom

        KEPT.extend([http.client, unittest.mock, xml.dom.minidom])


def fragmented_heap() -> None:
    """64 places whose blocks change their size."""
    time.sleep(OWN_ITERATION_S)
    if not KEPT:
        KEPT.extend([b""] * 64)
    for _ in range(16):
        KEPT[DRAW.randrange(64)] = b"x" * DRAW.randrange(1_000, 60_000)


def thread_pool_that_warms_up() -> None:
    """As many threads as were ever busy at once, up to 32."""
    busy = threading.Barrier(DRAW.randrange(1, 33))
    for future in [POOL.submit(busy.wait) for _ in range(busy.parties)]:
        future.result()


def garbage_in_cycles() -> None:
    """13 to 17 MB, as a query of the engine's leaves for the collector."""
    garbage: list[Any] = [b"x" * DRAW.randrange(130_000, 170_000) for _ in range(100)]
    garbage.append(garbage)


def freed_later() -> None:
    """13 to 17 MB that go together with those of the calls before."""
    KEPT.append(b"x" * DRAW.randrange(13_000_000, 17_000_000))
    if len(KEPT) == TEETH:
        KEPT.clear()


def page_cache_that_grows() -> None:
    """The resident set grows by a megabyte of a mapped file."""
    time.sleep(OWN_ITERATION_S)
    if not KEPT:
        with tempfile.TemporaryFile() as file:
            file.truncate(MAPPED_BYTES)
            KEPT.append(mmap.mmap(file.fileno(), MAPPED_BYTES, access=mmap.ACCESS_READ))
    begin = next(KEYS) * 1024**2 % MAPPED_BYTES
    sum(KEPT[0][begin : begin + 1024**2 : mmap.PAGESIZE])


def steady_churn() -> None:
    records = [{"number": number, "text": f"text {number}", "part": [number] * 5} for number in range(200)]
    json.loads(json.dumps(records))


def threads_that_end() -> None:
    started = [threading.Thread(target=sorted, args=(list(range(1000)),)) for _ in range(4)]
    for one in started:
        one.start()
    for one in started:
        one.join()
