"""Planted leaks that are seldom thought of: a chain, a text, a queue, a cached method, an exit hook, private pages."""

from __future__ import annotations

import asyncio
import atexit
import mmap
import os
import queue
import socket
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

KEPT: list[Any] = []
HEAD: Node | None = None
TEXT = ""
WAITING: queue.Queue[bytes] = queue.Queue()
BY_USER: defaultdict[str, list[bytes]] = defaultdict(list)


class Node:
    def __init__(self, text: bytes, after: Node | None) -> None:
        self.text, self.after = text, after


class Loader:
    def __init__(self, size: int) -> None:
        self.text = b"x" * size

    @cache  # noqa: B019 - the leak: each loader stays for ever
    def length(self) -> int:
        return len(self.text)


def chain_of_objects(size: int) -> None:
    """Each holds the one before; no container grows."""
    global HEAD
    HEAD = Node(b"x" * size, HEAD)


def text_that_grows(size: int) -> None:
    global TEXT
    TEXT += "x" * size


def queue_that_nobody_reads(size: int) -> None:
    WAITING.put(b"x" * size)


def lists_by_user(size: int) -> None:
    """Of three users: the dictionary has no more entries, its lists have."""
    for user in "abc":
        BY_USER[user].append(b"x" * (size // 3))


def cached_method(size: int) -> None:
    Loader(size).length()


def exit_hook(size: int) -> None:
    atexit.register(partial(len, b"x" * size))


def private_pages_of_a_file(size: int) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        KEPT.append(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY))
    KEPT[-1].write(b"x" * size)


def event_descriptor() -> None:
    os.eventfd(0)


def open_file() -> None:
    KEPT.append(tempfile.TemporaryFile())  # noqa: SIM115 - the leak


def executor() -> None:
    KEPT.append(ThreadPoolExecutor(1))
    KEPT[-1].submit(len, "").result()


async def task_behind_a_lock() -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    KEPT.append(asyncio.ensure_future(lock.acquire()))


def datagram_socket() -> None:
    KEPT.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    KEPT[-1].bind(("127.0.0.1", 0))


def spawned_and_never_waited_for() -> None:
    KEPT.append(os.posix_spawn("/bin/true", ["true"], os.environ))


def interpreter_that_waits() -> None:
    KEPT.append(subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE))
