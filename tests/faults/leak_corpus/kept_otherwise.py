"""Planted leaks in less usual places: frames, a database, a buffer, a view, a generator, a handler, loops and pipes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from logging.handlers import MemoryHandler
from typing import Any

import numpy as np

KEPT: list[Any] = []
BUFFER = bytearray()
LOG = logging.getLogger(__name__)
LOG.propagate = False


def exception_with_its_frames(size: int) -> None:
    """The traceback holds the frame, and the frame what it was working on."""

    def fail() -> None:
        working_on = b"x" * size
        raise ValueError(len(working_on))

    try:
        fail()
    except ValueError as error:
        KEPT.append(error)


def open_database(size: int) -> None:
    """Pages that SQLite allocates for itself."""
    database = sqlite3.connect(":memory:")
    database.execute("create table texts (text blob)")
    database.execute("insert into texts values (zeroblob(?))", (size,))
    KEPT.append(database)


def buffer_that_grows(size: int) -> None:
    """One block, enlarged by more than it needs each time that it is full."""
    BUFFER.extend(b"x" * size)


def view_of_an_array(size: int) -> None:
    """Three numbers keep all the others."""
    KEPT.append(np.arange(size // 8, dtype=np.float64)[:3])


def suspended_generator(size: int) -> None:
    def parts() -> Iterator[int]:
        text = b"x" * size
        yield len(text)
        yield text.count(b"y")

    begun = parts()
    next(begun)
    KEPT.append(begun)


def log_handler(size: int) -> None:
    """Each call has a handler of its own, which holds what was logged."""
    handler = MemoryHandler(capacity=10**9)
    LOG.addHandler(handler)
    LOG.warning("%s", b"x" * size)
    KEPT.append(LOG.handlers.pop())


def pipe() -> None:
    os.pipe()


def event_loop() -> None:
    KEPT.append(asyncio.new_event_loop())


def timer() -> None:
    late = threading.Timer(3600, print)
    late.daemon = True
    late.start()


async def consumer() -> None:
    KEPT.append(asyncio.ensure_future(asyncio.Queue[int]().get()))


def listening_socket() -> None:
    KEPT.append(socket.create_server(("127.0.0.1", 0)))


def helper_with_pipes() -> None:
    KEPT.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
