"""In which ways can an asyncio service retrieve? The built-in retrieval as FastAPI handlers would call it.

llama.cpp's context is not safe to use from several threads: every way has one owner of the encoder at a time, and tells
how long a request waited for it. FAISS's search is safe, and lets other threads run.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.benchmarks.open_loop import Serve, in_executor, to_thread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from synapse_perf.llama.encoder import Encoder
    from synapse_perf.retrieval.pipeline import Pipeline

    Vector = NDArray[np.float32]

BATCH_WINDOW_S = 0.002
BATCH_AT_MOST = 32


class Found(NamedTuple):
    """The answer to one request: the places that the search found, those packed, and the wait for the encoder."""

    places: tuple[int, ...]
    chunks: tuple[int, ...]
    encoder_wait_s: float


class SharedRetriever:
    """One encoder and one index for all threads of a process."""

    def __init__(self, encoder: Encoder, pipeline: Pipeline) -> None:
        self._encoder = encoder
        self._pipeline = pipeline
        self._one_at_a_time = threading.Lock()

    def retrieve(self, text: str) -> Found:
        """The whole of it, in the calling thread."""
        vector, wait_s = self.embed(text)
        return self.answer([vector], [wait_s])[0]

    def embed(self, text: str) -> tuple[Vector, float]:
        """The vector of a text, and how long it waited for the encoder."""
        asked_ns = time.perf_counter_ns()
        with self._one_at_a_time:
            wait_s = (time.perf_counter_ns() - asked_ns) * 1e-9
            return self._encoder.embed(text), wait_s

    def answer(self, vectors: list[Vector], waits_s: list[float]) -> list[Found]:
        """Search, filter and pack for one vector or a batch."""
        import numpy as np

        answers = self._pipeline.answer(np.stack(vectors))
        return [Found(places, packed.chunks, wait_s) for (places, packed), wait_s in zip(answers, waits_s, strict=True)]


class Service:
    """One way to retrieve; `serve` is called on the loop, `in_worker` in a thread as those that search."""

    def __init__(self, serve: Serve, in_worker: Callable[[Callable[[], Any]], Any], close: Callable[[], None]) -> None:
        self.serve = serve
        self.in_worker = in_worker
        self.close = close


def make_service(
    strategy: str,
    retriever: SharedRetriever,
    loop: asyncio.AbstractEventLoop,
    *,
    workers: int,
    prepare_thread: Callable[[], None] | None,
) -> Service:
    """The service of a strategy; `prepare_thread` is the first thing that each of its threads does."""
    if strategy == "micro-batch":
        batches = MicroBatches(retriever, prepare_thread)
        return Service(batches.serve, batches.call, batches.close)
    many = None if strategy in ("to-thread", "on-the-loop") else workers
    executor = ThreadPoolExecutor(many, initializer=prepare_thread)
    if many is None:
        loop.set_default_executor(executor)
    serve: Serve = {
        "to-thread": to_thread(retriever.retrieve),
        "on-the-loop": _search_on_the_loop(retriever),
        "bounded": in_executor(retriever.retrieve, executor),
    }[strategy]
    call = _call_here if strategy == "on-the-loop" else (lambda function: executor.submit(function).result())
    return Service(serve, call, executor.shutdown)


def _search_on_the_loop(retriever: SharedRetriever) -> Serve:
    """What the engine does: the embedding leaves the loop, the search and what follows does not."""

    async def serve(text: str) -> Found:
        vector, wait_s = await asyncio.to_thread(retriever.embed, text)
        return retriever.answer([vector], [wait_s])[0]

    return serve


def _call_here(function: Callable[[], Any]) -> Any:
    return function()


class MicroBatches:
    """One thread owns the encoder: it gathers what comes within a moment, and searches for all of that at once."""

    def __init__(self, retriever: SharedRetriever, prepare_thread: Callable[[], None] | None) -> None:
        self._retriever = retriever
        self._prepare_thread = prepare_thread
        self._asked: queue.SimpleQueue[_Asked | Callable[[], None] | None] = queue.SimpleQueue()
        self._owner = threading.Thread(target=self._own, daemon=True)
        self._owner.start()

    async def serve(self, text: str) -> Found:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        self._asked.put(_Asked(text, time.perf_counter_ns(), loop, future))
        return await future

    def call(self, function: Callable[[], Any]) -> Any:
        """The value of a function that is called in the owner's thread."""
        values: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._asked.put(lambda: values.put(function()))
        return values.get()

    def close(self) -> None:
        self._asked.put(None)
        self._owner.join()

    def _own(self) -> None:
        if self._prepare_thread is not None:
            self._prepare_thread()
        while (first := self._asked.get()) is not None:
            if isinstance(first, _Asked):
                self._answer([first, *self._gather()])
            else:
                first()

    def _gather(self) -> list[_Asked]:
        gathered: list[_Asked] = []
        until_s = time.monotonic() + BATCH_WINDOW_S
        while len(gathered) < BATCH_AT_MOST - 1 and (left_s := until_s - time.monotonic()) > 0:
            try:
                another = self._asked.get(timeout=left_s)
            except queue.Empty:
                break
            if not isinstance(another, _Asked):
                self._asked.put(another)
                break
            gathered.append(another)
        return gathered

    def _answer(self, batch: list[_Asked]) -> None:
        try:
            began_ns, vectors = [], []
            for asked in batch:
                began_ns.append(time.perf_counter_ns())
                vectors.append(self._retriever.embed(asked.text)[0])
            waits_s = [(began - asked.at_ns) * 1e-9 for began, asked in zip(began_ns, batch, strict=True)]
            found = self._retriever.answer(vectors, waits_s)
        except Exception as error:
            for asked in batch:
                asked.loop.call_soon_threadsafe(_fail, asked.future, error)
            return
        for asked, answer in zip(batch, found, strict=True):
            asked.loop.call_soon_threadsafe(_resolve, asked.future, answer)


class _Asked(NamedTuple):
    text: str
    at_ns: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Found]


def _resolve(future: asyncio.Future[Found], answer: Found) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Found], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
