"""What only looks like a leak: stores by size, use or chance, spools, flushed logs, what ends later."""

from __future__ import annotations

import asyncio
import itertools
import logging
import mmap
import random
import tempfile
import threading
import time
import weakref
from collections import OrderedDict, deque
from logging.handlers import MemoryHandler
from typing import IO, Any

import numpy as np

OWN_ITERATION_S = 0.006
ENTRY = b"x" * 100_000
KEPT: list[Any] = []
KEYS = itertools.count()
DRAW = random.Random()
RUNNING: set[asyncio.Task[None]] = set()
BY_NAME: weakref.WeakValueDictionary[int, Document] = weakref.WeakValueDictionary()
NEWEST: deque[Document] = deque(maxlen=30)
STORE: OrderedDict[int, bytes] = OrderedDict()
STORE_BYTES = 4_000_000
OPEN: OrderedDict[int, IO[bytes]] = OrderedDict()
BY_KEY: dict[int, np.ndarray[Any, Any]] = {}
SPOOL = tempfile.SpooledTemporaryFile(max_size=3_000_000)  # noqa: SIM115 - as long as the process
LOG = logging.getLogger(__name__)
LOG.propagate = False
LOG.addHandler(MemoryHandler(capacity=25, target=logging.NullHandler()))


class Document:
    def __init__(self, size: int) -> None:
        self.text = b"x" * size


def log_that_is_halved() -> None:
    """At 64 records the older half goes."""
    time.sleep(OWN_ITERATION_S)
    KEPT.append(ENTRY + bytes(1))
    if len(KEPT) == 64:
        del KEPT[:32]


def documents_by_name_while_in_use() -> None:
    time.sleep(OWN_ITERATION_S)
    NEWEST.append(Document(DRAW.randrange(10_000, 200_000)))
    BY_NAME[DRAW.randrange(100)] = NEWEST[-1]


def store_of_so_many_bytes() -> None:
    """What was asked for longest ago goes until the others fit."""
    time.sleep(OWN_ITERATION_S)
    for _ in range(2):
        key = int(DRAW.paretovariate(1.0))
        if key not in STORE:
            STORE[key] = b"x" * min(STORE_BYTES, int(DRAW.lognormvariate(10.5, 1.2)))
        STORE.move_to_end(key)
        while sum(map(len, STORE.values())) > STORE_BYTES:
            STORE.popitem(last=False)


def sample_of_what_was_seen() -> None:
    """40 of all arrays, each with the same chance: the longer it runs, the seldomer one is replaced."""
    time.sleep(OWN_ITERATION_S)
    seen, place = np.ones(DRAW.randrange(2_000, 40_000)), DRAW.randrange(next(KEYS) + 1)
    if len(KEPT) < 40:
        KEPT.append(seen)
    elif place < 40:
        KEPT[place] = seen


def spool_that_goes_to_disk() -> None:
    """After three megabytes."""
    time.sleep(OWN_ITERATION_S)
    SPOOL.write(ENTRY[:60_000])


def records_that_are_flushed() -> None:
    time.sleep(OWN_ITERATION_S)
    LOG.warning("%s", ENTRY + bytes(1))


async def tasks_that_end_later() -> None:
    task = asyncio.ensure_future(asyncio.sleep(DRAW.uniform(0, 0.2)))
    RUNNING.add(task)
    task.add_done_callback(RUNNING.discard)
    await asyncio.sleep(OWN_ITERATION_S)


def threads_that_end_later() -> None:
    time.sleep(OWN_ITERATION_S)
    threading.Thread(target=time.sleep, args=(DRAW.uniform(0, 0.15),)).start()


def mappings_that_come_and_go() -> None:
    """Eight at most."""
    time.sleep(OWN_ITERATION_S)
    if KEPT and (len(KEPT) == 8 or DRAW.random() < 0.4):
        KEPT.pop(DRAW.randrange(len(KEPT))).close()
    else:
        KEPT.append(mmap.mmap(-1, 1_000_000))
        KEPT[-1].write(b"x" * 1_000_000)


def statistics_by_key() -> None:
    """200 keys with a small array each."""
    time.sleep(OWN_ITERATION_S)
    for _ in range(2):
        BY_KEY.setdefault(DRAW.randrange(200), np.zeros(2_000))[0] += 1


def types_that_are_dropped() -> None:
    """A class is a cycle, and this one has a finalizer too."""
    made = type("Made", (), {"text": b"x" * 500_000})
    weakref.finalize(made, len, "")


def files_that_stay_open_for_a_while() -> None:
    """16 at most; some are asked for far more often than others."""
    time.sleep(OWN_ITERATION_S)
    key = int(DRAW.paretovariate(0.6))
    if key not in OPEN:
        OPEN[key] = tempfile.TemporaryFile()  # noqa: SIM115 - until it is closed below
    OPEN.move_to_end(key)
    if len(OPEN) > 16:
        OPEN.popitem(last=False)[1].close()
