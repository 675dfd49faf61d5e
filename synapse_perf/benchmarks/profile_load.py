"""Where do the seconds go between the spawn of a process and the first token of a GGUF model?

The worker loads the model once, as a bare script would, and stamps every step. Nothing that is not needed for the load
itself is imported, parsed or sent before the first token is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed, Context, Look
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.host.counters import Counters
    from synapse_perf.llama.load_log import LoadLog
    from synapse_perf.llama.load_phases import LoadPhases
    from synapse_perf.llama.loading import LoadedModel
    from synapse_perf.llama.log_lines import LogLine
    from synapse_perf.llama.native_log import NativeLog
    from synapse_perf.llama.settings import LoadSettings

FIRST_IMPORT = "llama_cpp"
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("model_startup_time", "s", "lower", "spawn of the process to the first token"),
        MetricDefinition("model_load_time", "s", "lower", "load call to context ready"),
        MetricDefinition("phase_time", "s", "lower", "time of one part of a start"),
        MetricDefinition("peak_rss", "B", "lower", "highest resident memory of the process"),
    )
}
# The lines that end a phase inside llama.cpp's load call: there the process's counters are read as well.
PHASE_MARKS = (
    b"print_info: file size",
    b"loading model tensors",
    b"constructing llama_context",
)


def measure(context: Context) -> Iterator[Sample]:
    """One sample: this process's own start. A second one would measure another thing, so there is none."""
    from synapse_perf.host.counters import snapshot
    from synapse_perf.llama.loading import (
        LoadFailed,
        first_token,
        load_model,
        low_level_api,
        make_context,
        start_backend,
    )
    from synapse_perf.llama.native_log import NativeLog
    from synapse_perf.llama.settings import LoadSettings

    low_level = low_level_api()
    settings = LoadSettings.from_workload(context.workload["settings"])
    log = NativeLog(PHASE_MARKS, snapshot)
    log.install(low_level)
    moments: dict[str, Counters] = {"backend_started": snapshot()}
    try:
        start_backend(low_level)
        moments["backend_ended"] = snapshot()
        context.stage("loading the model")
        loaded = load_model(low_level, settings, log)
        moments["load_ended"] = snapshot()
        context.stage("making the context")
        make_context(low_level, settings, loaded, log)
        moments["context_ended"] = snapshot()
        context.stage("decoding the first token")
        first_token(low_level, loaded)
        moments["first_token"] = snapshot()
    except LoadFailed as error:
        from synapse_perf.llama.load_failure import explain

        kind, remedy = explain(str(error))
        raise BenchmarkFailed(kind, str(error), remedy, "".join(text for _, _, text in log.texts())) from error
    memory = _memory_facts()
    yield _sample(context, settings, log, loaded, moments, memory)
    loaded.release(low_level)


def _memory_facts() -> dict[str, Fact]:
    """Taken at the first token, before the tool's own analysis adds to it; Linux counts the peak up to here."""
    from synapse_perf.host.process_memory import memory_split

    memory = memory_split()
    return {
        "peak_rss": memory.peak_rss,
        "rss_anonymous_bytes": memory.anonymous,
        "rss_file_bytes": memory.file_mapped,
    }


def _sample(
    context: Context,
    settings: LoadSettings,
    log: NativeLog,
    loaded: LoadedModel,
    moments: dict[str, Counters],
    memory: dict[str, Fact],
) -> Sample:
    """Everything that is worked out once the clock has stopped."""
    from synapse_perf.llama.load_facts import log_facts, package_versions
    from synapse_perf.llama.load_log import join_fragments, read_load
    from synapse_perf.llama.log_lines import as_text
    from synapse_perf.llama.phase_usage import phase_usage

    stamps = loaded.stamps_ns
    lines = join_fragments(log.texts())
    said = read_load(lines)
    inner = _inner_phases(lines, loaded)
    spans = [
        ("interpreter", context.spawned_ns, context.started_ns),
        ("import", context.first_import[0][0], context.first_import[1][0]),
        # What the worker itself needs before it can begin: this tool's overhead, told as such.
        ("harness", context.first_import[1][0], moments["backend_started"].at_ns),
        # With the choice of the device, which may ask every one of them.
        ("backend", moments["backend_started"].at_ns, stamps["load_started"]),
        *inner.spans,
        ("first_token", stamps["context_ended"], stamps["first_token"]),
    ]
    total_s = (stamps["first_token"] - context.spawned_ns) * 1e-9
    facts: dict[str, Fact] = {
        **log_facts(said, settings.load_mode),
        **phase_usage(spans, [*(counters for _, counters in log.snapshots), *moments.values()]),
        **{name: value for name, value in memory.items() if name != "peak_rss"},
        **_import_usage(*context.first_import),
        "blocked_s": _blocked_s(total_s, moments["first_token"]),
    }
    context.facts["log"] = as_text(lines, context.spawned_ns)
    context.facts["packages"] = package_versions()
    context.facts["warnings"] = [*inner.warnings, *said.warnings]
    values = [
        Measurement("model_startup_time", total_s),
        Measurement("model_load_time", (stamps["context_ended"] - stamps["load_started"]) * 1e-9),
        *(Measurement("phase_time", duration_s, {"phase": name}) for name, duration_s in _phases(spans, said, total_s)),
    ]
    if memory["peak_rss"] is not None:
        values.append(Measurement("peak_rss", float(memory["peak_rss"])))
    return Sample(tuple(_with_device(values, str(facts["device"]))), facts)


def _inner_phases(lines: list[LogLine], loaded: LoadedModel) -> LoadPhases:
    """The phases within the load call and the context call."""
    from synapse_perf.llama.load_phases import find_phases

    stamps = loaded.stamps_ns
    return find_phases(
        lines,
        call_start_ns=stamps["load_started"],
        load_end_ns=stamps["load_ended"],
        context_start_ns=stamps["context_started"],
        context_end_ns=stamps["context_ended"],
        progress=loaded.progress,
    )


def _import_usage(start: Look, end: Look) -> dict[str, Fact]:
    """What the import used; it comes before the tool's own counters can be loaded."""
    if start[2] is None or end[2] is None:
        return {}
    wall_s, on_cpu_s, run_queue_s = (end[0] - start[0]) * 1e-9, (end[1] - start[1]) * 1e-9, (end[2] - start[2]) * 1e-9
    return {
        "import.on_cpu_s": on_cpu_s,
        "import.run_queue_s": run_queue_s,
        "import.blocked_s": max(0.0, wall_s - on_cpu_s - run_queue_s),
    }


def _blocked_s(total_s: float, end: Counters) -> float | None:
    """Neither running nor ready to run since the spawn; None where the run queue is not counted."""
    return None if end.run_queue_s is None else max(0.0, total_s - end.thread_cpu_s - end.run_queue_s)


def _phases(spans: list[tuple[str, int, int]], said: LoadLog, total_s: float) -> list[tuple[str, float]]:
    """Seconds of each phase, of the parts of some (with a dot), and of what no phase explains."""
    sums: dict[str, float] = {}
    for name, start_ns, end_ns in spans:
        sums[name] = sums.get(name, 0.0) + (end_ns - start_ns) * 1e-9
    if said.metal.shader_library is not None:
        sums["backend.shaders"] = said.metal.shader_library.seconds
    sums["residual"] = total_s - sum(duration_s for name, duration_s in sums.items() if "." not in name)
    return list(sums.items())


def _with_device(values: list[Measurement], device: str) -> list[Measurement]:
    """The device that llama.cpp used, which decides the target that a start is judged by."""
    return [Measurement(value.metric, value.value, {**value.labels, "device": device}) for value in values]
