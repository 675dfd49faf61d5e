"""Where are the baselines, and how do two writers there not lose what the other wrote?"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from synapse_perf.errors import InputError

DIRECTORY = Path("baselines")  # under the working directory: baselines are committed with the code they belong to


def make_directory() -> None:
    try:
        DIRECTORY.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{DIRECTORY}/: cannot be created: {error.strerror}", "run it where you may write") from error


@contextmanager
def own_turn() -> Iterator[None]:
    """Whoever reads a file there to write more into it comes after all others who do; the directory is there then."""
    make_directory()
    descriptor = os.open(DIRECTORY, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks: atomic writes still leave one whole file
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
