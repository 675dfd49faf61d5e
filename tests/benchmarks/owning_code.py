"""Functions of a user's that keep something, each in another place, for the search for the owner."""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any

SIZE = 50_000
KEYS = count()
KEPT: list[Any] = []
BY_NAME: dict[str, bytes] = {}
RECENT: deque[bytes] = deque()
ORDERED: OrderedDict[int, Any] = OrderedDict()
SEEN: set[str] = set()
LOG = bytearray()
_C = ctypes.CDLL(None)
_C.malloc.argtypes, _C.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p


def in_a_list() -> None:
    KEPT.append(bytes(SIZE))


def in_a_dict_of_texts() -> None:
    """One that the garbage collector does not track: it holds nothing that could be in a cycle."""
    BY_NAME[f"a private key {next(KEYS)}"] = bytes(SIZE)


def in_a_deque() -> None:
    RECENT.append(bytes(SIZE))


def in_a_set() -> None:
    SEEN.add("x" * SIZE + str(next(KEYS)))


def in_an_ordered_dict_of_arrays() -> None:
    import numpy as np

    ORDERED[next(KEYS)] = np.zeros(SIZE // 8)


@cache
def loaded(key: int) -> bytes:
    return bytes(SIZE)


def in_a_cache() -> None:
    loaded(next(KEYS))


class Store:
    blob = b""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self.shelves: dict[str, list[bytes]] = {"one": []}

    @classmethod
    def append(cls) -> None:
        cls.blob += bytes(SIZE)


STORE = Store()


def in_a_class_attribute() -> None:
    Store.append()


def in_an_instance() -> None:
    STORE.items.append(bytes(SIZE))


def in_a_list_under_a_key() -> None:
    STORE.shelves["one"].append(bytes(SIZE))


def _made() -> Callable[[], None]:
    kept: list[bytes] = []

    def keep() -> None:
        kept.append(bytes(SIZE))

    return keep


in_a_closure = _made()


def in_a_default(kept: list[bytes] = []) -> None:  # noqa: B006 - the fault that is planted
    kept.append(bytes(SIZE))


def in_a_bytearray() -> None:
    LOG.extend(bytes(SIZE))


def in_everything() -> None:
    in_a_list()
    in_a_dict_of_texts()
    in_a_deque()
    in_a_set()
    in_an_ordered_dict_of_arrays()
    in_a_cache()
    in_an_instance()
    in_a_list_under_a_key()
    in_a_closure()
    in_a_default()
    in_a_bytearray()


CHAIN: list[Any] = [None]


def in_a_chain() -> None:
    """A linked list: nothing that has a length gets longer."""
    CHAIN[0] = (bytes(SIZE), CHAIN[0])


class Model:
    """Stands in for one of llama.cpp: a native block that goes with the object, or when it is closed."""

    def __init__(self) -> None:
        self.address = _C.malloc(SIZE)
        ctypes.memset(self.address, 1, SIZE)

    def close(self) -> None:
        _C.free(ctypes.c_void_p(self.address))


def models_in_a_list() -> None:
    KEPT.append(Model())


def model_in_its_finalizer() -> None:
    model = Model()
    weakref.finalize(model, model.close).atexit = False


def native_blocks() -> None:
    """Nobody has their addresses."""
    ctypes.memset(_C.malloc(SIZE), 1, SIZE)


def mappings() -> None:
    mapped = mmap.mmap(-1, SIZE)
    mapped.write(bytes(SIZE))
    KEPT.append(mapped)


def made() -> Store:
    return Store()


def in_what_the_setup_gave(store: Store) -> None:
    store.items.append(bytes(SIZE))


# --- what a system counts --------------------------------------------------------------------------------------------


def files_in_a_list() -> None:
    KEPT.append(open(os.devnull))  # noqa: SIM115, PTH123


def bare_descriptors() -> None:
    os.open(os.devnull, os.O_RDONLY)


def threads() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


async def tasks() -> None:
    KEPT.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))


def sockets() -> None:
    KEPT.append(socket.create_server(("127.0.0.1", 0)))


def children() -> None:
    KEPT.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))


def nothing() -> None:
    bytes(SIZE)


def in_small_objects() -> None:
    """None of them is larger than a small block of Python's."""
    KEPT.append([(number, str(number)) for number in range(1000, 1150)])
