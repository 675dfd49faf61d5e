"""What do the figures of queries mean, and what should change? Prefill, decode, prompt cache, swaps, first answers.

Each finding is silent where its interval over processes does not show it, which takes at least 6 of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import chain

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.decision import decide
from synapse_perf.analyze.latency_plan import TWO_STAGE
from synapse_perf.analyze.latency_rows import (
    FIRST,
    HIGH_LEVEL,
    OWN_LOOP,
    PREFIX,
    TTFT,
    Queries,
    beside,
    facts_of,
    groups_of,
    middle_of,
    name_of,
    paired_differences,
    part_shares,
    references,
    variants_beginning,
)
from synapse_perf.analyze.latency_two_stage import two_stage_findings
from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, median_interval, process_medians, quantile
from synapse_perf.model import Finding, Gain, Interval, Json, Metric
from synapse_perf.units import format_duration

DOMINATES = 0.5  # of a query
FELT = 0.05  # of a query: a smaller cost changes nothing
_SHARES = {
    "prefill": (
        "prefill-dominates",
        "the time goes into reading the prompt, which is bound by computing",
        "shorter prompts; the part that all prompts share (the system prompt) at their beginning and left in the KV "
        "cache; more threads for batches (threads_batch), a larger ubatch, or layers on a GPU",
        "the share of prefill in this report, and the row pp/s",
    ),
    "decode": (
        "decode-dominates",
        "the time goes into writing the answer token by token, each of which reads the weights",
        "fewer output tokens (max_tokens), a quantisation with fewer bytes a weight, a smaller model, or layers on a "
        "device with more memory bandwidth; more threads only until the bandwidth is used up",
        "the share of decode in this report, and the row tg/s",
    ),
}


def findings_of(metrics: Sequence[Metric], confidence: float, limits: Mapping[str, float]) -> list[Finding]:
    """Every finding; `limits` are those of the targets in seconds, by tier."""
    groups = groups_of(metrics)
    judged = references(groups)
    tiers = [group for group in judged if group.tier != TWO_STAGE]
    return list(
        chain(
            chain.from_iterable(_too_long(group, groups, limits.get(group.tier), confidence) for group in tiers),
            *(two_stage_findings(group, groups, limits.get(TWO_STAGE), confidence) for group in judged),
            chain.from_iterable(_first_query(group, groups, confidence) for group in judged),
            chain.from_iterable(_high_level(group, groups, confidence) for group in tiers),
            *(_dominates(part, tiers, groups, confidence) for part in _SHARES),
            _prompt_cache(tiers, groups, confidence),
        )
    )


# --- what an answer is made of ---------------------------------------------------------------------------------------


def _dominates(part: str, tiers: Sequence[Queries], groups: Sequence[Queries], confidence: float) -> list[Finding]:
    """One finding for all tiers of which this part takes more than half, beyond doubt."""
    shares: dict[str, Interval] = {}
    told: dict[str, Json] = {}
    for group in tiers:
        own = part_shares(group.metrics["query_latency"], part)
        interval = median_interval(own, confidence)
        if interval is not None and interval.low > DOMINATES:
            name = name_of(group, groups)
            shares[name] = interval
            told[name] = {"share": statistics.median(own), "low_share": interval.low, "high_share": interval.high}
    if not shares:
        return []
    finding_id, why, change, check = _SHARES[part]
    most = ", ".join(f"{one['share'] * 100:.0f} % of a {name} query" for name, one in told.items())
    alert = "the p90 of query_latency_seconds by tier, beside the tokens of prompt and answer"
    return [Finding(finding_id, "info", f"{part} takes {most}: {why}", told, None, change, check, alert)]


def _too_long(group: Queries, groups: Sequence[Queries], limit_s: float | None, confidence: float) -> list[Finding]:
    """How many tokens of an answer would fit into the limit that a tier misses, by its measured rates."""
    latency, first, rate = (group.metrics.get(name) for name in ("query_latency", TTFT, "decode_rate"))
    generated = facts_of(latency, "generated_tokens") if latency else []
    if latency is None or first is None or rate is None or limit_s is None or not generated:
        return []
    samples = [trial.samples for trial in latency.trials]
    decision = decide(samples, "p90", limit_s, "lower", confidence, minimum=LEAST_FOR_MEDIAN)
    if decision.status != "fail":
        return []
    first_s, per_s = _pooled(first, 0.9), _pooled(rate, 0.1)
    p90_s, tokens = _pooled(latency, 0.9), statistics.median(generated)
    fit = 1 + int((limit_s - first_s) * per_s) if first_s < limit_s else 0
    if not 1 <= fit < tokens:
        return []
    name = name_of(group, groups)
    cause = (
        f"{name}: answers of {tokens:.0f} tokens take {format_duration(p90_s)} (p90), over the limit of "
        f"{format_duration(limit_s)}; by the measured rates about {fit} tokens fit"
    )
    evidence: dict[str, Json] = {
        "tier": group.tier,
        "p90_s": p90_s,
        "limit_s": limit_s,
        "first_token_p90_s": first_s,
        "tokens_per_second_p10": per_s,
        "output_tokens": tokens,
        "tokens_that_fit": fit,
    }
    gain = Gain(p90_s - (first_s + (fit - 1) / per_s), None, None, "s", measured=False)
    return [
        Finding(
            "too-many-output-tokens",
            "high",
            cause,
            evidence,
            gain,
            f"limit the answer: max_tokens={fit} in the request, and ask for short answers in the prompt",
            f"synapse-perf tier-latency --max-tokens {fit}: the row query-{group.tier} passes",
            _alert(group, limit_s),
        )
    ]


def _pooled(metric: Metric, probability: float) -> float:
    return quantile([sample for trial in metric.trials for sample in trial.samples], probability)


# --- what a figure must not be mixed with ----------------------------------------------------------------------------


def _prompt_cache(tiers: Sequence[Queries], groups: Sequence[Queries], confidence: float) -> list[Finding]:
    """The same prompt again is no new prompt: its prefix is in the KV cache."""
    pairs = [(group, other) for group in tiers for other in variants_beginning(groups, group, PREFIX)]
    told: dict[str, Json] = {}
    times: list[float] = []
    for group, other in pairs:
        cold_group, warm_group = (other, group) if group.prefix == "warm" else (group, other)
        cold, warm = cold_group.metrics.get(TTFT), warm_group.metrics.get(TTFT)
        latency = warm_group.latency
        if cold is None or warm is None or latency is None:
            continue
        bounds = _ratio(cold, warm, 1 - (1 - confidence) / len(pairs))
        if bounds is None or bounds[0] <= 1:
            continue
        times.append(middle_of(cold) / middle_of(warm))
        reused, prompt = facts_of(latency, "reused_tokens"), facts_of(latency, "prompt_tokens")
        told[name_of(group, groups)] = {
            "cold_s": middle_of(cold),
            "warm_s": middle_of(warm),
            "reused_tokens": statistics.median(reused) if reused else None,
            "prompt_tokens": statistics.median(prompt) if prompt else None,
        }
    if not times:
        return []
    span = f"{min(times):.1f} to {max(times):.1f}" if len(times) > 1 else f"{times[0]:.1f}"
    cause = (
        f"with its prefix in the KV cache the first token comes {span} times as fast ({', '.join(told)}): a benchmark "
        "that repeats a prompt measures the cache, so these figures must not be mixed with cold ones"
    )
    return [Finding("prompt-cache-trap", "info", cause, told, None, "", "", "")]


def _high_level(group: Queries, groups: Sequence[Queries], confidence: float) -> list[Finding]:
    """What ``Llama`` adds to the same query in the same process."""
    own, high = (beside(groups, group, name) for name in (OWN_LOOP, HIGH_LEVEL))
    if own is None or high is None or own.latency is None or high.latency is None:
        return []
    added = paired_differences(high.latency, own.latency)
    interval = median_interval(added, confidence)
    base_s = middle_of(own.latency)
    if interval is None or interval.low < FELT * base_s:
        return []
    value = statistics.median(added)
    name = name_of(group, groups)
    evidence: dict[str, Json] = {
        "tier": group.tier,
        "high_level_s": middle_of(high.latency),
        "own_loop_s": base_s,
        "processes": len(added),
    }
    return [
        Finding(
            "high-level-api-cost",
            "low",
            f"{name}: the high-level Llama API adds {format_duration(value)} to a query of {format_duration(base_s)}",
            evidence,
            Gain(value, interval.low, interval.high, "s", measured=True),
            "ask without streaming where nobody reads along (streaming detokenises the whole answer again at each "
            "token), or generate over the low-level API: llama_decode, and one detokenised piece a token",
            "the rows of the high-level API and of the own loop in this report",
            "the gap between tokens that grows with the length of the answer",
        )
    ]


def _first_query(group: Queries, groups: Sequence[Queries], confidence: float) -> list[Finding]:
    """What the first query after a start waits for, and one before it would take off; a server had others before."""
    first = beside(groups, group, FIRST)
    is_served = group.latency is not None and bool(facts_of(group.latency, "connect_s"))
    if first is None or first.latency is None or group.latency is None or is_served:
        return []
    added = paired_differences(first.latency, group.latency)
    interval = median_interval(added, confidence)
    steady_s, value = middle_of(group.latency), statistics.median(added) if added else 0.0
    if interval is None or interval.low < FELT * steady_s:
        return []
    name, first_s = name_of(group, groups), middle_of(first.latency)
    evidence: dict[str, Json] = {"tier": group.tier, "first_s": first_s, "steady_s": steady_s, "processes": len(added)}
    return [
        Finding(
            "first-query-slow",
            "medium" if value > steady_s else "low",
            f"{name}: the first query after a start takes {format_duration(first_s)}, later ones "
            f"{format_duration(steady_s)}",
            evidence,
            Gain(value, interval.low, interval.high, "s", measured=True),
            "ask one short query when the service starts, before it reports that it is ready",
            "the first query after the next start is as fast as the later ones",
            "the latency of the first query after each start, apart from the others",
        )
    ]


def _ratio(above: Metric, below: Metric, confidence: float) -> tuple[float, float] | None:
    first, second = (process_medians([trial.samples for trial in metric.trials]) for metric in (above, below))
    if min(len(first), len(second)) < LEAST_FOR_MEDIAN or min(*first, *second) <= 0:
        return None
    return ratio_interval(first, second, confidence)


def _alert(group: Queries, limit_s: float) -> str:
    selector = f'{{tier="{group.tier}"}}'
    return f"histogram_quantile(0.9, rate(query_latency_seconds_bucket{selector}[5m])) > {limit_s:g}"
