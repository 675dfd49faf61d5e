"""What does loading several models at the same time gain or cost against one after another, in one process?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = "llama_cpp"
METRICS = {
    "model_load_time": MetricDefinition("model_load_time", "s", "lower", "load call to context ready"),
    "peak_rss": MetricDefinition("peak_rss", "B", "lower", "highest resident memory of the process"),
}


def measure(context: Context) -> Iterator[Sample]:
    """One sample: from the first load call until every model has a context, in seconds."""
    from synapse_perf.host.process_memory import memory_split
    from synapse_perf.llama.loading import (
        LoadedModel,
        LoadFailed,
        load_model,
        low_level_api,
        make_context,
        start_backend,
    )
    from synapse_perf.llama.native_log import NativeLog
    from synapse_perf.llama.settings import LoadSettings

    low_level = low_level_api()
    settings = [LoadSettings.from_workload(entry) for entry in context.workload["settings"]]
    log = NativeLog()
    log.install(low_level)
    start_backend(low_level)
    loaded: list[LoadedModel] = []
    errors: list[LoadFailed] = []

    def load(one: LoadSettings) -> None:
        try:
            model = load_model(low_level, one, log)
            loaded.append(model)
            make_context(low_level, one, model, log)
        except LoadFailed as error:
            errors.append(error)

    in_parallel = context.workload["order"] == "parallel"
    context.stage(f"loading {len(settings)} models {'in parallel' if in_parallel else 'one after another'}")
    started_ns = time.perf_counter_ns()
    _run(load, settings, in_parallel)
    duration_s = (time.perf_counter_ns() - started_ns) * 1e-9
    peak = memory_split().peak_rss
    for model in loaded:
        model.release(low_level)
    if errors:
        raise BenchmarkFailed("error", str(errors[0]), "load each model alone to see which one it is")
    values = [Measurement("model_load_time", duration_s)]
    if peak is not None:
        values.append(Measurement("peak_rss", float(peak)))
    yield Sample(tuple(values))


def _run(load: Any, settings: list[Any], in_parallel: bool) -> None:
    if not in_parallel:
        for one in settings:
            load(one)
        return
    threads = [threading.Thread(target=load, args=(one,)) for one in settings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
