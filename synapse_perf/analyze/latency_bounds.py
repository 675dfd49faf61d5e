"""What is each tier bound by: computing the prompt, memory bandwidth, sampling, text, queueing, or other programs?

Decode efficiency = bytes that a token reads (weights, and the KV cache at the middle of the answer) x tokens decoded
per second of decoding / measured memory bandwidth. Its interval is that of a ratio of two medians over processes.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.disturbance import LIMITS, TOO_MANY, is_disturbed
from synapse_perf.analyze.latency_rows import (
    PARTS,
    Queries,
    facts_of,
    groups_of,
    name_of,
    part_shares,
    phase_shares,
    references,
)
from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, median_interval, process_medians
from synapse_perf.model import Interval, Json, Metric, TrialRecord

BANDWIDTH = "memory_bandwidth"
READS = "reads_per_token"  # where the workload of a result holds what `DecodeReads` are made of
# Of the bandwidth. Reading and computing overlap: what is held back by memory alone comes near all of it, and what
# leaves more than half of it unused waits for something else. In between both may be it; other threads tell (--tune).
SATURATED, UNUSED = 0.8, 0.5
MOSTLY_CACHED = 1.0  # weights that are no larger than the last-level cache are read out of it
_PATH = ("draft", "retrieval", "swap", "prefill", "generation")
BoundBy = Literal[
    "other-programs",
    "queueing",
    "prefill",
    "memory-bandwidth",
    "decode-computing",
    "decode",
    "sampling",
    "text",
    "path",
]


@dataclass(frozen=True, slots=True)
class DecodeReads:
    """What decoding one token of a tier reads; `unknown` says why where that cannot be told."""

    weights_bytes: int = 0
    kv_row_bytes: float | None = None  # of each token in the KV cache; None: the cache is none that can be told
    windowed_row_bytes: float = 0.0  # the same of layers that look back no further than `window`
    window: int | None = None
    elements: int = 0  # multiplied for each token of a prompt, the output matrix not among them
    cache_bytes: int | None = None  # of the processor
    unknown: str = ""

    @classmethod
    def from_json(cls, entry: Mapping[str, Json]) -> DecodeReads:
        return cls(**entry)

    def bytes_at(self, tokens: float) -> float:
        """With so many tokens in the KV cache."""
        looked_back = tokens if self.window is None else min(tokens, self.window)
        return self.weights_bytes + (self.kv_row_bytes or 0.0) * tokens + self.windowed_row_bytes * looked_back

    @property
    def is_cached(self) -> bool:
        return self.cache_bytes is not None and self.weights_bytes <= MOSTLY_CACHED * self.cache_bytes


@dataclass(frozen=True, slots=True)
class Ratio:
    """With an interval where enough processes support one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """What one tier's queries are bound by, with the numbers behind it."""

    group: Queries
    name: str
    by: BoundBy
    part: str  # that takes most of the time
    share: Ratio
    efficiency: Ratio | None = None  # of decoding
    token_bytes: float | None = None
    bytes_per_s: float | None = None
    bandwidth: float | None = None
    reads: DecodeReads = DecodeReads()
    flop_per_s: float | None = None
    disturbed: Mapping[str, float] | None = None  # medians of what others took


def bounds_of(metrics: Sequence[Metric], reads: Mapping[str, DecodeReads], confidence: float) -> list[Bound]:
    """One for each tier and complexity that is judged."""
    groups = groups_of(metrics)
    bandwidth = next((metric for metric in metrics if metric.name == BANDWIDTH and metric.summary.count), None)
    found = []
    for group in references(groups):
        bound = _bound(group, name_of(group, groups), reads.get(group.tier), bandwidth, confidence)
        if bound is not None:
            found.append(bound)
    return found


def reads_of(workload: Mapping[str, Json]) -> dict[str, DecodeReads]:
    """As a result keeps them."""
    entries = workload.get(READS)
    return {tier: DecodeReads.from_json(one) for tier, one in entries.items()} if isinstance(entries, Mapping) else {}


def _bound(
    group: Queries, name: str, reads: DecodeReads | None, bandwidth: Metric | None, confidence: float
) -> Bound | None:
    latency = group.latency
    if latency is None:
        return None
    reads = reads or DecodeReads(unknown="the model's file does not tell")
    part, share = _largest(group, latency, confidence)
    if not part:
        return None
    others = _others(latency)
    if part in _PATH and "draft" in group.phases:
        return Bound(group, name, "other-programs" if others else "path", part, share, disturbed=others)
    efficiency = _efficiency(latency, reads, bandwidth, confidence)
    by = _by(part, reads, efficiency)
    return Bound(
        group,
        name,
        "other-programs" if others else by,
        part,
        share,
        efficiency,
        _middle(_token_bytes(latency, reads)),
        _middle(_bytes_per_s(latency, reads)),
        _bandwidth(bandwidth),
        reads,
        _flop_per_s(group, reads),
        others,
    )


def _by(part: str, reads: DecodeReads, efficiency: Ratio | None) -> BoundBy:
    if part == "prefill":
        return "prefill"
    if part == "queue":
        return "queueing"
    if part == "sampling":
        return "sampling"
    if part != "decode":
        return "text"
    if reads.is_cached:
        return "decode-computing"
    if efficiency is None:
        return "decode"
    low, high = efficiency.low or efficiency.value, efficiency.high or efficiency.value
    if low >= SATURATED:
        return "memory-bandwidth"
    return "decode-computing" if high < UNUSED else "decode"


def _largest(group: Queries, latency: Metric, confidence: float) -> tuple[str, Ratio]:
    """The part or phase with the largest median share of a query."""
    if "draft" in group.phases:
        shares = {name: phase_shares(group, name) for name in _PATH}
    else:
        shares = {name: part_shares(latency, name) for name in ("queue", *PARTS)}
    medians = {name: statistics.median(own) for name, own in shares.items() if own}
    part = max(medians, key=lambda name: medians[name], default="")
    interval = median_interval(shares[part], confidence) if part else None
    return part, _with(medians.get(part, 0.0), interval)


def _with(value: float, interval: Interval | None) -> Ratio:
    return Ratio(value, interval.low, interval.high) if interval else Ratio(value)


def _others(latency: Metric) -> dict[str, float] | None:
    """What others took, where that was too much in most of the processes."""
    disturbed = [record for record in latency.trials if is_disturbed(record)]
    if len(disturbed) < TOO_MANY * len(latency.trials) or not latency.trials:
        return None
    shares = {name: statistics.median(facts_of(latency, name) or [0.0]) for name in LIMITS}
    return {name: share for name, share in shares.items() if share >= LIMITS[name]} or None


# --- how well decoding uses the memory -------------------------------------------------------------------------------


def _efficiency(latency: Metric, reads: DecodeReads, bandwidth: Metric | None, confidence: float) -> Ratio | None:
    """None where it cannot be known, or where the weights do not come out of main memory."""
    decoding, memory = _bytes_per_s(latency, reads), _medians(bandwidth)
    if reads.unknown or reads.is_cached or not decoding or not memory or min(*decoding, *memory) <= 0:
        return None
    value = statistics.median(decoding) / statistics.median(memory)
    if min(len(decoding), len(memory)) < LEAST_FOR_MEDIAN:
        return Ratio(value)
    return Ratio(value, *ratio_interval(decoding, memory, confidence))


def _bytes_per_s(latency: Metric, reads: DecodeReads) -> list[float]:
    """Read while decoding: one value for each process."""
    if reads.unknown:
        return []
    found = []
    for record in latency.trials:
        rates = [
            tokens * reads.bytes_at(context) / seconds for tokens, context, seconds in _decoded(record) if seconds > 0
        ]
        if rates:
            found.append(statistics.median(rates))
    return found


def _token_bytes(latency: Metric, reads: DecodeReads) -> list[float]:
    if reads.unknown:
        return []
    return [reads.bytes_at(context) for record in latency.trials for _, context, _ in _decoded(record)]


def _decoded(record: TrialRecord) -> Iterable[tuple[int, float, float]]:
    """Of each answer: tokens that were decoded, tokens in the KV cache in the middle of that, seconds of decoding.

    The last token is not decoded where nothing follows it, which only the model's own end does.
    """
    names = ("generated_tokens", "prompt_tokens", "decode_s")
    columns = [record.facts.get(name, ()) for name in names]
    endings = record.facts.get("ended_by", ())
    for place, (generated, prompt, seconds) in enumerate(zip(*columns, strict=False)):
        if isinstance(generated, int | float) and isinstance(prompt, int | float) and isinstance(seconds, int | float):
            ended = endings[place] if place < len(endings) else "length"
            tokens = int(generated) if ended == "end" else int(generated) - 1
            if tokens > 0:
                yield tokens, prompt + tokens / 2, float(seconds)


def _flop_per_s(group: Queries, reads: DecodeReads) -> float | None:
    """Of reading the prompt: two operations for each weight and token; attention and the output are not counted."""
    rate = group.metrics.get("prefill_rate")
    values = _medians(rate)
    return 2 * reads.elements * statistics.median(values) if values and reads.elements else None


def _bandwidth(metric: Metric | None) -> float | None:
    return _middle(_medians(metric))


def _medians(metric: Metric | None) -> list[float]:
    return process_medians([trial.samples for trial in metric.trials]) if metric else []


def _middle(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
