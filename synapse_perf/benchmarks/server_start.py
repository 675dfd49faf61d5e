"""How long does a model server take from its spawn to health and to its first token, started as its users start it?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import FailureKind, Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {
    "model_startup_time": MetricDefinition(
        "model_startup_time", "s", "lower", "spawn of the process to the first token"
    ),
    "model_load_time": MetricDefinition("model_load_time", "s", "lower", "spawn of the server to health 200"),
    "phase_time": MetricDefinition("phase_time", "s", "lower", "time of one part of a start"),
}


def measure(context: Context) -> Iterator[Sample]:
    """One sample per start, in phases as seen from outside; the server's log goes along."""
    from synapse_perf.outside.model_server import ServerFailed, is_port_taken

    url = context.workload["url"]
    while True:
        if is_port_taken(url):
            raise BenchmarkFailed("error", f"something already listens at {url}", "stop it, or choose another port")
        try:
            yield _start_once(context, url)
        except FileNotFoundError as error:
            raise BenchmarkFailed("error", f"no such program: {error.filename}", "give its full path") from error
        except ServerFailed as error:
            kind: FailureKind = "time-out" if error.is_timeout else "crash"
            raise BenchmarkFailed(kind, str(error), "run the command by hand to see its log", error.log) from error


def _start_once(context: Context, url: str) -> Sample:
    from synapse_perf.outside.model_server import ModelServer

    context.stage("starting the server")
    server = ModelServer(context.workload["command"], url, Path(context.workload["log_path"]))
    context.process_started(server.process.pid)
    try:
        stamps = server.wait_ready(context.workload["ready_timeout_s"], context.stage)
        context.stage("asking for a first token")
        first_token_ns = server.first_token()
        context.facts["log"] = server.log()
    finally:
        server.stop()
        context.process_ended(server.process.pid)
    points = [
        ("process_to_port", server.spawned_ns, stamps["port_open"]),
        ("port_to_answer", stamps["port_open"], stamps["first_answer"]),
        ("answer_to_ready", stamps["first_answer"], stamps["ready"]),
        ("first_token", stamps["ready"], first_token_ns),
    ]
    return Sample(
        (
            Measurement("model_startup_time", (first_token_ns - server.spawned_ns) * 1e-9),
            Measurement("model_load_time", (stamps["ready"] - server.spawned_ns) * 1e-9),
            *(Measurement("phase_time", (end - start) * 1e-9, {"phase": name}) for name, start, end in points),
        )
    )
