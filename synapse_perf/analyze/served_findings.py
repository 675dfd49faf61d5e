"""What does a server cost beyond its model, as seen by the same queries to that model in-process?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.latency_rows import (
    LATENCY,
    TTFT,
    Queries,
    beside,
    facts_of,
    groups_of,
    middle_of,
    name_of,
    references,
)
from synapse_perf.analyze.served_plan import IN_PROCESS
from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, process_medians
from synapse_perf.model import Finding, Gain, Json, Metric
from synapse_perf.units import format_duration, format_percent

FELT = 0.05  # of a query: a smaller cost changes nothing
ALIKE = 0.02  # by which the lengths of two sets of answers may differ and still be compared whole
GAP = "inter_token_latency"
_SAME = "if it runs the same file with the same threads, context and KV types"


def served_findings(metrics: Sequence[Metric], confidence: float) -> list[Finding]:
    """One for each tier of which the difference is beyond doubt; silent without a model beside the server."""
    groups = groups_of(metrics)
    pairs = [(one, own) for one in references(groups) if (own := beside(groups, one, IN_PROCESS))]
    found = (_cost(one, own, groups, 1 - (1 - confidence) / len(pairs)) for one, own in pairs)
    return [finding for finding in found if finding is not None]


def _cost(served: Queries, own: Queries, groups: Sequence[Queries], confidence: float) -> Finding | None:
    """Of whole queries, or of their first tokens where the answers are of different lengths."""
    name = _compared(served, own)
    over_http, alone = served.metrics.get(name), own.metrics.get(name)
    if over_http is None or alone is None:
        return None
    above, below = (process_medians([trial.samples for trial in one.trials]) for one in (over_http, alone))
    if min(len(above), len(below)) < LEAST_FOR_MEDIAN or min(*above, *below) <= 0:
        return None
    low, high = (ratio - 1 for ratio in ratio_interval(above, below, confidence))
    base_s, cost_s = middle_of(alone), middle_of(over_http) - middle_of(alone)
    if low <= 0 <= high:
        return None
    tier = name_of(served, groups)
    what = f"a {tier} query" if name == LATENCY else f"the first token of a {tier} query"
    evidence = _evidence(served, own, min(len(above), len(below)))
    span = f"{format_duration(abs(cost_s))} ({format_percent(abs(cost_s) / base_s)} of {format_duration(base_s)})"
    if high < 0:
        cause = f"through the server {what} takes {span} less than with the model in this process"
        return Finding(
            "server-faster", "info", f"{cause}: look where their settings differ", evidence, None, "", "", ""
        )
    return Finding(
        "server-cost",
        "low" if low > FELT else "info",
        f"the server adds {span} to {what}, as the model in this process shows, {_SAME}",
        evidence,
        Gain(cost_s, low * base_s, high * base_s, "s", measured=True),
        _change(served, own, name),
        "synapse-perf tier-latency --url URL --tier TIER=MODEL again: the ratio of server to in-process",
        "the time between a query's arrival at the server and its first token, beside the prompt's tokens",
    )


def _compared(served: Queries, own: Queries) -> str:
    """Of a server that does not count its tokens, so many chunks as the model wrote tokens are as many."""
    written = _middle_fact(served, "generated_tokens") or _middle_fact(served, "chunks")
    wanted = _middle_fact(own, "generated_tokens")
    is_alike = written is not None and wanted is not None and abs(written - wanted) <= ALIKE * wanted
    return LATENCY if is_alike else TTFT


def _change(served: Queries, own: Queries, name: str) -> str:
    """By where the cost lies: before the first token, or in each of them."""
    whole_s, first_s = (_difference(served, own, name) for name in (LATENCY, TTFT))
    if name == LATENCY and whole_s is not None and first_s is not None and whole_s > 2 * first_s:
        return (
            "it lies in each token (streaming, sampling, detokenising): ask without streaming where nobody reads "
            "along, or take a server whose loop is compiled (llama-server)"
        )
    return (
        "it lies before the first token: keep connections alive, leave the prompt's prefix in the server's KV cache, "
        "and look for a lock or a queue in front of the model"
    )


def _evidence(served: Queries, own: Queries, processes: int) -> dict[str, Json]:
    told: dict[str, Json] = {"tier": served.tier}
    for name, short in ((LATENCY, "query"), (TTFT, "first_token"), (GAP, "gap")):
        for one, where in ((served, "server"), (own, "in_process")):
            metric = one.metrics.get(name)
            if metric is not None:
                told[f"{short}_{where}_s"] = middle_of(metric)
    for one, where in ((served, "server"), (own, "in_process")):
        told[f"answer_tokens_{where}"] = _middle_fact(one, "generated_tokens")
        told[f"prompt_tokens_{where}"] = _middle_fact(one, "prompt_tokens")
    return {**told, "processes": processes}


def _difference(served: Queries, own: Queries, name: str) -> float | None:
    one, other = served.metrics.get(name), own.metrics.get(name)
    return middle_of(one) - middle_of(other) if one and other else None


def _middle_fact(group: Queries, name: str) -> float | None:
    values = facts_of(group.latency, name) if group.latency else []
    return statistics.median(values) if values else None
