"""Which trials show retrieval under load, and with caches on a stream of queries?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from synapse_perf.analyze.retrieval_plan import RetrievalRequest, RetrievalSet
from synapse_perf.benchmarks.concurrent_retrieval import STRATEGIES
from synapse_perf.benchmarks.load_plan import LOADS
from synapse_perf.model import Json, TrialSpec

ALL_SAMPLES = 1_000_000  # a trial of load has as many as it takes
TRAP = "omp_threads=default"  # set in the main thread alone


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Which ways to retrieve under load are compared, and how the load is made."""

    strategies: tuple[str, ...] = STRATEGIES
    workers: int = 2  # of the bounded executor
    compares_openmp: bool = True
    arrivals: Literal["poisson", "even"] = "poisson"
    requests: int = 40  # a step
    budget_s: float = 8.0  # of all steps of a trial
    loads: tuple[float, ...] = LOADS  # times the serial rate
    seed: int = 0

    def plan(self) -> dict[str, Json]:
        """As the worker takes it."""
        return {
            "loads": self.loads,
            "requests": self.requests,
            "budget_s": self.budget_s,
            "arrivals": self.arrivals,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Which queries are asked again, and when: drawn after Zipf, the file's own order, or none twice."""

    kind: Literal["zipf", "log", "fresh"] = "zipf"
    exponent: float = 1.0
    length: int = 200  # of a drawn stream, and the most of any that are timed
    seed: int = 0


def concurrency_specs(
    searched: RetrievalSet, request: RetrievalRequest, load: LoadOptions | None = None
) -> list[TrialSpec]:
    """A trial for each strategy, and one whose worker threads were not told how many OpenMP threads to use."""
    load = load or LoadOptions()
    threads = request.omp_threads[0] or 1
    specs = [_under_load(searched, request, load, strategy, threads) for strategy in load.strategies]
    shared = next((strategy for strategy in ("to-thread", "bounded") if strategy in load.strategies), None)
    if load.compares_openmp and shared:
        specs.append(_under_load(searched, request, load, shared, 0))
    return specs


def _under_load(
    searched: RetrievalSet, request: RetrievalRequest, load: LoadOptions, strategy: str, worker_threads: int
) -> TrialSpec:
    is_trap = not worker_threads
    arm = f"load {strategy}" + (f" {TRAP}" if is_trap else "")
    workload: dict[str, Json] = {
        **_pipeline(searched, request),
        "omp_threads": request.omp_threads[0] or 1,
        "worker_omp_threads": worker_threads,
        "strategy": strategy,
        "workers": load.workers,
        "load": load.plan(),
    }
    return TrialSpec(
        "concurrent_retrieval",
        arm,
        {"variant": TRAP} if is_trap else {},
        workload,
        samples=ALL_SAMPLES,
        timeout_s=request.timeout_s,
        files=_files(searched),
        python=request.python,
    )


def cache_specs(
    searched: RetrievalSet, request: RetrievalRequest, stream: StreamOptions | None = None
) -> list[TrialSpec]:
    """One trial: every query of the stream without a cache and with each, in one process."""
    stream = stream or StreamOptions()
    workload = {**_pipeline(searched, request), "omp_threads": request.omp_threads[0], "stream": asdict(stream)}
    return [
        TrialSpec(
            "retrieval_caches",
            f"caches {stream.kind}",
            {"stream": describe_stream(stream)},
            workload,
            samples=ALL_SAMPLES,
            timeout_s=request.timeout_s,
            files=_files(searched),
            python=request.python,
        )
    ]


def describe_stream(stream: StreamOptions) -> str:
    """The stream in a word, as a label: ``zipf-1``, ``log``, ``fresh``."""
    return f"zipf-{stream.exponent:g}" if stream.kind == "zipf" else stream.kind


def _pipeline(searched: RetrievalSet, request: RetrievalRequest) -> dict[str, Json]:
    """What every worker needs to open the built-in retrieval."""
    encoder = searched.encoder
    assert encoder is not None, "vectors alone are not retrieved by text"
    return {
        "index": searched.index,
        "metadata": searched.metadata,
        "queries": searched.queries,
        "open": request.open_modes[0],
        "encoder": {
            "path": encoder.path,
            "label": encoder.label,
            "max_tokens": encoder.max_tokens,
            "threads": request.encoder_threads[0] or encoder.threads,
        },
        "parameters": request.parameters(),
    }


def _files(searched: RetrievalSet) -> tuple[str, ...]:
    assert searched.encoder is not None
    return (searched.index, searched.metadata, searched.encoder.path)
