"""What holds the start of a service back?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.compose_floor import Floor
from synapse_perf.analyze.health_check_findings import JudgedService, health_check_findings, quicker
from synapse_perf.analyze.load_starts import middle
from synapse_perf.analyze.targets import VARIANT
from synapse_perf.model import Finding, Gain, Json, Metric, Severity, Trial
from synapse_perf.units import format_duration

LARGE_SHARE = 0.5
IMPORT_SHARE = 0.25
FLOOR_SHARE = 0.2
OF_EVERY_START = (
    "site",
    "encodings",
    "zipimport",
    "codecs",
    "os",
    "io",
    "abc",
    "_frozen_importlib_external",
)  # Python's own
AGAIN = "synapse-perf service-startup again: what {} takes then"
ALERT = "the time from the order to start until the health URL is ready"
CONTAINER_PHASES = ("create", "start")  # of a compose file, one of them is where a service waits for others
LONGEST: dict[str, tuple[str, str]] = {
    "create": ("the container engine makes the container", "fewer and smaller mounts and layers"),
    "start": ("the container engine starts the container", "fewer mounts, a simpler network"),
    "spawn": ("the system starts the program", "look at what stands before the service in the command"),
    "first_byte": (
        "the service does not answer at all yet: it imports, connects and sets up",
        "see what it does before it listens; of a Python service: python -X importtime",
    ),
    "ready": (
        "the service answers, and says that it is not ready",
        "see in its health answer what it waits for, and start that earlier or beside it",
    ),
}


@dataclass(frozen=True, slots=True)
class FloorCase:
    """What the waits of a compose file cost as they are, and after the edits, on this version of the engine."""

    floor: Floor
    edits: tuple[str, ...]  # the services whose health checks are to be edited
    edited: Floor
    engine: int


def service_findings(
    metrics: Sequence[Metric],
    trials: Sequence[Trial],
    limit_s: float,
    case: FloorCase | None = None,
    judged: JudgedService | None = None,
) -> tuple[Finding, ...]:
    """`limit_s`: what a start may take; a part of one that takes no longer is no fault, however long it is."""
    starts = [one for one in metrics if one.name == "service_startup_time" and not one.labels.get(VARIANT)]
    if not starts:
        return ()
    total = max(starts, key=middle)
    is_slow = middle(total) > limit_s
    floor = _floor(total, case, limit_s)
    found = [*floor, *_imports(trials, is_slow=is_slow)]
    longest = _longest(metrics, total, judged.name if judged else None, is_slow=is_slow and not found)
    return (*found, *longest, *health_check_findings(total, metrics, trials, judged))


def _longest(metrics: Sequence[Metric], total: Metric, service: str | None, *, is_slow: bool) -> list[Finding]:
    """The phase that takes more than half of the start, if there is one."""
    phases = [one for one in metrics if one.name == "phase_time" and one.labels.items() >= total.labels.items()]
    longest = max(phases, key=middle, default=None)
    share = middle(longest) / middle(total) if longest and middle(total) else 0.0
    if longest is None or share < LARGE_SHARE:
        return []
    phase = longest.labels["phase"]
    cause, change = LONGEST[phase]
    evidence: dict[str, Json] = {
        "phase": phase,
        "phase_s": middle(longest),
        "start_s": middle(total),
        "starts": total.summary.count,
    }
    last = _last_of_others(metrics, total, service) if phase in CONTAINER_PHASES else None
    if last is not None and middle(last) >= LARGE_SHARE * middle(longest):
        waited_for, moment = last.labels["service"], last.labels["moment"]
        cause = f"{waited_for} is {moment} {middle(last):.2g} s after the order, and {service} starts after it"
        change = f"start {waited_for} sooner, or let {service} start without it and wait by itself"
        evidence["waited_for"], evidence["waited_for_s"] = waited_for, middle(last)
    told = f"{_percent(share)} of the start is one phase, {phase.replace('_', ' ')}: {cause}"
    severity: Severity = "medium" if is_slow else "info"
    return [Finding("start-phase", severity, told, evidence, None, change, AGAIN.format("this phase"), ALERT)]


def _last_of_others(metrics: Sequence[Metric], total: Metric, service: str | None) -> Metric | None:
    """What another service of the file reached last before this one was started.

    A compose may make all containers first and wait between their starts, or wait before it makes the next.
    """
    moments = [one for one in metrics if one.name == "moment_time" and one.labels.items() >= total.labels.items()]
    own = [one for one in moments if one.labels["service"] == service and one.labels["moment"] == "started"]
    others = [one for one in moments if own and one.labels["service"] != service and middle(one) <= middle(own[0])]
    return max(others, key=middle, default=None)


def _floor(total: Metric, case: FloorCase | None, limit_s: float) -> list[Finding]:
    """Silent too where a start was quicker than the floor: that engine then asks sooner than its version says."""
    if case is None or not FLOOR_SHARE * middle(total) <= case.floor.start_s <= middle(total):
        return []
    floor = case.floor
    waits = " and ".join(f"{wait.service} ({wait.first_probe_s:g} s)" for wait in floor.path)
    checks = "the health check" if len(floor.path) == 1 else "the health checks"
    cause = (
        f"Service {floor.service} cannot start before {floor.start_s:g} s, whatever the code does: it waits for "
        f"{checks} of {waits}, asked for the first time so long after the start of the container"
    )
    change = f"{quicker(case.edits, case.engine)}; or condition: service_started, for who can wait by itself"
    evidence: dict[str, Json] = {
        "floor_s": floor.start_s,
        "start_s": middle(total),
        "first_probes_s": {wait.service: wait.first_probe_s for wait in floor.path},
        "engine_version": case.engine,
    }
    gain = Gain(floor.start_s - case.edited.start_s, None, None, "s", measured=False)
    severity: Severity = "high" if floor.start_s > limit_s else "medium"
    check = AGAIN.format("its start")
    return [Finding("health-check-floor", severity, cause, evidence, gain, change, check, ALERT)]


def _imports(trials: Sequence[Trial], *, is_slow: bool) -> list[Finding]:
    """Of the one start that timed them, which that made a little longer."""
    told = next((trial.facts["imports"] for trial in trials if "imports" in trial.facts), None)
    if not isinstance(told, Mapping) or not told["start_s"]:
        return []
    share = min(told["total_s"] / told["start_s"], 1.0)
    packages: Mapping[str, float] = told["packages"]
    first = next((name for name in packages if name not in OF_EVERY_START), "the longest")
    of = "" if told["interpreters"] == 1 else f", in {told['interpreters']} interpreters"
    longest = ", ".join(f"{name} {format_duration(seconds)}" for name, seconds in list(packages.items())[:3])
    cause = f"{_percent(share)} of the start are imports of Python{of}; the longest by package: {longest}"
    evidence: dict[str, Json] = {
        "imports_s": told["total_s"],
        "start_s": told["start_s"],
        "packages_s": dict(packages),
        "modules": told["modules"],
    }
    severity: Severity = "medium" if is_slow and share >= IMPORT_SHARE else "info"
    change = f"import {first} where it is first needed, not at the top of a module that the service starts with"
    through = told.get("importers", {}).get(first)
    if through:
        evidence["imported_through"] = through
        change += f"; it comes through {through}"
    check = "python -X importtime with the module that the service starts, then its start again"
    return [Finding("import-time", severity, cause, evidence, None, change, check, ALERT)]


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
