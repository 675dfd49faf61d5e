"""How is each figure of a query to a server computed? With the numbers of one real query, as seen from outside."""

from __future__ import annotations

from synapse_perf.analyze.latency_rows import SERVED_PARTS, TTFT, Queries
from synapse_perf.report.latency_waterfalls import SampledQuery, fact_of, nearest_the_median, sample_of
from synapse_perf.units import format_duration, three_digits

_NAMES = {"first_byte": "until first byte", "first_word": "until first word", "chunks": "after it"}
_ENGINE = (
    ("total", "the request's first byte to the answer's last, with opening the connection where none was kept"),
    ("left out", "total - the engine's own processingTimeMs: HTTP, its queue, and of two-stage queries the retrieval"),
)


def engine_formulas(group: Queries) -> tuple[tuple[str, str], ...]:
    """Nothing for a query that no engine has answered."""
    return _ENGINE if "engine" in group.phases else ()


def served_formulas(group: Queries) -> tuple[tuple[str, str], ...]:
    """Nothing where the parts of the query are not known."""
    latency = group.latency
    assert latency is not None
    query = nearest_the_median(latency)
    values = {name: fact_of(latency, f"{name}_s", query) for name in SERVED_PARTS}
    parts = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
    if len(parts) < len(SERVED_PARTS):
        return ()
    rows = [("total", f"{format_duration(query.total_s)} = {_sum(parts)}")]
    first_s = sample_of(group.metrics.get(TTFT), query)
    if first_s is not None:
        before = {name: value for name, value in parts.items() if name != "chunks"}
        rows.append(("TTFT", f"{format_duration(first_s)} = {_sum(before)}"))
    return (*rows, *_rates(group, query, parts["chunks"]))


def _rates(group: Queries, query: SampledQuery, stream_s: float) -> list[tuple[str, str]]:
    latency = group.latency
    assert latency is not None
    rows = []
    tokens, chunks = (fact_of(latency, name, query) for name in ("generated_tokens", "chunks"))
    gap_s, decode, rate = (
        sample_of(group.metrics.get(name), query) for name in ("inter_token_latency", "decode_rate", "chunk_rate")
    )
    if gap_s is not None:
        rows.append(("ITL", f"{format_duration(gap_s)} = the median gap between its {chunks} chunks, a token each"))
    if decode is not None:
        span = f"({tokens} - 1) tokens / the time from the first chunk to the last"
        rows.append(("tg", f"{three_digits(decode)}/s = {span}"))
    elif tokens is not None:
        rows.append(("tg", f"none: {tokens} tokens came in {chunks} chunks, so gaps are not between tokens"))
    if rate is not None:
        rows.append(("chunks", f"{three_digits(rate)}/s = ({chunks} - 1) chunks / the time from the first to the last"))
    own = [(name, fact_of(latency, f"server_{name}_s", query)) for name in ("prefill", "decode")]
    told = [f"{name} {format_duration(float(value))}" for name, value in own if isinstance(value, int | float)]
    if told:
        rows.append(("its own", f"the server tells {', '.join(told)}; its stream took {format_duration(stream_s)}"))
    return rows


def _sum(parts: dict[str, float]) -> str:
    return " + ".join(f"{_NAMES.get(name, name)} {format_duration(seconds)}" for name, seconds in parts.items())
