"""Which trials show a user's own retriever under load, and with a cache of its answers?"""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from synapse_perf.analyze.retrieval_experiments import ALL_SAMPLES, LoadOptions, StreamOptions, describe_stream
from synapse_perf.analyze.retriever_load_findings import ONE_THREAD
from synapse_perf.benchmarks.concurrent_user_retriever import ASYNC, PLAIN
from synapse_perf.commands.retriever_choice import RetrieverRequest, retriever_spec
from synapse_perf.host.loaded_libraries import thread_runtimes

if TYPE_CHECKING:
    from synapse_perf.analyze.retriever_seen import Seen
    from synapse_perf.model import Failure, TrialSpec

LONGEST_PATIENCE_S = 30.0  # for what is unanswered after the last request of a step
SHORTEST_PATIENCE_S = 10.0
PATIENCE = 100  # times what one query takes
TRIAL = 80  # the same: so many queries, one after the other, are more than a trial under the slowest plan has
STREAM_S = 10.0  # what the queries of a stream may take, without a cache and with it
IN_THREADS = ("load to-thread", "load bounded")
LEAST_STREAM = 30  # shorter ones repeat next to nothing


def retriever_load_specs(request: RetrieverRequest, seen: Seen, load: LoadOptions | None = None) -> list[TrialSpec]:
    """A trial for each way to call it from an event loop: a plain function and an async one have different ones.

    If it has OpenMP or BLAS threads, the usual way once more with one of them for each query.
    """
    strategies = ASYNC if seen.is_async else PLAIN
    load = load or LoadOptions(strategies=strategies)
    wanted = [strategy for strategy in strategies if strategy in load.strategies]
    specs = [_under_load(request, seen, load, strategy) for strategy in wanted]
    usual = next((strategy for strategy in ("awaited", "to-thread") if strategy in wanted), None)
    if load.compares_openmp and usual and _has_threads_of_its_own(request, seen):
        name, _, value = ONE_THREAD.partition("=")
        spec = _under_load(replace(request, env={**request.env, name: value}), seen, load, usual)
        specs.append(replace(spec, arm=f"{spec.arm} {ONE_THREAD}", labels={**spec.labels, "variant": ONE_THREAD}))
    return specs


def _under_load(request: RetrieverRequest, seen: Seen, load: LoadOptions, strategy: str) -> TrialSpec:
    patience_s = min(LONGEST_PATIENCE_S, max(SHORTEST_PATIENCE_S, PATIENCE * seen.next_retrieve_s))
    request = replace(request, timeout_s=request.timeout_s + TRIAL * seen.next_retrieve_s)
    plan = {**load.plan(), "patience_s": patience_s}
    workload = {"strategy": strategy, "workers": load.workers, "load": plan}
    spec = retriever_spec(request, f"load {strategy}", workload, "concurrent_user_retriever")
    return replace(spec, samples=ALL_SAMPLES)


def _has_threads_of_its_own(request: RetrieverRequest, seen: Seen) -> bool:
    """Whether it loads OpenMP or BLAS, and the number of their threads is not set already."""
    is_set = ONE_THREAD.partition("=")[0] in {**os.environ, **request.env}
    return not is_set and any(thread_runtimes(seen.libraries).values())


def explained_under_load(failure: Failure) -> Failure:
    """A crash among threads, of code that does not crash when it is asked in turn, has a remedy of its own."""
    if failure.kind != "crash" or not failure.arm.startswith(IN_THREADS):
        return failure
    remedy = "call it under a lock, or build one retriever for each thread: several at once end the process"
    return replace(failure, remedy=f"{remedy}; {failure.remedy}")


def retriever_cache_specs(request: RetrieverRequest, seen: Seen, stream: StreamOptions) -> list[TrialSpec]:
    """A trial with every query of the stream, without a cache and with one; none where that would take too long."""
    affordable = int(STREAM_S / 2 / max(seen.next_retrieve_s, 1e-6))
    if affordable < LEAST_STREAM:
        return []
    stream = replace(stream, length=min(stream.length, affordable))
    spec = retriever_spec(request, f"caches {stream.kind}", {"stream": asdict(stream)}, "user_retriever_caches")
    labels = {**spec.labels, "stream": describe_stream(stream)}
    return [replace(spec, labels=labels)]
