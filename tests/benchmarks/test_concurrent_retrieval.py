from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.load_steps import steps_of
from synapse_perf.analyze.retrieval_experiments import TRAP, LoadOptions, concurrency_specs
from synapse_perf.analyze.retrieval_plan import RetrievalRequest
from synapse_perf.benchmarks.concurrent_retrieval import METRICS, STRATEGIES, differing
from synapse_perf.benchmarks.load_samples import highest_but_few, samples_of
from synapse_perf.benchmarks.open_loop import Request, Step
from synapse_perf.benchmarks.retrieval_service import Found, Service, SharedRetriever, make_service
from synapse_perf.retrieval.openmp import threads_here, use_threads
from tests.benchmarks.small_retrieval import QUERIES, hashed_pipeline, prepared_set, run, vector_of

ASKED = [text for text in QUERIES for _ in range(8)]


class OneAtATime:
    """An encoder that notices when two threads are in it at once, as llama.cpp's context would not survive."""

    def __init__(self) -> None:
        self.overlaps = 0
        self._inside = 0

    def embed(self, text: str) -> NDArray[np.float32]:
        self._inside += 1
        time.sleep(0.0005)  # others get their chance to come in
        self.overlaps += self._inside > 1
        self._inside -= 1
        if text == "fail":
            raise ValueError("no vector for this")
        return vector_of(text)


class Counting:
    """A pipeline that counts how many queries each search was for."""

    def __init__(self) -> None:
        self.batches: Counter[int] = Counter()
        self.threads: set[int] = set()
        self._pipeline = hashed_pipeline()

    def answer(self, vectors: NDArray[np.float32]) -> Any:
        self.batches[len(vectors)] += 1
        self.threads.add(threading.get_ident())
        return self._pipeline.answer(vectors)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


class Served:
    """A service of a strategy with all that watches it."""

    def __init__(self, strategy: str, loop: asyncio.AbstractEventLoop) -> None:
        self.encoder, self.pipeline = OneAtATime(), Counting()
        self.retriever = SharedRetriever(self.encoder, self.pipeline)  # type: ignore[arg-type]
        self.service: Service = make_service(strategy, self.retriever, loop, workers=3, prepare_thread=None)
        self._loop = loop

    def ask(self, texts: list[str]) -> list[Any]:
        """All at once."""

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(self.service.serve(text) for text in texts), return_exceptions=True)

        return self._loop.run_until_complete(all_at_once())


@pytest.fixture(params=STRATEGIES)
def served(request: pytest.FixtureRequest, loop: asyncio.AbstractEventLoop) -> Iterator[Served]:
    made = Served(request.param, loop)
    yield made
    made.service.close()


def places(found: list[Found]) -> list[tuple[Any, ...]]:
    return [(one.places, one.chunks) for one in found]


# --- every strategy --------------------------------------------------------------------------------------------------


def test_answers_at_once_are_those_of_the_same_queries_alone(served: Served) -> None:
    alone = [served.retriever.retrieve(text) for text in ASKED]

    assert places(served.ask(ASKED)) == places(alone)
    assert len(set(places(alone))) == len(QUERIES)


def test_two_never_use_the_encoder_at_once(served: Served) -> None:
    served.ask(ASKED)

    assert served.encoder.overlaps == 0


def test_without_the_lock_the_encoder_would_be_used_at_once() -> None:
    encoder, together = OneAtATime(), threading.Barrier(3)

    def embed() -> None:
        together.wait()
        for text in ASKED:
            encoder.embed(text)

    threads = [threading.Thread(target=embed) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert encoder.overlaps > 0


def test_the_wait_for_the_encoder_is_told(served: Served) -> None:
    """96 requests at once, 0.5 ms each: the median waits for at least a few of the others."""
    waits = sorted(found.encoder_wait_s for found in served.ask(ASKED))

    assert all(wait_s >= 0 for wait_s in waits)
    assert waits[-1] >= 0.0005


def test_a_request_that_fails_leaves_the_service_alive(served: Served) -> None:
    failed = served.ask(["fail"])

    assert isinstance(failed[0], ValueError)
    assert places(served.ask(ASKED[:4])) == places([served.retriever.retrieve(text) for text in ASKED[:4]])


# --- what tells them apart -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_the_one_on_the_loop_searches_there(strategy: str, loop: asyncio.AbstractEventLoop) -> None:
    served = Served(strategy, loop)
    served.ask(ASKED)
    served.service.close()

    here = threading.get_ident()
    assert served.pipeline.threads == {here} if strategy == "on-the-loop" else here not in served.pipeline.threads


def test_micro_batches_search_for_several_at_once_and_the_others_for_one(loop: asyncio.AbstractEventLoop) -> None:
    batched, alone = Served("micro-batch", loop), Served("bounded", loop)
    for served in (batched, alone):
        served.ask(ASKED)
        served.service.close()

    assert max(batched.pipeline.batches) > 1
    assert sum(size * times for size, times in batched.pipeline.batches.items()) == len(ASKED)
    assert set(alone.pipeline.batches) == {1}


def test_a_bounded_executor_has_no_more_threads_than_that(loop: asyncio.AbstractEventLoop) -> None:
    served = Served("bounded", loop)
    served.ask(ASKED)
    served.service.close()

    assert 1 <= len(served.pipeline.threads) <= 3


# --- OpenMP ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def main_thread_uses_seven() -> Iterator[None]:
    before = threads_here()
    use_threads(7)
    yield
    use_threads(before)


@pytest.mark.usefixtures("main_thread_uses_seven")
@pytest.mark.parametrize("strategy", ["to-thread", "bounded", "micro-batch"])
def test_what_the_main_thread_sets_does_not_reach_the_workers(strategy: str, loop: asyncio.AbstractEventLoop) -> None:
    retriever = SharedRetriever(OneAtATime(), hashed_pipeline())  # type: ignore[arg-type]
    trapped = make_service(strategy, retriever, loop, workers=2, prepare_thread=None)
    told = make_service(strategy, retriever, loop, workers=2, prepare_thread=lambda: use_threads(3))

    assert threads_here() == 7
    assert trapped.in_worker(threads_here) != 7
    assert told.in_worker(threads_here) == 3
    trapped.close()
    told.close()


# --- what a step says ------------------------------------------------------------------------------------------------


def step_of(*found: tuple[int, ...]) -> Step:
    requests = (Request(0, 0, 0, 0, 1, Found(places, places, 0.0), "") for places in found)
    return Step(1.0, 1.0, 0, tuple(requests), ())


def test_requests_that_found_other_texts_or_another_order_are_counted(tmp_path: Path) -> None:
    metadata = tmp_path / "docs_metadata.json"
    metadata.write_text('[{"content": "a"}, {"content": "b"}, {"content": "b"}, {"content": "c"}]')
    alone = {0: Found((0, 1, 3), (0, 1, 3), 0.0)}

    assert differing(step_of((0, 1, 3), (0, 3, 1), (0, 1, -1)), alone, str(metadata)) == 2


def test_a_text_that_is_there_twice_may_be_found_at_either_place(tmp_path: Path) -> None:
    metadata = tmp_path / "docs_metadata.json"
    metadata.write_text('[{"content": "a"}, {"content": "b"}, {"content": "b"}]')

    assert differing(step_of((0, 2)), {0: Found((0, 1), (0, 1), 0.0)}, str(metadata)) == 0


def test_what_failed_is_a_fact_of_the_step_and_no_latency() -> None:
    answered = step_of((0,), (1,)).requests
    failed = Request(0, 0, 0, 0, 2, None, "ValueError: no vector")
    step = Step(1.0, 1.0, 0, (*answered, failed), (0.001,))

    throughput, *latencies, lags = samples_of("bounded", step, 0, {})

    assert (throughput.facts["errors"], throughput.facts["first_error"]) == (1, "ValueError: no vector")
    assert throughput.values[0].value == pytest.approx(2 / 2e-9)
    assert len(latencies) == 2
    assert [value.metric for value in lags.values] == ["event_loop_lag"]


def test_few_are_above_the_highest_but_few() -> None:
    assert highest_but_few([float(one) for one in range(1, 101)]) == 95
    assert highest_but_few([3.0]) == 3.0


# --- a trial ---------------------------------------------------------------------------------------------------------


def test_a_strategy_is_measured_from_the_encoder_to_the_answers(tmp_path: Path) -> None:
    load = LoadOptions(strategies=("to-thread",), loads=(0.5, 0.9), requests=12, budget_s=1.0)
    plain, trap = concurrency_specs(prepared_set(tmp_path), RetrievalRequest(), load)

    trials = [run(plain, tmp_path), run(trap, tmp_path)]

    assert [trial.failure for trial in trials] == [None, None]
    found = steps_of(metrics_of(trials, METRICS))
    assert set(found) == {("to-thread", ""), ("to-thread", TRAP)}
    for step in (step for steps in found.values() for step in steps):
        assert step.count("differing") == step.count("errors") == 0
        assert step.latency.summary.count == step.count("requests") >= 12
        assert step.latency.labels["state"] == "loaded"
        assert step.encoder_wait is not None
        assert step.lag is not None
        assert step.numbers("omp_main") == [1]
    assert found["to-thread", ""][0].load == 0.5
    assert found["to-thread", ""][0].numbers("omp_workers") == [1]
