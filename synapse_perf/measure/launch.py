"""The script that a worker process starts with, under any interpreter.

Run by path, as ``launch.py [MODULE]``. It does three things before anything of the tool's own is loaded: it stamps the
clock, takes fd 1 away from whatever a library may print, and imports MODULE, whose import so costs what it costs in a
bare script.
"""

import os
import sys
import time
import types

STARTED_NS = time.perf_counter_ns()  # the end of the interpreter's own start


def take_over_stdout() -> int:
    """Keep a private duplicate of fd 1 for the protocol and point fd 1 at stderr; return the duplicate."""
    channel = os.dup(1)
    os.dup2(2, 1)
    return channel


def register_package() -> None:
    """Make ``import synapse_perf`` find this very copy.

    The package alone is registered: putting its parent on sys.path would leak the tool's site-packages into a user's
    environment.
    """
    package = types.ModuleType("synapse_perf")
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]  # noqa: PTH100, PTH120
    sys.modules["synapse_perf"] = package


def look() -> "tuple[int, int, int | None]":
    """The clock, and this thread's time on a processor and in the run queue so far, all in ns."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:  # noqa: PTH123
            queued: int | None = int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        queued = None  # not Linux
    return time.perf_counter_ns(), time.thread_time_ns(), queued


def import_first(module: str) -> "Exception | None":
    """Import the module and return the error if it cannot be had."""
    try:
        __import__(module)
    except Exception as error:
        return error
    return None


if __name__ == "__main__":
    channel_fd = take_over_stdout()
    try:
        sys.path[0] = os.getcwd()  # noqa: PTH109  # not this script's directory: user code is found as with python -m
    except OSError:
        del sys.path[0]  # the directory has been removed; nothing can be in it
    import_started = look()
    import_error = import_first(sys.argv[1]) if len(sys.argv) > 1 else None
    import_ended = look()
    register_package()
    from synapse_perf.measure.worker import main

    main(channel_fd, STARTED_NS, (import_started, import_ended), import_error)
