"""How long does a model server take from its spawn to health and to its first token, started as its users start it?

The stages are those seen from outside: the port opens, something answers, health says 200, a token comes. What the
server's log tells lies within them as parts, placed by the moments at which its lines arrived.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.server_failure import explained, stamped_lines
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.llama.log_lines import LogLine
    from synapse_perf.outside.model_server import ModelServer

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("model_startup_time", "s", "lower", "spawn of the server to the first token"),
        MetricDefinition("model_load_time", "s", "lower", "spawn of the server to health 200"),
        MetricDefinition("phase_time", "s", "lower", "time of one part of a start"),
        MetricDefinition("peak_rss", "B", "lower", "highest resident memory of the server's largest process"),
    )
}
OUTSIDE = ("process_to_port", "port_to_answer", "answer_to_ready", "first_token")
LINES_TOLD = 2000  # with their times, for advice
LAUNCH = "launch"  # up to the first line that the server prints
_Span = tuple[str, int, int]  # name, begin and end in ns


def measure(context: Context) -> Iterator[Sample]:
    """One sample per start."""
    from synapse_perf.outside.model_server import is_port_taken

    urls = context.workload["urls"]
    while True:
        if is_port_taken(urls[0]):
            raise BenchmarkFailed("error", f"something already listens at {urls[0]}", "stop it, or choose another port")
        yield _start_once(context, urls)


def _start_once(context: Context, urls: list[str]) -> Sample:
    from synapse_perf.outside.model_server import ModelServer, ServerFailed, is_port_taken
    from synapse_perf.outside.process_tree import usage

    workload = context.workload
    context.stage("starting the server")
    try:
        server = ModelServer(workload["words"], workload["env"], urls, workload["api_key"])
    except OSError as error:
        told = f"cannot start {workload['words'][0]}: {error.strerror}"
        raise BenchmarkFailed("error", told, "give its full path") from error
    context.process_started(server.process.pid)
    try:
        stamps = server.wait_ready(workload["ready_timeout_s"], context.stage)
        context.stage("asking for a first token")
        stamps["first_token"] = server.first_token(workload["ready_timeout_s"])
        used = usage(server.process.pid)
    except ServerFailed as error:
        server.stop()
        raise explained(error, server) from error
    finally:
        context.stage("stopping the server")
        server.stop()
        context.process_ended(server.process.pid)
    if is_port_taken(server.urls[0]):
        told = f"the command has ended, but its server still answers at {server.urls[0]}"
        remedy = "stop it by hand; to measure a container or a service, give a command that stays in the foreground"
        raise BenchmarkFailed("error", told, remedy)
    facts: dict[str, Fact] = {
        "rss_anonymous_bytes": used.anonymous,
        "rss_file_bytes": used.file_mapped,
        "read_bytes": used.read_bytes,
        "ready_url": server.urls[0],
        **({"cache_how": workload["cache_how"]} if "cache_how" in workload else {}),
    }
    return _sample(context, server, stamps, facts, used.peak_rss)


def _sample(
    context: Context, server: ModelServer, stamps: dict[str, int], facts: dict[str, Fact], peak_rss: int | None
) -> Sample:
    from synapse_perf.llama.load_facts import log_facts
    from synapse_perf.llama.load_log import read_load

    lines = stamped_lines(server.output.lines(until_ns=stamps["first_token"]))
    said = read_load(lines)
    device = said.placement.used_device
    outside = _outside(server.spawned_ns, stamps)
    values = [
        Measurement("model_startup_time", (stamps["first_token"] - server.spawned_ns) * 1e-9),
        Measurement("model_load_time", (stamps["ready"] - server.spawned_ns) * 1e-9),
    ]
    for name, duration_s in phases(outside, inside(lines, server.spawned_ns)).items():
        values.append(Measurement("phase_time", duration_s, {"phase": name}))
    if peak_rss is not None:
        values.append(Measurement("peak_rss", float(peak_rss)))
    context.facts["log"] = "\n".join(line.text for line in lines)
    context.facts["log_lines"] = [[line.time_ns, line.level, line.text] for line in lines[:LINES_TOLD]]
    context.facts["warnings"] = list(said.warnings)
    labels = {"device": device} if device else {}
    return Sample(
        tuple(Measurement(one.metric, one.value, {**one.labels, **labels}) for one in values),
        {**log_facts(said), **facts, "device": device},
    )


def inside(lines: Sequence[LogLine], spawned_ns: int) -> list[_Span]:
    """The phases of the load as the log tells them, from the spawn on; empty where it does not speak of a load."""
    from synapse_perf.llama.load_phases import find_phases

    told = find_phases(lines)
    spans = [span for span in told.spans if "." not in span[0]]
    if "vocabulary" in told.missing and "tensors" in told.missing:
        return []
    first = next((line.time_ns for line in lines if line.time_ns is not None), None)
    return [(LAUNCH, spawned_ns, first), *spans] if first is not None else []


def phases(outside: Sequence[_Span], within: Sequence[_Span]) -> dict[str, float]:
    """Seconds of each outer stage and, as its parts, of what lies in it: ``answer_to_ready.tensors``."""
    sums: dict[str, float] = {}
    for name, begin, end in outside:
        sums[name] = (end - begin) * 1e-9
        for part, part_begin, part_end in within:
            overlap_ns = min(end, part_end) - max(begin, part_begin)
            if overlap_ns > 0 and name != OUTSIDE[-1]:
                key = f"{name}.{part}"
                sums[key] = sums.get(key, 0.0) + overlap_ns * 1e-9
    return sums


def _outside(spawned_ns: int, stamps: dict[str, int]) -> list[_Span]:
    moments = [spawned_ns, *(stamps[name] for name in ("port_open", "first_answer", "ready", "first_token"))]
    return list(zip(OUTSIDE, moments[:-1], moments[1:], strict=True))
