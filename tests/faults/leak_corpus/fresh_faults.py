"""Planted leaks, written after the thresholds and the rules of the verdict were frozen."""

from __future__ import annotations

import os
import selectors
import threading
import time
import weakref
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np

OWN_ITERATION_S = 0.006
KEYS = count()
KEPT: list[Any] = []
LISTENERS: list[Callable[[], None]] = []
ABOUT: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
HISTORY: dict[int, bytes] = {}
COLUMN: np.ndarray[Any, Any] = np.zeros(0)


class View:
    """Listens for as long as it lives, which is as long as it listens."""

    def __init__(self, size: int) -> None:
        self.text = b"x" * size
        LISTENERS.append(self.changed)

    def changed(self) -> None:
        self.text = b""


class Document:
    def __init__(self, size: int) -> None:
        self.text = b"x" * size


@lru_cache(maxsize=1000)
def answer(key: int) -> bytes:
    return bytes(60_000)


def listener_that_is_never_removed(size: int) -> None:
    View(size)


def weak_key_that_its_own_value_holds(size: int) -> None:
    document = Document(size)
    ABOUT[document] = [document]


def column_that_is_concatenated(size: int) -> None:
    global COLUMN
    COLUMN = np.concatenate([COLUMN, np.ones(size // 8)])


def history_beside_a_memo(size: int) -> None:
    """The memo has room for a thousand answers of 60 KB."""
    time.sleep(OWN_ITERATION_S)
    key = next(KEYS)
    HISTORY[key] = answer(key)[:1] + b"x" * size


def selector_that_stays_open() -> None:
    KEPT.append(selectors.DefaultSelector())


def folder_that_is_read_by_half() -> None:
    KEPT.append(os.scandir("/"))


def thread_that_waits_for_its_turn() -> None:
    turn = threading.Condition()

    def wait() -> None:
        with turn:
            turn.wait()

    KEPT.append(threading.Thread(target=wait, daemon=True))
    KEPT[-1].start()
