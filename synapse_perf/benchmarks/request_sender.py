"""Who sends the requests of a load test? A process of its own, so that what is tested cannot make it late.

It sleeps until each request's time and writes the moment at which it did; the pipe is the socket of a service. What it
is late by is the machine's doing: no interpreter lock and no event loop is shared with the code under test.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from synapse_perf.benchmarks.context import BenchmarkFailed, Context

STAMP_BYTES = 8
READ_BYTES = 512 * STAMP_BYTES
SCRIPT = """
import os, struct, sys, time
now, read = time.perf_counter_ns, sys.stdin.buffer.read
def stamp(): os.write(1, struct.pack("<q", now()))
stamp()
while head := read(8):
    count = struct.unpack("<q", head)[0]
    for due in struct.unpack(f"<{count}q", read(8 * count)):
        while (left := due - now()) > 0:
            time.sleep(left * 1e-9)
        stamp()
"""


class SenderGone(BenchmarkFailed):
    """The process that sends the requests has ended by itself."""

    def __init__(self) -> None:
        super().__init__("crash", "the process that sends the requests has ended", "measure again")


class Sender:
    """Sends at given moments of the machine-wide clock; the moments at which it did are read from `descriptor`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.descriptor = process.stdout.fileno()
        self._process = process
        self._left = b""

    def send_at(self, moments_ns: Sequence[int]) -> None:
        """Begin to send; those before have all been read."""
        assert self._process.stdin is not None
        numbers = [len(moments_ns), *moments_ns]
        try:
            self._process.stdin.write(b"".join(number.to_bytes(STAMP_BYTES, "little") for number in numbers))
            self._process.stdin.flush()
        except OSError as error:
            raise SenderGone from error

    def read_sent(self) -> list[int]:
        """The moments at which requests were sent since the last call; waits if there is none yet."""
        data = os.read(self.descriptor, READ_BYTES)
        if not data:
            raise SenderGone
        data = self._left + data
        whole = len(data) - len(data) % STAMP_BYTES
        self._left = data[whole:]
        return [int.from_bytes(data[at : at + STAMP_BYTES], "little") for at in range(0, whole, STAMP_BYTES)]


@contextlib.contextmanager
def request_sender(context: Context) -> Iterator[Sender]:
    """A sender that is ready to send; ends with the block, or with the worker."""
    command = [sys.executable, "-I", "-S", "-c", SCRIPT]
    # A session makes it the leader of its group; process_group would, from Python 3.11 on.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    context.process_started(process.pid)
    try:
        sender = Sender(process)
        sender.read_sent()
        yield sender
    finally:
        process.kill()
        process.communicate()
        context.process_ended(process.pid)
