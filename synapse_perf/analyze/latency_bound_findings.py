"""What bounds a tier in one sentence, and a finding where it misses its target for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synapse_perf.analyze.decision import decide
from synapse_perf.analyze.latency_bounds import Bound, Ratio
from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN
from synapse_perf.model import Finding, Json, Severity
from synapse_perf.units import format_bytes, format_duration, format_percent, format_value, three_digits

_CHANGES: Mapping[str, tuple[str, str]] = {
    "other-programs": (
        "end what else runs here, and measure again: no setting of the model helps against it",
        "the warnings of the next run name no disturbed trials",
    ),
    "queueing": ("answer more queries at a time (parallel sequences, another process), or send fewer", "the row queue"),
    "prefill": (
        "shorter prompts, with what they share left in the KV cache; more threads for batches, a larger ubatch, or "
        "layers on a GPU (--tune tries them)",
        "the row pp/s",
    ),
    "memory-bandwidth": (
        "fewer bytes a token: a quantisation with fewer bits, a smaller model, fewer output tokens, or a device with "
        "more memory bandwidth; more threads do not help once the bandwidth is used up (--tune tries them)",
        "the row tg/s",
    ),
    "decode-computing": (
        "more threads, other instructions (a build for this processor), or a GPU (--tune tries them); fewer bytes a "
        "weight help little here",
        "the row tg/s, and the decode efficiency",
    ),
    "decode": ("fewer output tokens, a smaller model, more threads or a GPU (--tune tries them)", "the row tg/s"),
    "sampling": ("a shorter chain of samplers, or greedy sampling", "the row sampling of the waterfall"),
    "text": ("a simpler chat template, shorter prompts", "the rows template and tokenise of the waterfall"),
    "path": ("overlap or avoid the part that takes most of the path", "the waterfall of the two-stage query"),
}
_DISTURBED = {
    "cpu_pressure": "tasks waited for a processor {} of the time",
    "memory_pressure": "tasks waited for memory {} of the time",
    "steal": "the hypervisor gave {} of the processor to others",
}


def sentence(bound: Bound, *, is_brief: bool = False) -> str:
    """What takes the time, and what that is bound by, with the numbers; a brief one leaves the share to the verdict."""
    part = {"queue": "waiting in the queue", "tokenise": "tokenising", "template": "the template"}.get(
        bound.part, bound.part
    )
    share = "" if is_brief and bound.by != "path" else f" {_ratio_percent(bound.share)} of a query"
    return f"{part}{share}, {_why(bound)}"


def bound_findings(bounds: Sequence[Bound], limits: Mapping[str, float], confidence: float) -> list[Finding]:
    """One for each that misses its limit (in seconds, by tier) beyond doubt."""
    found = []
    for bound in bounds:
        limit_s, latency = limits.get(bound.group.tier), bound.group.latency
        if limit_s is None or latency is None:
            continue
        samples = [trial.samples for trial in latency.trials]
        decision = decide(samples, "p90", limit_s, "lower", confidence, minimum=LEAST_FOR_MEDIAN)
        if decision.status == "fail" and decision.observed is not None:
            found.append(_finding(bound, decision.observed, limit_s))
    return found


def _finding(bound: Bound, p90_s: float, limit_s: float) -> Finding:
    change, check = _CHANGES[bound.by]
    cause = (
        f"{bound.name}: {format_duration(p90_s)} (p90) is over the limit of {format_duration(limit_s)}: "
        f"{sentence(bound)}"
    )
    selector = f'{{tier="{bound.group.tier}"}}'
    alert = f"histogram_quantile(0.9, rate(query_latency_seconds_bucket{selector}[5m])) > {limit_s:g}"
    severity: Severity = "medium" if bound.by == "other-programs" else "high"  # a miss on a crowded machine is open
    return Finding("query-bound-by", severity, cause, _evidence(bound, p90_s, limit_s), None, change, check, alert)


def _evidence(bound: Bound, p90_s: float, limit_s: float) -> dict[str, Json]:
    evidence: dict[str, Json] = {
        "tier": bound.group.tier,
        "p90_s": p90_s,
        "limit_s": limit_s,
        "bound_by": bound.by,
        "part": bound.part,
        "share_of_query": bound.share.value,
        "weights_read_a_token_bytes": bound.reads.weights_bytes or None,
        "read_a_token_bytes": bound.token_bytes,
        "read_while_decoding_bytes_per_second": bound.bytes_per_s,
        "memory_bandwidth_bytes_per_second": bound.bandwidth,
    }
    if bound.efficiency is not None:
        one = bound.efficiency
        evidence["decode_efficiency"] = {"ratio": one.value, "low": one.low, "high": one.high}
    if bound.flop_per_s is not None:
        evidence["prefill_flop_per_s"] = bound.flop_per_s
    if bound.disturbed:
        evidence["others"] = {f"{name}_share": share for name, share in bound.disturbed.items()}
    return evidence


def _why(bound: Bound) -> str:
    if bound.by == "other-programs":
        told = [_DISTURBED[name].format(format_percent(share)) for name, share in (bound.disturbed or {}).items()]
        return f"slowed by other programs: {', '.join(told)}"
    if bound.by == "prefill":
        rate = f": about {_flop(bound.flop_per_s)}" if bound.flop_per_s else ""
        return f"bound by computing the prompt{rate}"
    if bound.part == "decode":
        return _decoding(bound)
    simple = {"queueing": "bound by the queries before it", "sampling": "bound by picking tokens"}
    return simple.get(bound.by, "which is work on text, not on the model" if bound.by == "text" else "on its path")


def _decoding(bound: Bound) -> str:
    if bound.reads.unknown:
        return f"bound by decoding; its efficiency is not known: {bound.reads.unknown}"
    if bound.bytes_per_s is None:
        return "bound by decoding"
    read = f"{format_bytes(bound.token_bytes or 0)} a token, {format_value(bound.bytes_per_s, 'B/s')}"
    if bound.reads.is_cached:
        cache = format_bytes(bound.reads.cache_bytes or 0)
        return f"bound by computing: the weights ({read}) fit into the processor's cache of {cache}"
    if bound.efficiency is None or bound.bandwidth is None:
        return f"bound by decoding ({read}); the memory's bandwidth was not measured"
    used = f"{read}, {_ratio(bound.efficiency)} of the {format_value(bound.bandwidth, 'B/s')} that memory gives"
    words = {
        "memory-bandwidth": "bound by memory bandwidth",
        "decode-computing": "bound by computing rather than by memory",
    }
    return f"{words.get(bound.by, 'bound by computing and memory together')}: {used}"


def _ratio(ratio: Ratio) -> str:
    bounds = "" if ratio.low is None or ratio.high is None else f" ({ratio.low:.2f}–{ratio.high:.2f})"
    return f"{ratio.value:.2f}{bounds}"


def _ratio_percent(ratio: Ratio) -> str:
    value, low, high = (None if one is None else f"{one * 100:.0f}" for one in (ratio.value, ratio.low, ratio.high))
    return f"{value} %" if low is None or low == high else f"{value} % ({low}–{high} %)"


def _flop(per_s: float) -> str:
    return f"{three_digits(per_s / 1e12)} TFLOP/s" if per_s >= 1e12 else f"{three_digits(per_s / 1e9)} GFLOP/s"
