"""A benchmark that does what its workload says: the ways to succeed and to die that a runner has to survive."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {"phase_time": MetricDefinition("phase_time", "s", "lower", "a number")}


def measure(context: Context) -> Iterator[Sample]:
    behaviour = context.workload["behaviour"]
    context.stage(f"about to {behaviour}")
    for number in range(1, 100):
        yield Sample((Measurement("phase_time", float(number)),), {"number": number})
        _misbehave(behaviour, context)


def _misbehave(behaviour: str, context: Context) -> None:  # noqa: C901  # a list of ways to die
    match behaviour:
        case "print":
            sys.stdout.write("a library prints to stdout\n")
            os.write(1, b'{"kind":"done"} from native code\n')
            subprocess.run([sys.executable, "-c", "print('a child prints')"], check=True)
        case "raise":
            raise RuntimeError("planted error")
        case "fail":
            raise BenchmarkFailed("error", "planted failure", "planted remedy", "planted detail")
        case "no-memory":
            raise MemoryError
        case "exit":
            sys.stderr.write("last words\n")
            sys.stderr.flush()
            os._exit(7)
        case "abort":
            os.write(2, b"GGML_ASSERT(planted) failed\n")
            os.abort()
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(3600)
        case "child":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
            context.process_started(child.pid)
            context.facts["child"] = child.pid
            if context.workload.get("then_hang"):
                context.stage(f"child {child.pid}")
                time.sleep(3600)
