"""Planted leaks of memory: each call leaves about `size` bytes behind, another way in each function."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import weakref
from functools import lru_cache
from typing import Any

KEPT: list[Any] = []
BY_KEY: dict[int, bytes] = {}
KEYS = itertools.count()
ENTRY_BYTES = 160  # of a pair of a number and a text, with its place in the list

_C = ctypes.CDLL(None)
_C.malloc.argtypes, _C.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p
_C.free.argtypes, _C.free.restype = (ctypes.c_void_p,), None


def small_objects(size: int) -> None:
    KEPT.append([(number + 0.5, f"the entry {number}") for number in range(size // ENTRY_BYTES)])


def whole_blocks(size: int) -> None:
    KEPT.append(b"x" * size)


def native_block(size: int) -> None:
    """Nobody has its address."""
    ctypes.memset(_C.malloc(size), 1, size)


def anonymous_mapping(size: int) -> None:
    """The C heap knows nothing of it."""
    KEPT.append(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    KEPT[-1].write(b"x" * size)


def shared_mapping(size: int) -> None:
    """What `mmap` makes by default: neither the C heap nor anonymous memory knows of it."""
    KEPT.append(mmap.mmap(-1, size))
    KEPT[-1].write(b"x" * size)


def unbounded_dict(size: int) -> None:
    BY_KEY[next(KEYS)] = b"x" * size


@lru_cache(maxsize=None)  # noqa: UP033 - as users write it
def loaded(key: int, size: int) -> bytes:
    return b"x" * size


def unbounded_lru_cache(size: int) -> None:
    loaded(next(KEYS), size)


class Model:
    """Stands in for one of llama.cpp: a native block that goes with the object, or when it is closed."""

    def __init__(self, size: int) -> None:
        self.owner: Any = None
        self._address = _C.malloc(size)
        ctypes.memset(self._address, 1, size)

    def close(self) -> None:
        _C.free(self._address)
        self._address = None

    def __del__(self) -> None:
        self.close()


def model_in_a_cycle(size: int) -> None:
    """The collector frees it, and nothing else does."""
    model = Model(size)
    model.owner = [model]


def model_held_by_its_finalizer(size: int) -> None:
    """The finalizer's bound method is a reference to the very model whose end it waits for."""
    model = Model(size)
    weakref.finalize(model, model.close).atexit = False
