"""What service-startup finds, and that it is silent where nothing is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.analyze.compose_floor import Floor, Wait
from synapse_perf.analyze.health_check_findings import JudgedService
from synapse_perf.analyze.service_findings import FloorCase, service_findings
from synapse_perf.model import Metric, Trial, TrialSpec
from tests.analyze.trials import single

LIMIT_S = 5.0
FLOOR = FloorCase(
    Floor("web", 25.0, (Wait("db", 15.0), Wait("api", 10.0))), ("db", "api", "cache"), Floor("web", 0.5, ()), 20
)


def start(total: float, started: str = "container", **phases: float) -> list[Metric]:
    labels = {"started": started}
    found = [single(*[total] * 6, name="service_startup_time", labels=labels)]
    return found + [
        single(*[seconds] * 6, name="phase_time", labels={**labels, "phase": phase})
        for phase, seconds in phases.items()
    ]


def timed(imports_s: float, start_s: float, interpreters: int = 1, **longer: float) -> list[Trial]:
    told: dict[str, Any] = {
        "total_s": imports_s,
        "packages": {**longer, "torch": imports_s * 0.7, "sklearn": imports_s * 0.2},
        "modules": 900,
        "interpreters": interpreters,
        "start_s": start_s,
        "importers": {"torch": "app.search > transformers"},
    }
    return [Trial(TrialSpec("service_startup", "imports timed", {}, {}), 1, (), 9.0, facts={"imports": told})]


def found(metrics: list[Metric], trials: list[Trial] | None = None, case: FloorCase | None = None) -> dict[str, Any]:
    return {one.id: one for one in service_findings(metrics, trials or [], LIMIT_S, case)}


def test_the_phase_that_takes_most_of_a_slow_start_is_named() -> None:
    one = found(start(8.0, create=0.1, start=0.2, first_byte=7.0, ready=0.7))["start-phase"]

    assert one.severity == "medium"
    assert one.cause.startswith("88 % of the start is one phase, first byte")


def test_a_start_that_is_quick_enough_has_no_fault() -> None:
    assert {one.severity for one in found(start(1.0, first_byte=0.9, ready=0.1)).values()} == {"info"}


@pytest.mark.parametrize("phase", ["create", "start"])
def test_a_service_that_waits_for_another_is_told_which_whenever_its_container_is_made(phase: str) -> None:
    metrics = start(8.0, "compose", **{phase: 7.0, "first_byte": 1.0})
    moments = {("db", "started"): 0.6, ("db", "healthy"): 6.8, ("api", "started"): 7.0, ("late", "healthy"): 7.5}
    for (service, moment), at in moments.items():
        labels = {"started": "compose", "service": service, "moment": moment}
        metrics.append(single(*[at] * 6, name="moment_time", labels=labels))
    judged = JudgedService("api", is_waited_for=False, engine=26)
    (one,) = service_findings(metrics, [], LIMIT_S, None, judged)

    assert f"one phase, {phase}: db is healthy 6.8 s after the order, and api starts after it" in one.cause
    assert one.evidence["waited_for"] == "db"


def test_a_container_that_is_slow_to_start_beside_quick_others_waits_for_none() -> None:
    metrics = start(8.0, "compose", start=7.0, first_byte=1.0)
    for service, at in (("db", 0.6), ("api", 7.0)):
        labels = {"started": "compose", "service": service, "moment": "started"}
        metrics.append(single(*[at] * 6, name="moment_time", labels=labels))
    (one,) = service_findings(metrics, [], LIMIT_S, None, JudgedService("api", is_waited_for=False, engine=26))

    assert "one phase, start: the container engine starts the container" in one.cause


def test_a_start_without_a_longest_phase_is_silent() -> None:
    assert found(start(9.0, create=3.0, first_byte=3.0, ready=3.0)) == {}
    assert found([]) == {}


def test_an_empty_container_is_no_start_of_the_service() -> None:
    empty = single(9.0, 9.0, name="service_startup_time", labels={"started": "container", "variant": "x"})

    assert found([empty]) == {}


def test_waiting_for_health_checks_is_told_with_its_path_and_what_the_edits_give() -> None:
    one = found(start(27.3, "compose", create=25.5, first_byte=1.8), case=FLOOR)["health-check-floor"]

    assert one.severity == "high"
    assert "Service web cannot start before 25 s" in one.cause
    assert "the health checks of db (15 s) and api (10 s)" in one.cause
    assert one.gain is not None
    assert (one.gain.value, one.gain.measured) == (24.5, False)
    assert (
        "in the healthcheck of db, api and cache: start_interval: 250ms" in one.change
    )  # of all that are to be edited
    assert "version 25" in one.change


def test_waits_that_hardly_count_are_no_finding() -> None:
    short = FloorCase(Floor("web", 1.0, (Wait("db", 1.0),)), ("db",), Floor("web", 0.25, ()), 20)

    assert "health-check-floor" not in found(start(8.0, "compose", create=1.1), case=short)


def test_a_floor_that_a_start_went_below_is_none() -> None:
    assert "health-check-floor" not in found(start(20.0, "compose", create=18.0), case=FLOOR)


def test_imports_are_told_with_the_packages_that_take_longest() -> None:
    one = found(start(8.0), timed(5.6, 8.0))["import-time"]

    assert one.severity == "medium"
    assert one.cause.startswith(
        "70 % of the start are imports of Python; the longest by package: torch 3.92 s, sklearn"
    )
    assert "import torch where it is first needed" in one.change
    assert one.change.endswith("it comes through app.search > transformers")
    assert one.evidence["imported_through"] == "app.search > transformers"


def test_imports_of_a_start_that_is_quick_enough_are_a_note() -> None:
    assert found(start(1.0), timed(0.7, 1.0))["import-time"].severity == "info"


def test_what_every_start_of_python_imports_is_not_to_be_moved() -> None:
    assert "import torch where" in found(start(8.0), timed(5.6, 8.0, site=5.0))["import-time"].change


def test_few_imports_are_a_note_and_those_of_several_interpreters_are_never_more_than_all() -> None:
    assert found(start(8.0), timed(0.4, 8.0))["import-time"].severity == "info"
    several = found(start(8.0), timed(12.0, 8.0, interpreters=2))["import-time"]
    assert several.cause.startswith("100 % of the start are imports of Python, in 2 interpreters")
