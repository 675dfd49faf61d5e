"""How long does a query take in each tier, against which limit, and what is it made of? One sentence for each."""

from __future__ import annotations

import statistics

from synapse_perf.analyze.latency_rows import PARTS, SERVED_PARTS, Queries, part_shares, phase_shares
from synapse_perf.model import Metric
from synapse_perf.report.figures import format_middle, samples_of
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_value

_PHASES = ("draft", "retrieval", "swap", "prefill", "generation")
_NAMED = {"draft": "the draft", "swap": "loading models"}


def sentences(asked: Asked) -> list[str]:
    """What the report opens with."""
    return [_sentence(asked, group, group.latency) for group in asked.references if group.latency]


def _sentence(asked: Asked, group: Queries, latency: Metric) -> str:
    name = asked.name(group) + (" with its prompt in the KV cache" if group.prefix == "warm" else "")
    made = made_of(group, latency)
    text = f"{name[:1].upper()}{name[1:]}: {_figure(asked, latency)}"
    return f"{text}; {made}." if made else f"{text}."


def _figure(asked: Asked, latency: Metric) -> str:
    """The statistic that is judged, or where the queries are too few for it the median and the worst seen."""
    check = next((one for one in asked.result.checks if one.metric == latency.key), None)
    statistic = check.statistic if check else "p90"
    value = getattr(latency.summary, statistic)
    limit = f"limit {format_value(check.limit, check.unit)}" if check else ""
    if value is not None:
        return f"{statistic} {format_value(value, latency.unit)}" + (f" ({limit})" if limit else "")
    worst = format_value(max(samples_of(latency)), latency.unit)
    few = f"too few for a {statistic}"
    told = f" ({few}; {limit})" if limit else f" ({few})"
    return f"p50 {format_middle(latency)}, worst {worst}{told}"


def made_of(group: Queries, latency: Metric) -> str:
    """The shares of prefill, decode and the rest; of a two-stage query those of its phases."""
    if group.phases.get("draft"):
        shares = {name: statistics.median(own) for name in _PHASES if (own := phase_shares(group, name))}
        ordered = sorted(shares, key=lambda name: -shares[name])
        return ", ".join(f"{_NAMED.get(name, name)} {_percent(shares[name])}" for name in ordered)
    shares = {name: statistics.median(own) for name in PARTS if (own := part_shares(latency, name))}
    if "prefill" not in shares or "decode" not in shares:
        return _seen_from_outside(latency)
    main = {name: shares.pop(name) for name in ("prefill", "decode")}
    main["the rest"] = sum(shares.values())
    return ", ".join(f"{name} {_percent(share)}" for name, share in main.items())


def _seen_from_outside(latency: Metric) -> str:
    """Of a server's answer: how much of it is over before its first word."""
    shares = {name: statistics.median(own) for name in SERVED_PARTS if (own := part_shares(latency, name))}
    if "chunks" not in shares:
        return ""
    after = shares["chunks"]
    return f"until the first word {_percent(1 - after)}, after it {_percent(after)}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
