"""The floor of a compose file against every path, walked one by one, and against sums done by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.analyze.compose_floor import (
    HEALTHY,
    ComposeService,
    HealthCheck,
    checks_to_edit,
    floor_of,
    highest_floor,
    with_start_intervals,
)


def chain() -> dict[str, ComposeService]:
    return {
        "web": ComposeService(needs={"api": HEALTHY, "mail": "service_started"}),
        "api": ComposeService(HealthCheck(10.0, 40.0), {"db": HEALTHY, "cache": HEALTHY}),
        "db": ComposeService(HealthCheck(12.0)),
        "cache": ComposeService(HealthCheck()),
        "mail": ComposeService(HealthCheck(500.0)),
    }


def test_the_longest_path_is_the_floor_and_a_wait_for_the_start_alone_costs_nothing() -> None:
    floor = floor_of(chain(), "web", engine=20)

    assert floor.start_s == 30.0 + 10.0  # the engine's own interval, then the API's
    assert [(wait.service, wait.first_probe_s) for wait in floor.path] == [("cache", 30.0), ("api", 10.0)]


def test_an_engine_that_asks_more_often_while_a_service_starts_does_so_in_its_start_period_alone() -> None:
    assert HealthCheck(10.0, 40.0).first_probe_s(24) == 10.0
    assert HealthCheck(10.0, 40.0).first_probe_s(26) == 10.0  # as 26.1.5 was seen to do
    assert HealthCheck(10.0, 40.0).first_probe_s(27) == 5.0
    assert HealthCheck(10.0, 40.0, 0.25).first_probe_s(25) == 0.25
    assert HealthCheck(10.0, None, 0.25).first_probe_s(25) == 10.0


def test_the_edits_leave_a_quarter_of_a_second_for_each_wait() -> None:
    edits = checks_to_edit(chain(), floor_of(chain(), "web", 20), 20)
    edited = with_start_intervals(chain(), edits)

    assert edits == ("cache", "api", "db")  # the longest path first, and db, whose path would be left

    assert floor_of(edited, "web", 25).start_s == 0.5
    assert edited["mail"] == chain()["mail"]  # nobody waits for its health


def test_a_check_that_is_quick_already_and_one_on_no_path_are_not_edited() -> None:
    services = {
        **chain(),
        "db": ComposeService(HealthCheck(12.0, 60.0, 0.25)),
        "other": ComposeService(HealthCheck(9.0)),
    }
    services["log"] = ComposeService(needs={"other": HEALTHY})

    assert checks_to_edit(services, floor_of(services, "web", 25), 25) == ("cache", "api")
    assert checks_to_edit(services, floor_of(services, "web", 20), 20) == (
        "cache",
        "api",
        "db",
    )  # it heeds no such thing


def test_a_file_without_waits_has_no_floor() -> None:
    free = {"one": ComposeService(HealthCheck(30.0)), "two": ComposeService(needs={"one": "service_started"})}

    highest = highest_floor(free, 20)
    assert highest is not None
    assert highest.start_s == 0.0
    assert highest_floor({}, 20) is None


@pytest.mark.parametrize("needed", ["self", "unknown"])
def test_what_compose_itself_refuses_does_no_harm(needed: str) -> None:
    assert floor_of({"self": ComposeService(HealthCheck(1.0), {needed: HEALTHY})}, "self", 20).start_s == 0.0


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, ComposeService]:
    """Services that need only earlier ones, so without circles."""
    services: dict[str, ComposeService] = {}
    for number in range(draw(st.integers(1, 6))):
        intervals = st.one_of(st.none(), st.integers(1, 40).map(float))
        health = draw(st.one_of(st.none(), st.builds(HealthCheck, intervals, intervals, intervals)))
        conditions = st.sampled_from([HEALTHY, "service_started", "service_completed_successfully"])
        needs = draw(st.dictionaries(st.sampled_from(list(services)), conditions)) if services else {}
        services[str(number)] = ComposeService(health, needs)
    return services


def walked(services: Mapping[str, ComposeService], name: str, engine: int) -> float:
    """Every path to the service, by the words of the documentation."""
    ends = [0.0]
    for needed, condition in services[name].needs.items():
        health = services[needed].health
        first = 0.0
        if condition == HEALTHY and health is not None:
            first = 30.0 if health.interval_s is None else health.interval_s
            of_its_own = 5.0 if engine >= 27 else first
            if engine >= 25 and health.start_period_s is not None:
                first = of_its_own if health.start_interval_s is None else health.start_interval_s
        ends.append(walked(services, needed, engine) + first)
    return max(ends)


@given(graphs(), st.sampled_from([20, 26, 27]))
def test_the_floor_is_the_longest_of_all_paths_and_its_waits_add_up_to_it(
    services: dict[str, ComposeService], engine: int
) -> None:
    for name in services:
        floor = floor_of(services, name, engine)
        assert floor.start_s == walked(services, name, engine)
        assert sum(wait.first_probe_s for wait in floor.path) == floor.start_s


@given(graphs(), st.sampled_from([20, 26, 27]))
def test_the_edits_leave_no_longer_wait_on_any_path(services: dict[str, ComposeService], engine: int) -> None:
    for name in services:
        floor = floor_of(services, name, engine)
        edits = checks_to_edit(services, floor, engine)
        after = floor_of(with_start_intervals(services, edits), name, 25)
        assert all(wait.first_probe_s <= 0.25 for wait in after.path)
        for wait in floor.path:
            assert wait.service in edits or wait.first_probe_s <= 0.25
