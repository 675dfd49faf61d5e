"""How is each figure computed? The formula with the numbers of one real query, the one nearest the median."""

from __future__ import annotations

from synapse_perf.analyze.latency_bounds import READS
from synapse_perf.analyze.latency_rows import PARTS, TTFT, Queries
from synapse_perf.report.document import Block, Fields, Paragraph, Section
from synapse_perf.report.latency_bounds import FORMULA
from synapse_perf.report.latency_runs import Asked
from synapse_perf.report.latency_waterfalls import SampledQuery, fact_of, nearest_the_median, sample_of
from synapse_perf.report.served_formulas import engine_formulas, served_formulas
from synapse_perf.units import format_duration, three_digits

_WORDS = (
    "One word, two formulas: time per output token is (total - TTFT) / (n - 1) in vLLM, but total / n, the first token "
    "with its prompt included, in GuideLLM; LLMPerf calls the latter inter-token latency. llama-bench counts the calls "
    "of llama_decode alone, without sampling and detokenising."
)
_TWO_STAGE = (
    (
        "total",
        "load the fast model + draft + retrieval + load the second model + cutting what was retrieved + prefill + "
        "generation + residual: the critical path; what overlaps the draft counts only from the draft's end on",
    ),
    ("TTFT", "the query to the first token of the refinement, everything before it included"),
)


def formulas_section(asked: Asked) -> Section | None:
    """None where no query has its parts."""
    blocks: list[Block] = []
    for group in asked.references:
        if "draft" in group.phases:
            blocks += [Paragraph(asked.name(group), "strong"), Fields(_TWO_STAGE, indent=2)]
        elif rows := _formulas(group) or served_formulas(group) or engine_formulas(group):
            blocks += [Paragraph(f"{asked.name(group)}, the median query", "strong"), Fields(rows, indent=2)]
    if blocks and READS in asked.result.workload:
        blocks.append(Paragraph(FORMULA))
    return Section("How each figure is computed", (*blocks, Paragraph(_WORDS, "quiet"))) if blocks else None


def _formulas(group: Queries) -> tuple[tuple[str, str], ...]:
    latency = group.latency
    assert latency is not None
    query = nearest_the_median(latency)
    parts = [(name, _seconds(group, f"{name}_s", query)) for name in PARTS]
    total_s, first_s = query.total_s, sample_of(group.metrics.get(TTFT), query)
    known = [(name, seconds) for name, seconds in parts if seconds is not None]
    if len(known) < len(parts):
        return ()
    seconds_of = dict(known)
    rows = [("total", f"{format_duration(total_s)} = {_sum(known)}")]
    if first_s is not None:
        before_s = sum(seconds_of[name] for name in ("template", "tokenise", "prefill"))
        told = f"{_sum(known[:3])} + sampling and detokenising it {format_duration(max(first_s - before_s, 0.0))}"
        rows.append(("TTFT", f"{format_duration(first_s)} = {told}"))
    rows += _rates(group, query, seconds_of, first_s)
    return tuple(rows)


def _rates(
    group: Queries, query: SampledQuery, seconds_of: dict[str, float], first_s: float | None
) -> list[tuple[str, str]]:
    assert group.latency is not None
    rows = []
    prompt, reused, tokens = (_count(group, name, query) for name in ("prompt", "reused", "generated"))
    gap_s = sample_of(group.metrics.get("inter_token_latency"), query)
    decode, prefill = (sample_of(group.metrics.get(name), query) for name in ("decode_rate", "prefill_rate"))
    if gap_s is not None:
        rows.append(("ITL", f"{format_duration(gap_s)} = the median of its {tokens - 1} gaps between tokens"))
    if decode is not None and first_s is not None and tokens > 1:
        span_s = (tokens - 1) / decode
        native = f"; by llama_decode alone {_rate((tokens - 1) / seconds_of['decode'])}" if seconds_of["decode"] else ""
        told = f"({tokens} - 1) tokens / {format_duration(span_s)} from the first to the last"
        rows.append(("tg", f"{_rate(decode)} = {told}{native}"))
        first, other = (query.total_s - first_s) / (tokens - 1), query.total_s / tokens
        both = f"(total - TTFT) / (n - 1) = {format_duration(first)}, or total / n = {format_duration(other)}"
        rows.append(("TPOT", f"elsewhere: {both}"))
    if prefill is not None:
        evaluated = f"({prompt} - {reused} in the KV cache) tokens"
        rows.append(("pp", f"{_rate(prefill)} = {evaluated} / prefill {format_duration(seconds_of['prefill'])}"))
    return rows


def _sum(parts: list[tuple[str, float]]) -> str:
    return " + ".join(f"{name} {format_duration(seconds)}" for name, seconds in parts)


def _rate(per_s: float) -> str:
    return f"{three_digits(per_s)}/s"


def _seconds(group: Queries, name: str, query: SampledQuery) -> float | None:
    assert group.latency is not None
    value = fact_of(group.latency, name, query)
    return float(value) if isinstance(value, int | float) else None


def _count(group: Queries, name: str, query: SampledQuery) -> int:
    assert group.latency is not None
    value = fact_of(group.latency, f"{name}_tokens", query)
    return int(value) if isinstance(value, int | float) else 0
