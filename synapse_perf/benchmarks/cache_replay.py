"""What does a cache save on a stream of queries? Asks each query without it and with it, in turns.

The ways take turns by a few queries, so that what else happens on the machine meets all of them. No cache has a bound
here; what a bound costs follows from the keys of the stream (analyze/cache_bounds.py). Standard library only, as it
runs in the user's own environment as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from sys import getsizeof
from typing import Any, NamedTuple

from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("cache_saving", "s", "higher", "time that a cache saves per query of the stream"),
        MetricDefinition("cache_hit_rate", "1", "higher", "share of the stream's queries that a cache answers"),
        MetricDefinition("cache_entry_size", "B", "lower", "memory of one entry, key and value"),
    )
}
BLOCK = 10  # queries asked in one way before the next way has its turn
WARM_UPS = 20
OVERHEAD_REPEATS = 2000

Answer = Any


class Cache:
    """Remembers what a function gave for each key; an entry is a hit from its second use on."""

    def __init__(
        self, name: str, key: Callable[[str], str], compute: Callable[[str], Any], finish: Callable[[Any], Answer]
    ) -> None:
        self.name = name
        self.entries: dict[str, Any] = {}
        self.hits: list[bool] = []
        self._key = key
        self._compute = compute
        self._finish = finish

    def ask(self, text: str) -> Answer:
        key = self._key(text)
        value = self.entries.get(key)
        self.hits.append(value is not None)
        if value is None:
            value = self.entries[key] = self._compute(text)
        return self._finish(value)

    def overhead_s(self, texts: Sequence[str]) -> float:
        """What the key, the look-up and the entry of one query take."""
        entries: dict[str, Any] = {}
        started_ns = time.perf_counter_ns()
        for turn in range(OVERHEAD_REPEATS):
            key = self._key(texts[turn % len(texts)])
            entries[key] = entries.get(key)
        return (time.perf_counter_ns() - started_ns) * 1e-9 / OVERHEAD_REPEATS

    def entry_bytes(self) -> float:
        """The mean over the entries, with their places in the dictionary."""
        held = sum(getsizeof(key) + size_of(value) for key, value in self.entries.items())
        return (held + getsizeof(self.entries)) / len(self.entries)


class Replay(NamedTuple):
    """What one way gave for the stream: the texts, the seconds and the answer of each query."""

    texts: Sequence[str]
    seconds: list[float]
    answers: list[Answer]


def replay(ways: Sequence[Callable[[str], Answer]], texts: Sequence[str]) -> list[Replay]:
    """Ask all texts in every way, in order; the ways take turns, forth and back."""
    replays = [Replay(texts, [], []) for _ in ways]
    for turn, first in enumerate(range(0, len(texts), BLOCK)):
        for number in range(len(ways))[:: -1 if turn % 2 else 1]:
            for text in texts[first : first + BLOCK]:
                started_ns = time.perf_counter_ns()
                answer = ways[number](text)
                replays[number].seconds.append((time.perf_counter_ns() - started_ns) * 1e-9)
                replays[number].answers.append(answer)
    return replays


def size_of(value: Any) -> int:
    """Bytes of a value and of all that it holds, each part once."""
    found, left = {id(value): getsizeof(value)}, [value]
    while left:
        for part in _held(left.pop()):
            if id(part) not in found:
                found[id(part)] = getsizeof(part)
                left.append(part)
    return sum(found.values())


def _held(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return [vars(value)] if hasattr(value, "__dict__") and not isinstance(value, type) else []


def sample_of(
    cache: Cache, without: Replay, cached: Replay, compared: Callable[[Answer], Any] = lambda answer: answer
) -> Sample:
    """What the cache saved; answers are the same if `compared` makes the same of both."""
    saved = [before - after for before, after in zip(without.seconds, cached.seconds, strict=True)]
    count, hits = len(saved), sum(cache.hits)
    saved_by_hits = [seconds for seconds, hit in zip(saved, cache.hits, strict=True) if hit]
    facts: dict[str, Fact] = {
        "requests": count,
        "hits": hits,
        "without_s": sum(without.seconds) / count,
        "saved_per_hit_s": sum(saved_by_hits) / hits if hits else None,
        "overhead_s": cache.overhead_s(cached.texts),
        "differing": sum(
            compared(one) != compared(other) for one, other in zip(without.answers, cached.answers, strict=True)
        ),
    }
    labels = {"cache": cache.name}
    values = {
        "cache_saving": sum(saved) / count,
        "cache_hit_rate": hits / count,
        "cache_entry_size": cache.entry_bytes(),
    }
    return Sample(tuple(Measurement(name, value, labels) for name, value in values.items()), facts)
