"""What only looks like a leak: caches of libraries and of heavy tails, pools, queues, batches and helpers.

The thresholds were once frozen without these: the cache of values of every size was called a leak in 2 of 13 hunts.
"""

from __future__ import annotations

import itertools
import random
import re
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections import deque
from functools import lru_cache
from typing import Any

OWN_ITERATION_S = 0.006
ENTRY = b"x" * 100_000
KEPT: list[Any] = []
RING: deque[bytes] = deque(maxlen=60)
KEYS = itertools.count()
DRAW = random.Random()
BATCH = 50  # calls after which a batch is handed on
LASTING_S = 0.5


@lru_cache(maxsize=64)
def value(key: int) -> bytes:
    return b"x" * int(DRAW.expovariate(1 / 50_000))


def cache_of_values_of_every_size() -> None:
    """Some keys are asked for far more often than others."""
    time.sleep(OWN_ITERATION_S)
    for _ in range(3):
        value(int(DRAW.paretovariate(0.7)))


def compiled_patterns() -> None:
    """The library keeps some hundreds of them, and then drops what is old."""
    re.compile(f"the (entry|record) {next(KEYS)}[a-f]*")


def ring_of_records() -> None:
    time.sleep(OWN_ITERATION_S)
    RING.append(ENTRY + bytes(1))


def pool_of_connections() -> None:
    """As many as were ever busy at once, up to 12."""
    time.sleep(OWN_ITERATION_S)
    if not KEPT:
        KEPT.append(socket.create_server(("127.0.0.1", 0), backlog=8))
    for _ in range(DRAW.randrange(13) - (len(KEPT) - 1) // 2):
        connection = socket.create_connection(KEPT[0].getsockname())
        KEPT.extend([connection, KEPT[0].accept()[0]])


def queue_that_swings() -> None:
    """A queue whose length goes up or down by one."""
    time.sleep(OWN_ITERATION_S)
    if KEPT and (DRAW.random() < 0.5 or len(KEPT) == 20):
        KEPT.pop()
    else:
        KEPT.append(2 * ENTRY)


def database_that_fills_its_cache() -> None:
    """Two megabytes of pages by default."""
    time.sleep(OWN_ITERATION_S)
    if not KEPT:
        KEPT.append(tempfile.NamedTemporaryFile())  # noqa: SIM115 - as long as the process
        KEPT.append(sqlite3.connect(KEPT[0].name))
        KEPT[1].execute("create table texts (text blob)")
    KEPT[1].execute("insert into texts values (zeroblob(100000))")
    KEPT[1].commit()


def batch_that_is_handed_on() -> None:
    time.sleep(OWN_ITERATION_S)
    KEPT.append(ENTRY + bytes(1))
    if len(KEPT) == BATCH:
        KEPT.clear()


def helpers_that_stay() -> None:
    """Four at most, one more every few calls."""
    time.sleep(OWN_ITERATION_S)
    if len(KEPT) < 4 and DRAW.random() < 0.2:
        KEPT.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))


def helpers_that_end() -> None:
    subprocess.run(["cat"], stdin=subprocess.DEVNULL, check=True)


def entries_that_expire() -> None:
    """After half a second."""
    time.sleep(OWN_ITERATION_S)
    now = time.monotonic()
    KEPT[:] = [(made, text) for made, text in KEPT if now - made < LASTING_S]
    KEPT.append((now, ENTRY + bytes(1)))
