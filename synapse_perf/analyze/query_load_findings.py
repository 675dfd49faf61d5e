"""What does load on the tiers show: waiting that outweighs the work, more than they answer, how far targets hold?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.latency_rows import middle_of
from synapse_perf.analyze.query_load import LoadLevel, holds
from synapse_perf.analyze.targets import Target
from synapse_perf.model import Finding, Gain, Json, Severity
from synapse_perf.units import format_duration, format_percent, three_digits

DOMINATES = 0.5  # of a response
SAFE = 0.8  # of the highest rate at which the target holds: an alert at the edge comes too late
MORE_AT_ONCE = (
    "a server that answers several at once (llama-server --parallel 4 batches their tokens), or a second process with "
    "the model where memory allows; shorter answers (max_tokens) shorten the queue for all behind them"
)
BREAKS_OFF = (
    "let it finish an answer when another query comes: llama_cpp.server breaks it off unless it is started with "
    "--interrupt_requests False; or take a server that answers several at once"
)
WAITING = (
    "from a query's arrival to where the model begins with it: "
    "histogram_quantile(0.9, rate(query_queue_seconds_bucket[5m])) above that of query_latency_seconds without load"
)


@dataclass(frozen=True, slots=True)
class Judging:
    """By what a level is judged here: the targets of the plain queries, by tier."""

    targets: Mapping[str, Target]
    profile: str
    confidence: float

    def status(self, level: LoadLevel) -> str:
        return holds(level, self.targets[level.tier], self.profile, self.confidence).status


def load_findings(levels: Sequence[LoadLevel], judging: Judging) -> list[Finding]:
    """One of a kind for all tiers; a level with a late sender tells nothing."""
    tiers: dict[str, list[LoadLevel]] = {}
    for level in levels:
        if not level.is_late:
            tiers.setdefault(level.tier, []).append(level)
    return [
        *_failed(tiers),
        *_beyond_capacity(tiers, judging),
        *_queueing(tiers, judging),
        *_holds_up_to(tiers, judging),
    ]


def _failed(tiers: Mapping[str, Sequence[LoadLevel]]) -> list[Finding]:
    """Of each tier the lightest level at which queries fail, rather than wait."""
    failing = (next((one for one in own if one.count("errors")), None) for own in tiers.values())
    found = [level for level in failing if level is not None]
    if not found:
        return []
    counts = [
        f"{level.count('errors')} of {level.count('requests')} to {level.tier} ({load_of(level)})" for level in found
    ]
    told = found[0].first_error
    cause = f"queries under load fail: {', '.join(counts)}; the first was told: {told}"
    change = BREAKS_OFF if "broke off" in told else "see the server's log for what it refuses, and why"
    check = f"synapse-perf tier-latency {flag(found[0])}: no query without an answer"
    alert = "rate(queries_failed_total[5m]) > 0"
    return [Finding("queries-fail-under-load", "high", cause, _evidence(found), None, change, check, alert)]


def _beyond_capacity(tiers: Mapping[str, Sequence[LoadLevel]], judging: Judging) -> list[Finding]:
    """Of each tier the lowest rate at which the queue grows as long as queries come."""
    growing = (next((one for one in own if one.is_open and one.is_growing), None) for own in tiers.values())
    found = [level for level in growing if level is not None]
    if not found:
        return []
    told = [
        f"{level.tier} answers {_answered(level)} of {three_digits(level.load)} queries a second" for level in found
    ]
    is_worse = any(level.lost or judging.status(level) == "fail" for level in found)
    cause = f"{', '.join(told)}: the queue grows as long as they come, and every query waits longer than the one before"
    evidence = _evidence(found)
    change = f"turn away what would wait too long (HTTP 429 beyond a bounded queue); {MORE_AT_ONCE}"
    check = f"synapse-perf tier-latency {flag(found[0])}: as many answered as offered, and none without an answer"
    severity: Severity = "high" if is_worse else "medium"
    return [Finding("more-than-it-answers", severity, cause, evidence, None, change, check, WAITING)]


def _queueing(tiers: Mapping[str, Sequence[LoadLevel]], judging: Judging) -> list[Finding]:
    """Of each tier the lightest level at which a response is for the greater part waiting, beyond doubt."""
    waiting = (next((one for one in own if _is_waiting(one, judging)), None) for own in tiers.values())
    found = [level for level in waiting if level is not None]
    if not found:
        return []
    told = [f"{format_percent(level.queue_share(judging.confidence)[0])} of a {told_of(level)}" for level in found]
    missed = [level.tier for level in found if judging.status(level) == "fail"]
    cause = f"waiting for the model, which answers one query at a time, is {', '.join(told)}"
    if missed:
        cause += f"; so the target of {' and '.join(missed)} is missed"
    evidence = _evidence(found)
    longest = max(found, key=_queue_s)
    gain = Gain(_queue_s(longest), None, None, "s", measured=False)
    check = f"synapse-perf tier-latency {flag(longest)}: the column queue"
    severity: Severity = "medium" if missed else "info"
    return [Finding("queueing-dominates", severity, cause, evidence, gain, MORE_AT_ONCE, check, WAITING)]


def _holds_up_to(tiers: Mapping[str, Sequence[LoadLevel]], judging: Judging) -> list[Finding]:
    """The highest rate at which the target holds, as it does at every lower one.

    Each rate is tested only where the one below it passed, so that all of a tier keep the stated confidence together.
    """
    told: list[str] = []
    evidence: dict[str, Json] = {}
    alerts: list[str] = []
    for tier, levels in tiers.items():
        last, beyond = _edge([level for level in levels if level.is_open], judging)
        if last is None:
            continue
        until = f"{three_digits(last.load)} for {tier}"
        told.append(until if beyond is None else f"{until} (and no longer at {three_digits(beyond.load)})")
        evidence[tier] = {"holds_at_per_s": last.load, "missed_at_per_s": beyond and beyond.load}
        alerts.append(f'rate(queries_total{{tier="{tier}"}}[1m]) > {three_digits(SAFE * last.load)}')
    if not told:
        return []
    cause = f"of the rates that were offered the target holds up to {', '.join(told)} (queries a second)"
    return [Finding("target-holds-up-to", "info", cause, evidence, None, "", "", " or ".join(alerts))]


def _edge(levels: Sequence[LoadLevel], judging: Judging) -> tuple[LoadLevel | None, LoadLevel | None]:
    """The last level at which the target holds, and the next one if it is missed there or cannot be answered."""
    last: LoadLevel | None = None
    for level in levels:
        status = judging.status(level)
        if status != "pass" or level.is_growing:
            return last, level if status == "fail" or level.is_growing else None
        last = level
    return last, None


def _is_waiting(level: LoadLevel, judging: Judging) -> bool:
    _, interval = level.queue_share(judging.confidence)
    return interval is not None and interval.low > DOMINATES


def _evidence(levels: Sequence[LoadLevel]) -> dict[str, Json]:
    """Of each tier; the unit is the end of a name."""
    return {f"{level.tier} {name}": value for level in levels for name, value in _about(level).items()}


def _about(level: LoadLevel) -> dict[str, Json]:
    found: dict[str, Json] = {
        "load": load_of(level),
        "answered_per_s": middle_of(level.throughput),
        "queue_s": _queue_s(level) if level.queue else None,
        "service_s": middle_of(level.service) if level.service else None,
        "without an answer": level.lost,
        "requests": level.count("requests"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _answered(level: LoadLevel) -> str:
    return three_digits(middle_of(level.throughput))


def _queue_s(level: LoadLevel) -> float:
    return middle_of(level.queue) if level.queue else 0.0


def told_of(level: LoadLevel) -> str:
    """``fast response (142 ms) with 4 users``."""
    seen = format_duration(middle_of(level.latency)) if level.latency else "no time known"
    return f"{level.tier} response ({seen}) {'at' if level.is_open else 'with'} {load_of(level)}"


def load_of(level: LoadLevel) -> str:
    """``4 users``, ``1.5/s``."""
    return f"{level.load:g}/s" if level.is_open else f"{level.load:g} user{'s' if level.load > 1 else ''}"


def flag(level: LoadLevel) -> str:
    return f"--rate {level.load:g}" if level.is_open else f"--concurrency {level.load:g}"
