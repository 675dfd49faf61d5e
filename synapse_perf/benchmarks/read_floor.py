"""How fast can this machine merely read the file? The floor under every load that has to touch all of it.

Cold: one sequential read from the disk. Warm: one copy out of the page cache. Both with a plain read loop.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {
    "phase_time": MetricDefinition("phase_time", "s", "lower", "time of one part of a start"),
}
BLOCK_BYTES = 4 << 20  # past the knee of the curve on every disk tried, and inside a second-level cache


def measure(context: Context) -> Iterator[Sample]:
    """One pass over all files, in seconds."""
    files = [Path(file) for file in context.workload["files"]]
    context.stage("reading the file plainly, as a floor")
    while True:
        duration_s, total = read_through(files)
        yield Sample((Measurement("phase_time", duration_s, {"phase": "floor"}),), {"bytes": total})


def read_through(files: list[Path]) -> tuple[float, int]:
    """Seconds and bytes of a sequential read into one buffer that is touched beforehand."""
    buffer = bytearray(BLOCK_BYTES)
    total = 0
    started_ns = time.perf_counter_ns()
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while count := os.readv(descriptor, [buffer]):
                total += count
        finally:
            os.close(descriptor)
    return (time.perf_counter_ns() - started_ns) * 1e-9, total
