"""What does a child that is started print, and when? Each line gets the moment at which it arrived."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

HEAD_BYTES = 4 << 20  # a load is a few hundred lines; who logs more than this logs requests
TAIL_BYTES = 64 << 10
_CHUNK = 1 << 16


def spawned(
    words: Sequence[str], env: Mapping[str, str], stdin: int = subprocess.DEVNULL
) -> tuple[subprocess.Popen[bytes], Output]:
    """A child in a process group of its own, and all that it prints, on whichever of its two streams.

    `env` is the whole of its environment. Raises OSError for a program that cannot be started.
    """
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(
            list(words), stdin=stdin, stdout=write_end, stderr=write_end, env=dict(env), start_new_session=True
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    return process, Output(read_end)


class Output:
    """Drains a pipe in a thread of its own, so that the writer never waits for it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._chunks: list[tuple[int, bytes]] = []
        self._kept = 0
        self._tail = b""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(self._descriptor, _CHUNK):
                stamp_ns = time.perf_counter_ns()
                with self._lock:
                    if self._kept < HEAD_BYTES:
                        self._chunks.append((stamp_ns, chunk))
                        self._kept += len(chunk)
                    self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def wait(self, timeout_s: float) -> None:
        """Until every writer has closed its end: a child that outlived the server may hold it open for ever."""
        self._thread.join(timeout_s)

    def lines(self, until_ns: int | None = None) -> list[tuple[int, str]]:
        """(arrival of its first piece in ns, text) of each line, in order, up to a moment."""
        with self._lock:
            chunks = list(self._chunks)
        found: list[tuple[int, str]] = []
        pending, pending_ns = b"", 0
        for stamp_ns, chunk in chunks:
            if until_ns is not None and stamp_ns > until_ns:
                break
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                found.append((pending_ns if pending else stamp_ns, (pending + part).decode("utf-8", "replace")))
                pending = b""
            if rest:
                pending, pending_ns = pending + rest, pending_ns if pending else stamp_ns
        if pending:
            found.append((pending_ns, pending.decode("utf-8", "replace")))
        return found

    def tail(self, lines: int = 12) -> str:
        """The last lines that came."""
        with self._lock:
            text = self._tail.decode("utf-8", "replace")
        return "\n".join(text.strip().splitlines()[-lines:])
