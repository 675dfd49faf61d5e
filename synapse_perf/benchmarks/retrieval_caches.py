"""What would a cache of query vectors, or of whole answers, save on a stream in which queries come again?

One process asks every query of the stream three times: without a cache, with one of vectors, with one of answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks import cache_replay
from synapse_perf.benchmarks.cache_replay import WARM_UPS, Answer, Cache, replay, sample_of
from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Sample

if TYPE_CHECKING:
    from synapse_perf.llama.encoder import Encoder
    from synapse_perf.retrieval.pipeline import Pipeline

FIRST_IMPORT = "numpy"
METRICS = cache_replay.METRICS


def measure(context: Context) -> Iterator[Sample]:
    """One sample for each cache."""
    from synapse_perf.benchmarks.ledger import Ledger
    from synapse_perf.benchmarks.query_stream import as_keys, query_stream
    from synapse_perf.benchmarks.retrieval_parts import load_libraries, open_encoder, open_pipeline, read_queries
    from synapse_perf.retrieval.queries import normalised

    workload, ledger = context.workload, Ledger()
    load_libraries(context, ledger)
    encoder = open_encoder(context, ledger)
    pipeline = open_pipeline(context, ledger, encoder)
    queries = read_queries(workload["queries"])
    stream = [queries[place] for place in query_stream(len(queries), workload["stream"])]
    context.facts["keys"] = {"embedding": as_keys(stream), "result": as_keys([normalised(text) for text in stream])}
    timed = stream[: workload["stream"]["length"]]
    uncached, caches = _ways(encoder, pipeline)
    for text in timed[-WARM_UPS:]:
        uncached(text)
    context.stage(f"asking {len(timed)} queries without a cache and with each")
    replays = replay([uncached, *(cache.ask for cache in caches)], timed)
    for cache, replayed in zip(caches, replays[1:], strict=True):
        yield sample_of(cache, replays[0], replayed)
    encoder.close()


def _ways(encoder: Encoder, pipeline: Pipeline) -> tuple[Callable[[str], Answer], list[Cache]]:
    """The retrieval without a cache, and the caches in front of parts of it."""
    from synapse_perf.retrieval.queries import normalised

    def found_for(vector: Any) -> Answer:
        places, packed = pipeline.answer(vector.reshape(1, -1))[0]
        return places, packed.context

    def uncached(text: str) -> Answer:
        return found_for(encoder.embed(text))

    return uncached, [
        Cache("embedding", lambda text: text, encoder.embed, found_for),
        Cache("result", normalised, uncached, lambda answer: answer),
    ]
