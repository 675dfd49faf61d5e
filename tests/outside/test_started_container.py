"""What is read out of what an engine says of a container: its end, its health checks, and when it was healthy."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.outside.started_compose import StartedCompose
from synapse_perf.outside.started_container import health_check_of, why_ended


def look(second: int, exit_code: int = 0, took_s: float = 0.25) -> dict[str, Any]:
    """As the engine notes a look at the health of a container, with nine decimals."""
    began, ended = f"{second:02d}.500000000", f"{second:02d}.{int((0.5 + took_s) * 1e9):09d}"
    return {"Start": f"2026-11-23T10:00:{began}Z", "End": f"2026-11-23T10:00:{ended}Z", "ExitCode": exit_code}


def test_a_health_check_is_told_in_seconds_with_what_each_look_took() -> None:
    config = {"Healthcheck": {"Test": ["CMD", "check"], "Interval": 500_000_000, "StartPeriod": 60_000_000_000}}
    inspected = {"Config": config, "State": {"Health": {"Log": [look(1), look(2, took_s=0.125)]}}}

    assert health_check_of(inspected) == {
        "interval_s": 0.5,
        "start_period_s": 60.0,
        "start_interval_s": 0.0,
        "took_s": pytest.approx([0.25, 0.125]),
    }
    assert health_check_of({**inspected, "State": {}})["took_s"] == []  # it has not been asked yet


@pytest.mark.parametrize("config", [{}, {"Healthcheck": None}, {"Healthcheck": {"Test": ["NONE"]}}])
def test_a_container_that_is_never_asked_has_none(config: dict[str, Any]) -> None:
    assert health_check_of({"Config": config, "State": {}}) is None


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"Running": True}, ""),
        ({"Status": "created"}, ""),
        ({"Restarting": True, "ExitCode": 1}, ""),
        ({"ExitCode": 3}, "ended with status 3"),
        ({"ExitCode": 137, "OOMKilled": True}, "ended for want of memory"),
    ],
)
def test_how_a_container_ended(state: dict[str, Any], told: str) -> None:
    assert why_ended(state) == told


class Engine:
    """With one container of a compose file, whose health has been asked as often as `log` says."""

    def __init__(self) -> None:
        self.api = self
        self.log: list[dict[str, Any]] = []

    def info(self) -> dict[str, str]:
        return {"SystemTime": ""}

    def containers(self, filters: dict[str, str], **_: object) -> list[dict[str, Any]]:
        is_docker = filters["label"].startswith("com.docker.compose.project=")
        return [{"Id": "1", "Labels": {"com.docker.compose.service": "db"}}] if is_docker else []

    def inspect_container(self, _: str) -> dict[str, Any]:
        state = {"StartedAt": "2026-11-23T10:00:00.5Z", "Running": True, "Health": {"Log": self.log[-5:]}}
        return {"Created": "2026-11-23T10:00:00.0Z", "State": state, "Config": {}}


class Up:
    """Compose, which waits for its services."""

    def poll(self) -> None:
        return None


def test_the_first_good_look_counts_though_the_engine_keeps_only_the_last_five() -> None:
    engine = Engine()
    service = StartedCompose(engine, ["compose"], "", run="r", service=None, judged="db", env={})
    service._up = Up()  # type: ignore[assignment]
    engine.log = [look(1, exit_code=1), look(2)]
    service.check()
    engine.log += [look(second) for second in range(3, 20)]

    moments = {one.moment: one.at_ns for one in service.parts()}
    assert list(moments) == ["created", "started", "healthy"]
    assert (moments["healthy"] - moments["started"]) * 1e-9 == pytest.approx(2.25)
