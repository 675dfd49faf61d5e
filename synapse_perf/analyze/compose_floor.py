"""Before which moment can a service of a compose file not start, whatever its code does?

A container engine asks a health check for the first time one interval after the start of the container; who waits for
`service_healthy` waits at least as long. So the longest path over these waits is a floor, on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

INTERVAL_S = 30.0  # an engine's own, where the file gives none
START_INTERVAL_S = 5.0  # likewise, of engines that have one of their own
HAS_START_INTERVAL = 25  # the first version of the engine that asks more often while a service starts
HAS_ITS_DEFAULT = 27  # the first that does so by itself; 25 and 26 keep to the interval where the file gives none
HEALTHY = "service_healthy"
PROPOSED_START_INTERVAL_S = 0.25
PROPOSED_START_PERIOD_S = 60.0


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """As the file or the image gives it; None where neither does."""

    interval_s: float | None = None
    start_period_s: float | None = None
    start_interval_s: float | None = None

    def first_probe_s(self, engine: int) -> float:
        """After the start of the container, on that version of the engine; the start interval holds in its period."""
        interval_s = self.interval_s or INTERVAL_S
        if engine < HAS_START_INTERVAL or not self.start_period_s:
            return interval_s
        return self.start_interval_s or (START_INTERVAL_S if engine >= HAS_ITS_DEFAULT else interval_s)


@dataclass(frozen=True, slots=True)
class ComposeService:
    """What decides when a service starts: its own health check, and which others it waits for, until what."""

    health: HealthCheck | None = None
    needs: Mapping[str, str] = field(default_factory=dict)  # condition by name


@dataclass(frozen=True, slots=True)
class Wait:
    """One health check on the path, and the seconds until it can first say that all is well."""

    service: str
    first_probe_s: float


@dataclass(frozen=True, slots=True)
class Floor:
    """The earliest start of a service, and the waits that add up to it, in order."""

    service: str
    start_s: float
    path: tuple[Wait, ...]


def floor_of(services: Mapping[str, ComposeService], service: str, engine: int) -> Floor:
    """Of one service; a service that waits for none starts at once."""
    return _floors(services, engine)[service]


def highest_floor(services: Mapping[str, ComposeService], engine: int) -> Floor | None:
    """Of the service that starts last; None of a file without services."""
    return max(_floors(services, engine).values(), key=lambda floor: floor.start_s, default=None)


def checks_to_edit(services: Mapping[str, ComposeService], floor: Floor, engine: int) -> tuple[str, ...]:
    """All that its service waits for, through whatever others: without one of them its path would be left.

    Those on the longest path come first.
    """
    waited_for = {wait.service: services[wait.service].health for wait in floor.path}
    reached, left = {floor.service}, [floor.service]
    while left:
        for needed, condition in services[left.pop()].needs.items():
            if needed not in services:
                continue
            if condition == HEALTHY:
                waited_for[needed] = services[needed].health
            if needed not in reached:
                reached.add(needed)
                left.append(needed)
    return tuple(
        name
        for name, health in waited_for.items()
        if health is not None and health.first_probe_s(engine) > PROPOSED_START_INTERVAL_S
    )


def with_start_intervals(services: Mapping[str, ComposeService], names: Iterable[str]) -> dict[str, ComposeService]:
    """The services with the edits that remove a floor: these health checks are asked often while a service starts."""
    edited = dict(services)
    for name in names:
        health = services[name].health
        assert health is not None
        period_s = health.start_period_s or PROPOSED_START_PERIOD_S
        quick = replace(health, start_period_s=period_s, start_interval_s=PROPOSED_START_INTERVAL_S)
        edited[name] = replace(services[name], health=quick)
    return edited


def _floors(services: Mapping[str, ComposeService], engine: int) -> dict[str, Floor]:
    floors: dict[str, Floor] = {}
    for name in _in_order(services):
        longest = Floor(name, 0.0, ())
        for needed, condition in services[name].needs.items():
            if needed not in floors:
                continue
            path, start_s = floors[needed].path, floors[needed].start_s
            health = services[needed].health
            if condition == HEALTHY and health is not None:
                wait = Wait(needed, health.first_probe_s(engine))
                path, start_s = (*path, wait), start_s + wait.first_probe_s
            if start_s > longest.start_s:
                longest = Floor(name, start_s, path)
        floors[name] = longest
    return floors


def _in_order(services: Mapping[str, ComposeService]) -> list[str]:
    """What is needed comes first; compose itself refuses a circle, which here has no floor."""
    graph = {name: [needed for needed in one.needs if needed in services] for name, one in services.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return list(services)
