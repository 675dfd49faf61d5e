"""How does retrieval behave under load, called as a web service on asyncio calls it?

One process measures one strategy: ``on-the-loop`` (the search stops the event loop, as in the engine), ``to-thread``,
``bounded`` (an executor of its own) or ``micro-batch``. First every query alone, which gives the serial rate and the
answers that each request under load has to get as well; then steps of load, up to beyond what the strategy can do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks import load_samples
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.open_loop import Step
    from synapse_perf.benchmarks.retrieval_service import Found, Service, SharedRetriever

FIRST_IMPORT = "numpy"
STRATEGIES = ("on-the-loop", "to-thread", "bounded", "micro-batch")
METRICS = load_samples.METRICS
SERIAL_S = 1.5  # of asking in turn
WARM_UPS = 5


def measure(context: Context) -> Iterator[Sample]:
    """A sample for the idle loop, then those of each step: its throughput with the facts, its latencies and lags."""
    import asyncio
    from functools import partial

    from synapse_perf.benchmarks.ledger import Ledger
    from synapse_perf.benchmarks.open_loop import ask_in_turn, measure_steps
    from synapse_perf.benchmarks.request_sender import request_sender
    from synapse_perf.benchmarks.retrieval_parts import load_libraries, open_encoder, open_pipeline, read_queries
    from synapse_perf.benchmarks.retrieval_service import SharedRetriever

    workload, ledger = context.workload, Ledger()
    load_libraries(context, ledger)
    encoder = open_encoder(context, ledger)
    retriever = SharedRetriever(encoder, open_pipeline(context, ledger, encoder))
    plan, strategy = load_samples.drawn_plan(context), workload["strategy"]
    queries = list(enumerate(read_queries(workload["queries"])))
    random.Random(plan.seed).shuffle(queries)
    context.stage("asking the queries in turn")
    for _, text in queries[:WARM_UPS]:
        retriever.retrieve(text)
    alone, serial_per_s = ask_in_turn(retriever.retrieve, queries, SERIAL_S)
    loop = asyncio.new_event_loop()
    service = _service(context, retriever, loop)
    known = {
        "omp_main": _omp_threads(),
        "omp_workers": service.in_worker(_omp_threads),
        "serial_per_s": serial_per_s,
        "arrivals_seed": plan.seed,
    }
    asked, tell = queries[: len(alone)], partial(_tell, context)
    with request_sender(context) as sender:
        steps = measure_steps(
            service.serve, asked, serial_per_s, plan, sender, loop=loop, keep=lambda found: found, tell=tell
        )
        for step in steps:
            _stop_if_all_fail(step)
            unlike = differing(step, alone, workload["metadata"])
            yield from load_samples.samples_of(strategy, step, unlike, known, _waits)
    service.close()
    encoder.close()


def _service(context: Context, retriever: SharedRetriever, loop: Any) -> Service:
    from functools import partial

    from synapse_perf.benchmarks.retrieval_service import make_service
    from synapse_perf.retrieval.openmp import use_threads

    workload = context.workload
    prepare = partial(use_threads, workload["worker_omp_threads"]) if workload["worker_omp_threads"] else None
    return make_service(workload["strategy"], retriever, loop, workers=workload["workers"], prepare_thread=prepare)


def _tell(context: Context, load: float) -> None:
    context.stage(f"{context.workload['strategy']}: offering {load:g} times what it answers in turn")


def _omp_threads() -> int:
    from synapse_perf.retrieval.openmp import threads_here

    return threads_here()


def differing(step: Step, alone: dict[int, Any], metadata: str) -> int:
    """Requests that found or packed other texts, or in another order, than the same query asked alone."""
    from synapse_perf.benchmarks.open_loop import unlike_alone

    unlike = unlike_alone(step, alone, lambda found, expected: bool(found[:2] == expected[:2]))
    if not unlike:
        return 0
    from synapse_perf.benchmarks.retrieval_parts import read_contents

    contents = read_contents(metadata)  # a text that is in the index twice may be found at either place

    def texts(places: Sequence[int]) -> list[str]:
        return [contents[place] if place >= 0 else "" for place in places]

    def as_texts(found: Any) -> list[list[str]]:
        return [texts(found.places), texts(found.chunks)]

    return sum(as_texts(request.answer) != as_texts(alone[request.query]) for request in unlike)


def _waits(found: Found) -> dict[str, float]:
    return {"encoder_wait": found.encoder_wait_s}


def _stop_if_all_fail(step: Step) -> None:
    if step.requests and not step.answered:
        told = f"all {len(step.requests)} requests under load failed: {step.errors[0]}"
        raise BenchmarkFailed("error", told, "measure without --concurrency, and look at the log")
