"""What do an engine's own health checks cost: those that ask too often, and one that asks long after all is ready?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synapse_perf.analyze.compose_floor import (
    HAS_START_INTERVAL,
    INTERVAL_S,
    PROPOSED_START_INTERVAL_S,
    PROPOSED_START_PERIOD_S,
    HealthCheck,
)
from synapse_perf.analyze.load_starts import middle
from synapse_perf.model import Finding, Gain, Metric, Severity, Trial

BUSY_SHARE = 0.05  # of the time, for which a health check runs
QUIET_SHARE = 0.01  # what is proposed
CHECKS_AT_LEAST = 3
LATE_S = 1.0
INTERVALS_S = (1, 2, 5, 10, 15, 30)
LOG = "docker inspect --format '{{json .State.Health.Log}}' of its container"


@dataclass(frozen=True, slots=True)
class JudgedService:
    """The service whose start is measured: its name, and whether another one waits for it to be healthy."""

    name: str
    is_waited_for: bool
    engine: int  # the major version of Docker; 0: another engine, whose health checks have rules of their own


def health_check_findings(
    total: Metric, metrics: Sequence[Metric], trials: Sequence[Trial], judged: JudgedService | None
) -> list[Finding]:
    """The check that runs for the largest share of the time, and that of the judged service if it asks late."""
    checks = _checks(trials)
    return [*_often(checks), *_late(total, metrics, checks, judged)]


def quicker(services: Sequence[str], engine: int) -> str:
    """The edits after which a check is asked soon after the start, and not for ever."""
    needs = "" if engine >= HAS_START_INTERVAL else f" (needs version {HAS_START_INTERVAL} of the engine)"
    return (
        f"in the healthcheck of {listed(services)}: start_interval: {PROPOSED_START_INTERVAL_S * 1e3:g}ms, with a "
        f"start_period longer than its start, such as {PROPOSED_START_PERIOD_S:g}s{needs}; or a shorter interval, "
        "which goes on asking as often for ever"
    )


def listed(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), *names[-1:]) if len(names) > 1 else names)


def _checks(trials: Sequence[Trial]) -> dict[str, list[Mapping[str, Any]]]:
    """What each start has noted, by service."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for trial in trials:
        for service, told in (trial.facts.get("health_checks") or {}).items():
            found.setdefault(service, []).append(told)
    return found


def _often(checks: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Finding]:
    """By the quickest of the checks that were seen, as the others may have met a busy start."""
    shares = {}
    for service, starts in checks.items():
        took_s = [seconds for told in starts for seconds in told["took_s"]]
        interval_s = starts[0]["interval_s"] or INTERVAL_S
        if len(took_s) >= CHECKS_AT_LEAST:
            least_s = min(took_s)
            shares[service] = (least_s / (interval_s + least_s), least_s, interval_s, len(took_s))
    if not shares:
        return []
    service, (share, least_s, interval_s, count) = max(shares.items(), key=lambda one: one[1])
    if share < BUSY_SHARE:
        return []
    enough_s = next((one for one in INTERVALS_S if least_s / (one + least_s) <= QUIET_SHARE), INTERVALS_S[-1])
    return [
        Finding(
            "health-check-often",
            "low",
            f"The health of {service} is asked every {interval_s:g} s, for ever, and each time that takes at least "
            f"{least_s * 1e3:.0f} ms: for {share * 100:.0f} % of the time a program runs for that alone",
            {"service": service, "interval_s": interval_s, "least_s": least_s, "checks": count, "share": share},
            None,
            f"in the healthcheck of {service}: interval: {enough_s:g}s, or a check that starts no interpreter; so that "
            f"it is asked soon all the same: start_interval, with start_period",
            LOG,
            "the processor time of the container while nobody uses it",
        )
    ]


def _late(
    total: Metric,
    metrics: Sequence[Metric],
    checks: Mapping[str, Sequence[Mapping[str, Any]]],
    judged: JudgedService | None,
) -> list[Finding]:
    """Who waits for `healthy` waits for the first question, however long the service is ready by then."""
    if judged is None or not judged.engine or judged.name not in checks:
        return []
    told = checks[judged.name][0]
    first_s = HealthCheck(told["interval_s"], told["start_period_s"], told["start_interval_s"]).first_probe_s(
        judged.engine
    )
    of_start = [one for one in metrics if one.name == "phase_time" and one.labels.items() >= total.labels.items()]
    ready_s = sum(middle(one) for one in of_start if one.labels["phase"] in ("first_byte", "ready"))
    late_s = first_s - ready_s
    if late_s < LATE_S:
        return []
    severity: Severity = "low" if judged.is_waited_for else "info"
    return [
        Finding(
            "health-check-late",
            severity,
            f"Ready {ready_s:.2g} s after its container was started, {judged.name} is asked for its health first after "
            f"{first_s:g} s: who waits until it is healthy (depends_on, up --wait) waits {late_s:.2g} s for nothing",
            {"service": judged.name, "first_check_s": first_s, "ready_s": ready_s},
            Gain(late_s - PROPOSED_START_INTERVAL_S, None, None, "s", measured=False),
            quicker((judged.name,), judged.engine),
            LOG,
            "the time from the start of a container until the engine calls it healthy",
        )
    ]
