"""What does loading several models at the same time gain or cost against one after another, in one process?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.llama.settings import LoadSettings

FIRST_IMPORT = "llama_cpp"
METRICS = {
    "model_load_time": MetricDefinition("model_load_time", "s", "lower", "load call to context ready"),
    "peak_rss": MetricDefinition("peak_rss", "B", "lower", "highest resident memory of the process"),
}


def measure(context: Context) -> Iterator[Sample]:
    """One sample: from the first load call until every model has a context, in seconds."""
    from synapse_perf.host.process_memory import memory_split
    from synapse_perf.llama.loading import LoadedModel, load_model, low_level_api, make_context, start_backend
    from synapse_perf.llama.native_log import NativeLog
    from synapse_perf.llama.settings import LoadSettings

    low_level = low_level_api()
    settings = [LoadSettings.from_workload(entry) for entry in context.workload["settings"]]
    log = NativeLog()
    log.install(low_level)
    start_backend(low_level)
    loaded: list[LoadedModel] = []
    errors: list[Exception] = []

    def load(one: LoadSettings) -> None:
        try:
            model = load_model(low_level, one, log)
            loaded.append(model)
            make_context(low_level, one, model, log)
        except Exception as error:  # in a thread it would be lost
            errors.append(error)

    in_parallel = context.workload["order"] == "parallel"
    context.stage(f"loading {len(settings)} models {'in parallel' if in_parallel else 'one after another'}")
    started_ns = time.perf_counter_ns()
    _run(load, settings, in_parallel)
    duration_s = (time.perf_counter_ns() - started_ns) * 1e-9
    memory = memory_split()
    for model in loaded:
        model.release(low_level)
    if errors:
        raise _failed(errors[0], "".join(text for _, _, text in log.texts())) from errors[0]
    values = [Measurement("model_load_time", duration_s)]
    if memory.peak_rss is not None:
        values.append(Measurement("peak_rss", float(memory.peak_rss)))
    yield Sample(tuple(values), {"rss_anonymous_bytes": memory.anonymous, "rss_file_bytes": memory.file_mapped})


def _run(load: Callable[[LoadSettings], None], settings: list[LoadSettings], in_parallel: bool) -> None:
    if not in_parallel:
        for one in settings:
            load(one)
        return
    threads = [threading.Thread(target=load, args=(one,)) for one in settings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _failed(error: Exception, log: str) -> BenchmarkFailed:
    from synapse_perf.llama.load_failure import explain
    from synapse_perf.llama.loading import LoadFailed

    if not isinstance(error, LoadFailed):
        raise error
    kind, remedy = explain(str(error))
    return BenchmarkFailed(kind, str(error), remedy, log)
