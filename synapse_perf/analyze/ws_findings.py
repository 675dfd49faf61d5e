"""What holds messages up: the load beside them, the application, the network and the event loop, or a stall?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from synapse_perf.analyze.ws_cases import POLLED, WsCase, cases_of, percentile
from synapse_perf.model import Check, Finding, Gain, Metric, TrialRecord
from synapse_perf.units import format_duration, format_percent

BLOCKED_SHARE = 0.3  # of the slowdown that pings have as well: the event loop is not free to answer even them
STANDS_OUT = 5.0  # times the median
STALL_MESSAGES = 5  # in a row, each of which waits less than the one before, as it is due later
JITTER_SHARE = 0.1  # of the longest, by which one may wait longer all the same
WATCH = "histogram_quantile(0.95, rate(websocket_latency_seconds_bucket[5m])) above the limit"
UNBLOCK = (
    "Move what blocks out of the event loop: await asyncio.to_thread(work), or a worker process. In async Python "
    "these block: time.sleep, psutil.cpu_percent(interval=...), reading files, loading models and indexes, requests"
)


class Stall(NamedTuple):
    """Messages in a row that all waited for the same thing."""

    longest_s: float
    messages: int


def ws_findings(metrics: Sequence[Metric], checks: Sequence[Check], load_url: str | None) -> tuple[Finding, ...]:
    """The worst of each kind; what was lost is named as well."""
    cases = cases_of(metrics)
    judged = {check.metric: check for check in checks if check.target == "websocket-latency"}
    blocked = _under_load(cases, judged, load_url or "")
    unexplained = [case for case in cases if not (blocked and case.load == POLLED)]
    slow = [] if blocked else _slow(cases, judged)
    return (*blocked, *slow, *_stalls(unexplained, judged), *_lost(cases))


def longest_stall(metric: Metric, limit_s: float) -> Stall | None:
    """The longest wait of several messages in a row that is not the sender's own lateness."""
    least_s = max(limit_s, STANDS_OUT * percentile(metric, 0.5))
    stalls = [stall for record in metric.trials for stall in _stalls_in(record, least_s)]
    return max(stalls, default=None)


def _stalls_in(record: TrialRecord, least_s: float) -> list[Stall]:
    lateness, lost = record.facts.get("lateness_s", ()), record.facts.get("is_lost", ())
    waited = [
        0.0 if is_lost else sample - float(late or 0.0)
        for sample, late, is_lost in zip(record.samples, lateness, lost, strict=False)
    ]
    runs = (list(run) for is_long, run in groupby(waited, lambda one: one > least_s) if is_long)
    return [Stall(max(run), len(run)) for run in runs if len(run) >= STALL_MESSAGES and _is_released_at_once(run)]


def _is_released_at_once(waited: Sequence[float]) -> bool:
    """Whether all waited for one moment, unlike messages that merely happen to be slow."""
    allowed_s = JITTER_SHARE * max(waited)
    return all(later <= earlier + allowed_s for earlier, later in pairwise(waited))


def _under_load(cases: Sequence[WsCase], judged: Mapping[str, Check], load_url: str) -> list[Finding]:
    """Where the target holds while idle and is missed while a URL is polled."""
    for case in cases:
        idle = next((one for one in cases if one.connections == case.connections and one.load != POLLED), None)
        if case.load != POLLED or idle is None:
            continue
        before, now = judged.get(idle.latency.key), judged.get(case.latency.key)
        if before is not None and now is not None and (before.status, now.status) == ("pass", "fail"):
            return [_blocked(idle, case, load_url)]
    return []


def _blocked(idle: WsCase, case: WsCase, load_url: str) -> Finding:
    quiet_s, loaded_s = percentile(idle.latency, 0.95), percentile(case.latency, 0.95)
    evidence = {"idle_p95_s": quiet_s, "polled_p95_s": loaded_s}
    if case.polls is not None:
        evidence["answer_of_the_polled_p95_s"] = percentile(case.polls, 0.95)
    why = "something that both need is not free meanwhile"
    if idle.ping is not None and case.ping is not None:
        pings = percentile(idle.ping, 0.95), percentile(case.ping, 0.95)
        evidence |= {"ping_idle_p95_s": pings[0], "ping_polled_p95_s": pings[1]}
        is_loop = pings[1] - pings[0] > BLOCKED_SHARE * (loaded_s - quiet_s)
        why = "its event loop is blocked, as even pings wait" if is_loop else "its application waits, as pings do not"
    return Finding(
        "websocket-blocked-under-load",
        "high",
        f"Messages are in time while the server is idle (p95 {format_duration(quiet_s)}) and late while {load_url} is "
        f"polled (p95 {format_duration(loaded_s)}): {why}",
        {**evidence, "polled": load_url, "connections": case.connections},
        Gain(loaded_s - quiet_s, None, None, "s", False),
        f"{UNBLOCK}. Look first at what answers {load_url}",
        "the same command again: the case under load within the limit, and its pings as when idle",
        WATCH,
    )


def _slow(cases: Sequence[WsCase], judged: Mapping[str, Check]) -> list[Finding]:
    """Where the target is missed without that: is it the application, or what carries it?"""
    missed = [case for case in cases if case.latency.key in judged and judged[case.latency.key].status == "fail"]
    if not missed:
        return []
    case = max(missed, key=lambda one: percentile(one.latency, 0.95))
    if case.ping is None:
        return []
    p95_s, ping_s = percentile(case.latency, 0.95), percentile(case.ping, 0.95)
    own_s = p95_s - ping_s
    is_application = own_s > ping_s
    whose = "the application's" if is_application else "on the way and in the event loop, which pings wait for too"
    return [
        Finding(
            "websocket-slow",
            "high",
            f"With {case.name} the p95 is {format_duration(p95_s)}; the protocol's own ping takes "
            f"{format_duration(ping_s)}: {format_percent(max(own_s, ping_s) / p95_s)} is {whose}",
            {"p95_s": p95_s, "ping_p95_s": ping_s, "connections": case.connections},
            None,
            "See what happens between receiving and sending: synapse-perf leak-hunt and py-spy show the handler; send "
            "to many clients at once (asyncio.gather), not one after another"
            if is_application
            else UNBLOCK,
            "the same command again: its p95 within the limit",
            WATCH,
        )
    ]


def _stalls(cases: Sequence[WsCase], judged: Mapping[str, Check]) -> list[Finding]:
    found = []
    for case in cases:
        check = judged.get(case.latency.key)
        stall = longest_stall(case.latency, check.limit) if check else None
        if stall is not None:
            found.append((stall, case))
    if not found:
        return []
    stall, case = max(found, key=lambda one: one[0])
    return [
        Finding(
            "websocket-stall",
            "medium",
            f"With {case.name} everything stood still for {format_duration(stall.longest_s)}, and {stall.messages} "
            "messages in a row waited for it; a client that waits for each answer sends one of them and sees no other",
            {"longest_s": stall.longest_s, "messages": stall.messages, "p99_s": percentile(case.latency, 0.99)},
            None,
            f"{UNBLOCK}; a pause of the garbage collector or a full processor stalls it as well",
            "the same command again: worst and p99 near the p95",
            "the longest gap between two turns of the server's event loop",
        )
    ]


def _lost(cases: Sequence[WsCase]) -> list[Finding]:
    lost = [case for case in cases if case.lost]
    if not lost:
        return []
    case = max(lost, key=lambda one: one.lost)
    count = case.latency.summary.count
    return [
        Finding(
            "websocket-messages-lost",
            "medium",
            f"With {case.name} {case.lost} of {count} messages got no answer in time",
            {"lost": case.lost, "messages": count, "connections": case.connections},
            None,
            "See what the server does with a slow client: a full queue that drops messages, or an exception in the "
            "handler; its log names it",
            "the same command again: none lost",
            "messages that the server dropped",
        )
    ]
