"""Planted leaks of what a system counts: each call leaves one behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import threading
from typing import Any

KEPT: list[Any] = []
TRUE = shutil.which("true") or "true"
LATER = "sleep 600 </dev/null >/dev/null 2>&1"  # seconds; the hunt ends whatever is of its session


def descriptor() -> None:
    os.open(os.devnull, os.O_RDONLY)


def thread() -> None:
    started = threading.Thread(target=threading.Event().wait, daemon=True)
    started.start()


async def task() -> None:
    KEPT.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))


def socket_in_close_wait() -> None:
    """The other side has closed its end, and nobody here noticed."""
    if not KEPT:
        KEPT.append(socket.create_server(("127.0.0.1", 0), backlog=8))
    other = socket.create_connection(KEPT[0].getsockname())
    KEPT.append(KEPT[0].accept()[0])
    other.close()


def child() -> None:
    KEPT.append(subprocess.Popen(LATER, shell=True))


def orphan() -> None:
    """Its parent has ended, and nobody waits for it any more."""
    subprocess.run(f"{LATER} &", shell=True, check=True)


def zombie() -> None:
    """It has ended, and nobody asks how."""
    os.posix_spawn(TRUE, [TRUE], os.environ)
