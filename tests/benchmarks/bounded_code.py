"""Functions of a user's that fill bounded caches: what emptying them gives back is what they hold."""

from __future__ import annotations

import ctypes
from collections import OrderedDict, deque
from functools import lru_cache
from itertools import count
from typing import Any

SIZE = 50_000
MANY = 10_000  # entries, so that none is ever full
KEYS = count()
RECENT: deque[dict[str, list[bytes]]] = deque(maxlen=MANY)
UNBOUNDED: deque[bytes] = deque()
_C = ctypes.CDLL(None)
_C.malloc.argtypes, _C.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p
_C.free.argtypes, _C.free.restype = (ctypes.c_void_p,), None


@lru_cache(maxsize=MANY)
def looked_up(key: int) -> bytes:
    return bytes(SIZE)


class Model:
    """A native block that goes with the object."""

    def __init__(self) -> None:
        self.address = _C.malloc(SIZE)
        ctypes.memset(self.address, 1, SIZE)

    def __del__(self) -> None:
        _C.free(self.address)


class Cache:
    """As those of cachetools: a private dictionary, the order of use beside it, and both sizes as properties."""

    def __init__(self, maxsize: int) -> None:
        self.__maxsize = maxsize
        self.__data: dict[int, Any] = {}
        self.__order: OrderedDict[int, None] = OrderedDict()

    @property
    def maxsize(self) -> int:
        return self.__maxsize

    @property
    def currsize(self) -> int:
        return 2 * len(self.__data)

    def put(self, key: int, entry: Any) -> None:
        self.__data[key], self.__order[key] = entry, None

    def clear(self) -> None:
        raise AssertionError("the user's own way to empty it is not called")


MODELS = Cache(MANY)


class Proxy:
    """Answers to every name."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []

    def __getattr__(self, name: str) -> int:
        return 7


PROXY = Proxy()


def fills_every_cache() -> None:
    key = next(KEYS)
    looked_up(key)
    RECENT.append({"texts": [bytes(SIZE)]})
    MODELS.put(key, Model())
    UNBOUNDED.append(bytes(SIZE))
    PROXY.entries.append(bytes(SIZE))
