"""Does a cache of query vectors or of answers pay on this stream of queries, and how large has it to be?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from synapse_perf.analyze.cache_bounds import KEEPS, HitRates, hit_rates
from synapse_perf.analyze.compare import SMALLEST_EFFECT
from synapse_perf.analyze.summary import median_interval
from synapse_perf.model import Finding, Gain, Interval, Json, Metric, Severity, Trial
from synapse_perf.units import format_bytes, format_duration, format_percent

EMBEDDING, RESULT = "embedding", "result"
_CHANGES = {
    EMBEDDING: "@functools.lru_cache(maxsize={bound})\n"
    "def embed(query: str):\n"
    "    vector = encoder.embed(query)\n"
    "    vector.setflags(write=False)  # all callers share it\n"
    "    return vector",
    RESULT: "@functools.lru_cache(maxsize={bound})\n"
    "def context_for(query: str, index_version: str) -> str: ...\n"
    'context_for(" ".join(query.split()).casefold(), index_version)  # a new index has a new version',
}
_CACHED = {EMBEDDING: "embed", RESULT: "context_for"}
_WORDS = {EMBEDDING: "query vectors", RESULT: "answers"}


def cache_findings(metrics: Sequence[Metric], trials: Sequence[Trial], confidence: float) -> list[Finding]:
    """Of each stream that was replayed; `trials` tell the keys, from which the effect of a bound follows."""
    found: list[Finding] = []
    savings = [metric for metric in metrics if metric.name == "cache_saving" and metric.summary.count]
    for stream in dict.fromkeys(metric.labels["stream"] for metric in savings):
        of_stream = {metric.labels["cache"]: metric for metric in savings if metric.labels["stream"] == stream}
        rates = _rates(trials, stream)
        sizes = _entry_sizes(metrics, stream)
        for cache, saved in _savings(of_stream).items():
            beyond = " beyond a cache of query vectors" if cache == RESULT and EMBEDDING in of_stream else ""
            found += _not_cached(stream, cache, of_stream[cache], saved, rates, sizes, confidence, beyond)
        found += _bounds(stream, rates, sizes)
    return found


def _savings(metrics: Mapping[str, Metric]) -> dict[str, list[float]]:
    """Seconds per query that each cache saves in each process: that of answers beyond that of vectors."""
    saved = {cache: _by_process(metric) for cache, metric in metrics.items()}
    embedding = saved.get(EMBEDDING, {})
    return {
        cache: [value - (embedding.get(process, 0.0) if cache == RESULT else 0.0) for process, value in values.items()]
        for cache, values in saved.items()
    }


def _not_cached(
    stream: str,
    cache: str,
    metric: Metric,
    saved: Sequence[float],
    rates: Mapping[str, HitRates],
    sizes: Mapping[str, float],
    confidence: float,
    beyond: str,
) -> list[Finding]:
    """What a cache saves on the stream, if that is more than a trifle beyond doubt."""
    without_s = statistics.median(_facts(metric, "without_s"))
    interval = median_interval(saved, confidence)
    hits = sum(_facts(metric, "hits"))
    if interval is None or not hits or interval.low <= SMALLEST_EFFECT * without_s:
        return []
    gain_s = statistics.median(saved)
    rate = hits / sum(_facts(metric, "requests"))
    cause = (
        f"no cache of {_WORDS[cache]}: {_told(stream)} one answers {format_percent(rate)} of the queries and saves "
        f"{format_duration(gain_s)} of {format_duration(without_s)} per query{beyond}"
    )
    bound = _power_of_two(rates[cache].smallest_bound()) if cache in rates else 1024
    return [
        Finding(
            f"no-{cache}-cache",
            _severity(stream, gain_s / without_s),
            cause,
            _evidence(stream, metric, rate, interval, sizes.get(cache)),
            Gain(gain_s, interval.low, interval.high, "s", measured=True),
            _CHANGES[cache].format(bound=bound),
            f"{_CACHED[cache]}.cache_info() after a day: hits / (hits + misses)",
            f"rate(retrieval_cache_hits_total[1h]) / rate(retrievals_total[1h]) < {rate / 2:.2g}",
        )
    ]


def _evidence(
    stream: str, metric: Metric, rate: float, interval: Interval, entry_bytes: float | None
) -> dict[str, Json]:
    saved_per_hit_s = statistics.median(_facts(metric, "saved_per_hit_s"))
    overhead_s = statistics.median(_facts(metric, "overhead_s"))
    return {
        "stream": stream,
        "hit_rate": rate,
        "saved_per_query_s": {"low": interval.low, "high": interval.high, "confidence": interval.confidence},
        "saved_per_hit_s": saved_per_hit_s,
        "overhead_per_query_s": overhead_s,
        # From this hit rate on, what the hits save is more than what the misses pay.
        "break_even_hit_rate": overhead_s / (saved_per_hit_s + overhead_s) if saved_per_hit_s > 0 else None,
        "entry_bytes": entry_bytes,
        "answers_that_differ": round(sum(_facts(metric, "differing"))),
        "processes": metric.summary.processes,
    }


def _bounds(stream: str, rates: Mapping[str, HitRates], sizes: Mapping[str, float]) -> list[Finding]:
    """The smallest bound of each cache that costs next to no hits."""
    bounds = {cache: found.smallest_bound() for cache, found in rates.items() if found.distances}
    if not bounds:
        return []
    told = ", ".join(f"{bound} {_WORDS[cache]}{_held(bound, sizes.get(cache))}" for cache, bound in bounds.items())
    evidence: dict[str, Json] = {
        cache: {
            "requests": rates[cache].requests,
            "hit_rate_unbounded": rates[cache].unbounded,
            "smallest_bound": bound,
            "hit_rate_bounded": rates[cache].within(bound),
            "hit_rates": _curve(rates[cache]),
            "entry_bytes": sizes.get(cache),
        }
        for cache, bound in bounds.items()
    }
    cause = f"{_told(stream)} a cache keeps its hit rate within {100 * KEEPS:g} percentage point with {told}"
    return [Finding("cache-bound", "info", cause, {"stream": stream, **evidence}, None, "", "", "")]


def _curve(rates: HitRates) -> dict[str, Json]:
    """The hit rate of each power of two of entries, up to the first that loses nothing."""
    enough = _power_of_two(rates.distances[-1]).bit_length()
    return {str(1 << power): rates.within(1 << power) for power in range(enough)}


def _rates(trials: Sequence[Trial], stream: str) -> dict[str, HitRates]:
    """The hit rates of every bound, from the keys of the stream: the same in each process."""
    for trial in trials:
        keys = trial.facts.get("keys")
        if keys and trial.spec.labels.get("stream") == stream:
            return {cache: hit_rates(asked) for cache, asked in keys.items()}
    return {}


def _entry_sizes(metrics: Sequence[Metric], stream: str) -> dict[str, float]:
    found = (m for m in metrics if m.name == "cache_entry_size" and m.labels["stream"] == stream and m.summary.count)
    return {m.labels["cache"]: statistics.median(_by_process(m).values()) for m in found}


def _severity(stream: str, share: float) -> Severity:
    """A drawn stream is an assumption about the users; their own log is none."""
    if stream != "log":
        return "low"
    return "high" if share >= 0.5 else "medium"


def _told(stream: str) -> str:
    if stream.startswith("zipf"):
        return f"on a stream drawn after Zipf (exponent {stream.removeprefix('zipf-')})"
    return "on your log of queries" if stream == "log" else "on queries that never come again"


def _held(bound: int, entry_bytes: float | None) -> str:
    return f" ({format_bytes(bound * entry_bytes)})" if entry_bytes else ""


def _power_of_two(bound: int) -> int:
    return 1 << max(0, bound - 1).bit_length()


def _by_process(metric: Metric) -> dict[int, float]:
    return {record.process: record.samples[0] for record in metric.trials if record.samples}


def _facts(metric: Metric, name: str) -> list[float]:
    values = (value for record in metric.trials for value in record.facts.get(name, ()))
    return [float(value) for value in values if isinstance(value, int | float)]
