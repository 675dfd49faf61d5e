"""What would a cache of the answers of a user's own retriever save on a stream in which queries come again?

One process asks every query of the stream twice: without the cache, and with it. Standard library only: it runs in the
user's own environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from synapse_perf.benchmarks import cache_replay
from synapse_perf.benchmarks.cache_replay import WARM_UPS, Cache, replay, sample_of
from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Sample

FIRST_IMPORT = None
METRICS = cache_replay.METRICS


def measure(context: Context) -> Iterator[Sample]:
    """One sample."""
    from synapse_perf.benchmarks.answer_digest import digest_of
    from synapse_perf.benchmarks.query_stream import as_keys, query_stream
    from synapse_perf.benchmarks.retriever_session import Session
    from synapse_perf.retrieval.queries import normalised

    session, options = Session(context), context.workload["stream"]
    session.import_module()
    session.build()
    queries = list(session.queries)
    stream = [queries[place] for place in query_stream(len(queries), options)]
    context.facts["keys"] = {"result": as_keys([normalised(text) for text in stream])}
    timed = stream[: options["length"]]

    numbers = {text: number for number, text in enumerate(queries)}

    def uncached(text: str) -> Any:
        return session.ask_text(text, numbers[text]).value

    cache = Cache("result", normalised, uncached, lambda answer: answer)
    session.watch.stage(f"asking {len(timed)} queries without a cache and with one")
    for text in timed[-WARM_UPS:]:
        uncached(text)
    without, cached = replay([uncached, cache.ask], timed)
    yield sample_of(cache, without, cached, digest_of)
