"""Are health checks found that cost more than they tell, and is nothing said of those that do not?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from synapse_perf.analyze.health_check_findings import JudgedService, health_check_findings
from synapse_perf.model import Finding, Metric, Trial, TrialSpec
from tests.analyze.trials import single

LABELS = {"started": "compose"}
API = JudgedService("api", is_waited_for=True, engine=20)


def start(ready_s: float) -> list[Metric]:
    """Of which a second is the container's creation, and the rest comes after its start."""
    phases = {"create": 1.0, "first_byte": ready_s * 0.75, "ready": ready_s * 0.25}
    total = single(*[1.0 + ready_s] * 6, name="service_startup_time", labels=LABELS)
    return [
        total,
        *(single(*[one] * 6, name="phase_time", labels={**LABELS, "phase": name}) for name, one in phases.items()),
    ]


def check(interval_s: float, took_s: Sequence[float] = (), start_period_s: float = 0.0, start_s: float = 0.0) -> Any:
    settings = {"interval_s": interval_s, "start_period_s": start_period_s, "start_interval_s": start_s}
    return {**settings, "took_s": list(took_s)}


def found(checks: dict[str, Any], judged: JudgedService | None = API, ready_s: float = 1.4) -> dict[str, Finding]:
    metrics = start(ready_s)
    trials = [
        Trial(TrialSpec("service_startup", "compose", LABELS, {}), number, (), 3.0, facts={"health_checks": checks})
        for number in (1, 2)
    ]
    return {one.id: one for one in health_check_findings(metrics[0], metrics, trials, judged)}


def test_a_check_that_runs_for_much_of_the_time_is_told_with_an_interval_that_is_enough() -> None:
    """60 ms of every 560 ms are 11 %; 60 ms of every 10.06 s are 0.6 %, and of every 5.06 s more than a hundredth."""
    one = found({"db": check(0.5, [0.06, 0.09]), "api": check(1.0, [0.06, 0.3])})["health-check-often"]

    assert one.severity == "low"
    assert one.cause.startswith(
        "The health of db is asked every 0.5 s, for ever, and each time that takes at least 60 ms"
    )
    assert "11 % of the time" in one.cause
    assert "interval: 10s" in one.change


@pytest.mark.parametrize(
    "quiet",
    [
        check(10.0, [0.06] * 5),  # seldom
        check(0.5, [0.06]),  # two of them are too few to know
        check(0.5, [0.3, 0.3, 0.01]),  # quick, but for a busy start
        check(0.0, [0.06] * 5),  # the engine's own 30 s
    ],
)
def test_a_check_that_costs_little_or_was_hardly_seen_is_none(quiet: Any) -> None:
    assert "health-check-often" not in found({"db": quiet})


def test_a_service_that_is_ready_long_before_it_is_asked_is_told_to_who_waits_for_it() -> None:
    one = found({"api": check(15.0)})["health-check-late"]

    assert one.severity == "low"
    assert one.cause.startswith(
        "Ready 1.4 s after its container was started, api is asked for its health first after 15 s"
    )
    assert one.gain is not None
    assert (round(one.gain.value, 9), one.gain.measured) == (13.35, False)
    assert "in the healthcheck of api: start_interval: 250ms" in one.change
    alone = found({"api": check(15.0)}, JudgedService("api", is_waited_for=False, engine=20))
    assert alone["health-check-late"].severity == "info"


@pytest.mark.parametrize(
    ("one", "judged", "ready_s"),
    [
        (check(15.0), API, 20.0),  # it takes longer itself
        (check(15.0, (), 60.0, 0.25), JudgedService("api", True, 25), 1.4),  # asked often while it starts
        (check(15.0), JudgedService("api", True, 0), 1.4),  # an engine that asks at once
        (check(15.0), JudgedService("db", True, 20), 1.4),  # it has no check
        (check(15.0), None, 1.4),  # a command
    ],
)
def test_who_need_not_wait_is_told_nothing(one: Any, judged: JudgedService | None, ready_s: float) -> None:
    assert found({"api": one}, judged, ready_s) == {}
