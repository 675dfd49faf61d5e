"""What does the service around the models cost, and what should change? A blocked event loop, connections not kept.

Each is silent where its interval over processes does not show it, which takes at least 6 of them, and where no query
and no request would feel it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from synapse_perf.analyze.latency_rows import LATENCY, facts_of, groups_of, middle_of, name_of, references
from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, median_interval
from synapse_perf.model import Finding, Gain, Json, Metric
from synapse_perf.units import format_duration

HEALTH = "health_latency"
IDLE, BUSY = {"state": "idle"}, {"state": "during-query"}
FELT_S = 0.05  # longer than idle: over the engine's own target for delivering an event
SENDER_SHARE = 1 / 3  # of the wait: a sender that was so late itself shows a busy machine, and no blocked loop
FELT_SHARE = 0.05  # of a query

ByProcess = Mapping[tuple[str, int], float]


def engine_findings(metrics: Sequence[Metric], confidence: float) -> list[Finding]:
    """Every finding about the service."""
    return [*_blocked_loop(metrics, confidence), *_not_reused(metrics, confidence)]


def health(metrics: Sequence[Metric], labels: Mapping[str, str]) -> Metric | None:
    """The latencies of the liveness URL in this state, or on such a connection."""
    return next((one for one in metrics if one.name == HEALTH and labels.items() <= one.labels.items()), None)


def longest(metric: Metric) -> ByProcess:
    """The longest wait that each process saw."""
    return {(trial.arm, trial.process): max(trial.samples) for trial in metric.trials if trial.samples}


def _blocked_loop(metrics: Sequence[Metric], confidence: float) -> list[Finding]:
    idle, busy = health(metrics, IDLE), health(metrics, BUSY)
    if idle is None or busy is None:
        return []
    usual, during, lateness = longest(idle), longest(busy), _lateness(busy)
    both = [key for key in during if key in usual]
    longer = [during[key] - usual[key] for key in both]
    excused = sum(lateness.get(key, 0.0) > SENDER_SHARE * during[key] for key in both)
    interval = median_interval(longer, confidence) if len(longer) >= LEAST_FOR_MEDIAN else None
    if interval is None or interval.low < FELT_S or 2 * excused >= len(both):
        return []
    waited_s, value = statistics.median(during[key] for key in both), statistics.median(longer)
    evidence: dict[str, Json] = {
        "longest_during_query_s": waited_s,
        "longest_idle_s": statistics.median(usual[key] for key in both),
        "middle_during_query_s": middle_of(busy),
        "middle_idle_s": middle_of(idle),
        "latest_sender_s": max(lateness.values(), default=None),
        "processes": len(both),
    }
    return [
        Finding(
            "event-loop-blocked",
            "medium",
            f"while a query runs the liveness URL, which needs no model, is answered only after "
            f"{format_duration(waited_s)} at worst: something of the query runs on the event loop, and every other "
            "request, event and health check waits for it",
            evidence,
            Gain(value, interval.low, interval.high, "s", measured=True),
            "call what computes or reads files in a thread: await asyncio.to_thread(indexer.load_index, path), and so "
            "encoding, FAISS searches and psutil.cpu_percent(interval=...); load the index once, when the service "
            "starts, and not for each query",
            "synapse-perf tier-latency --url URL --api synapse again: health during a query is as when idle",
            "the p99 of the liveness URL's latency, beside the number of queries under way",
        )
    ]


def _lateness(busy: Metric) -> ByProcess:
    found: dict[tuple[str, int], float] = {}
    for trial in busy.trials:
        late = [float(value) for value in trial.facts.get("latest_sender_s", ()) if isinstance(value, int | float)]
        if late:
            found[trial.arm, trial.process] = max(late)
    return found


def _not_reused(metrics: Sequence[Metric], confidence: float) -> list[Finding]:
    """Only by what each steady query has paid for its own connection; the one that felt it most is told."""
    groups, found = groups_of(metrics), []
    for group in references(groups):
        latency = group.metrics[LATENCY]
        shares = _connect_shares(latency)
        interval = median_interval(shares, confidence) if len(shares) >= LEAST_FOR_MEDIAN else None
        if interval is None or interval.low < FELT_SHARE:
            continue
        connect_s = statistics.median(facts_of(latency, "connect_s"))
        query_s = middle_of(latency)
        evidence: dict[str, Json] = {
            "query": name_of(group, groups),
            "connect_s": connect_s,
            "query_s": query_s,
            "connect_share": statistics.median(shares),
            "processes": len(shares),
        }
        finding = Finding(
            "connections-not-reused",
            "low",
            f"the service closes its connections, so that each {name_of(group, groups)} query opens one: "
            f"{format_duration(connect_s)} of {format_duration(query_s)}",
            evidence,
            Gain(connect_s, interval.low * query_s, interval.high * query_s, "s", measured=True),
            "keep connections alive: HTTP/1.1 without 'Connection: close', uvicorn --timeout-keep-alive and the "
            "proxy's keepalive_timeout longer than users pause between queries",
            "synapse-perf tier-latency --url URL --api synapse again: queries after the first open no connection",
            "new connections per request at the proxy or the backend",
        )
        found.append((interval.low, finding))
    return [max(found, key=lambda one: one[0])[1]] if found else []


def _connect_shares(latency: Metric) -> list[float]:
    """For each process the median share that opening its connection has of a query; 0 where it was kept."""
    shares = []
    for trial in latency.trials:
        pairs = zip(trial.facts.get("connect_s", ()), trial.samples, strict=False)
        own = [float(value) / total if isinstance(value, int | float) else 0.0 for value, total in pairs if total > 0]
        if own:
            shares.append(statistics.median(own))
    return shares
