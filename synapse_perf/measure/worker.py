"""The child side of a trial: reads the request, runs the benchmark, reports samples, and never outlives the parent."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import threading
from typing import Any, NoReturn

from synapse_perf.benchmarks import module_name
from synapse_perf.benchmarks.context import BenchmarkFailed, Context, Look
from synapse_perf.samples import Sample

PR_SET_PTRACER = 0x59616D61  # linux/prctl.h
PR_SET_PTRACER_ANY = -1


class Channel:
    """The way back to the parent, in the messages of protocol.py; safe to use from several threads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, kind: str, **content: Any) -> None:
        line = memoryview(json.dumps({"kind": kind, **content}, separators=(",", ":")).encode() + b"\n")
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]


def main(channel_fd: int, started_ns: int, first_import: tuple[Look, Look], import_error: Exception | None) -> NoReturn:
    """Serve one request and end the process."""
    channel = Channel(channel_fd)
    # Raw reads: a buffered reader would be locked by the lifeline's thread when the process ends.
    request = json.loads(_read_line())
    if request["watch"] == "outside":
        _allow_tracing()
    channel.send("ready", pid=os.getpid())
    if _read_line().strip() != "go":
        os._exit(1)
    context = Context(request["workload"], request["spawned_ns"], started_ns, first_import, channel.send)
    threading.Thread(target=_hold_lifeline, args=(context,), daemon=True).start()
    try:
        if import_error is not None:
            raise import_error
        _measure_watched(request, context, channel)
        channel.send("done", facts=context.facts)
    except Exception as error:
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more, and all the more has to be ended
            channel.send("failed", failure=_explain(error).failure)
    context.end_processes()
    sys.stderr.flush()
    os._exit(0)  # the interpreter's own end takes time that nobody needs


def _measure_watched(request: dict[str, Any], context: Context, channel: Channel) -> None:
    """As `_measure`, with the stacks sampled from inside where that was asked for."""
    if request["watch"] != "inside":
        _measure(request, context, channel)
        return
    from synapse_perf.measure.stack_sampler import StackSampler

    sampler = StackSampler()
    sampler.start()
    try:
        _measure(request, context, channel)
    finally:
        context.facts["stacks"] = sampler.stop()


def _allow_tracing() -> None:
    """Let a process that is no ancestor attach: the usual setting of Linux (ptrace_scope 1) asks for this."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_long(PR_SET_PTRACER_ANY), 0, 0, 0)


def _measure(request: dict[str, Any], context: Context, channel: Channel) -> None:
    """Send every sample after the warm-ups, until there are as many as were asked for."""
    benchmark = importlib.import_module(module_name(request["benchmark"]))
    generator = benchmark.measure(context)
    for number, sample in enumerate(generator, start=1):
        if number > request["warmups"]:
            channel.send("sample", sample=_as_dict(sample))
        if number == request["warmups"] + request["samples"]:
            break
    generator.close()


def _as_dict(sample: Sample) -> dict[str, Any]:
    values = [{"metric": one.metric, "value": one.value, "labels": dict(one.labels)} for one in sample.values]
    return {"values": values, "facts": dict(sample.facts)}


def _explain(error: Exception) -> BenchmarkFailed:
    if isinstance(error, BenchmarkFailed):
        return error
    if isinstance(error, MemoryError):
        return BenchmarkFailed("out-of-memory", "no memory left", "close other programs or choose less work")
    if isinstance(error, ImportError):
        return BenchmarkFailed(
            "error",
            f"{sys.executable} cannot import {error.name or 'a module'}: {error}",
            "install it there, or choose another interpreter with --python",
        )
    import traceback

    return BenchmarkFailed(
        "error", f"{type(error).__name__}: {error}", detail="".join(traceback.format_exception(error))
    )


def _read_line() -> str:
    """One line of stdin, read byte by byte so that nothing behind it is taken; exits when the parent is gone."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(1)
        line += byte
    return line.decode()


def _hold_lifeline(context: Context) -> NoReturn:
    """Wait for the end of stdin, which comes when the parent ends in whatever way, then end everything."""
    while os.read(0, 4096):
        pass
    context.end_processes()
    os._exit(1)
