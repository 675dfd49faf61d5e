"""Planted leaks beside a bounded cache that is still filling and grows by 100 KB with each call."""

from __future__ import annotations

import ctypes
import itertools
import os
import time
from collections import deque
from functools import lru_cache
from typing import Any

OWN_ITERATION_S = 0.006
ENTRY = b"x" * 100_000
KEPT: list[Any] = []
KEYS = itertools.count()
RING: deque[bytes] = deque(maxlen=400)

_C = ctypes.CDLL(None)
_C.malloc.argtypes, _C.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p


@lru_cache(maxsize=500)
def entry(key: int) -> bytes:
    return ENTRY + bytes(1)


def bytes_beside_a_cache(size: int) -> None:
    time.sleep(OWN_ITERATION_S)
    entry(next(KEYS))
    KEPT.append(b"x" * size)


def native_block_beside_a_ring(size: int) -> None:
    time.sleep(OWN_ITERATION_S)
    RING.append(ENTRY + bytes(1))
    ctypes.memset(_C.malloc(size), 1, size)


def descriptor_beside_a_cache() -> None:
    time.sleep(OWN_ITERATION_S)
    entry(next(KEYS))
    os.open(os.devnull, os.O_RDONLY)
