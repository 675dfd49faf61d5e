"""What does one run of service-startup measure, in which order, and what does it find?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from synapse_perf.commands.plain_run import PlainRun
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.analyze.compose_floor import Floor
    from synapse_perf.analyze.health_check_findings import JudgedService
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.analyze.service_findings import FloorCase
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.service_request import ServiceRequest
    from synapse_perf.model import (
        CacheState,
        Check,
        Finding,
        Json,
        Metric,
        MetricDefinition,
        Policy,
        Result,
        Trial,
        TrialSpec,
    )
    from synapse_perf.profiles import Profile

LEAVING_S = 30.0  # beside the patience of a start: for its end
EMPTY_STARTS = 3
NO_CONTAINER = "a plain command was started, and no container (--image, --compose)"
EMPTY, IMPORTS = "an empty container", "imports timed"


class ServiceRun(PlainRun):
    """Starts of one service: first what the engine costs, then the service, then once with its imports timed."""

    benchmark = "service-startup"

    def __init__(self, profile: Profile, request: ServiceRequest, options: CommonOptions) -> None:
        super().__init__(profile, options)
        self.request = request
        self.subject = "sample" if request.is_sample else "real"
        self.timeout_s = request.workload["patience_s"] + LEAVING_S
        self.notes = (f"ready is what {request.url} says", "everything that is started is removed again")
        if self._floor_case is not None:
            floor = self._floor_case.floor
            waits = ", ".join(f"{wait.service} ({wait.first_probe_s:g} s)" for wait in floor.path)
            self.notes += (f"{floor.service} cannot start before {floor.start_s:g} s, by the health checks of {waits}",)

    @property
    def definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks.service_startup import METRICS

        return METRICS

    @cached_property
    def arms(self) -> list[Arm]:
        return [arm for group in self._groups for arm in group]

    def policy(self) -> Policy:
        """Group by group."""
        policies = [self.policy_of(group) for group in self._groups]

        def next_trial(trials: tuple[Trial, ...]) -> TrialSpec | None:
            asked = (policy(trials) for policy in policies)
            spec = next((spec for spec in asked if spec is not None), None)
            return None if spec and spec.arm == IMPORTS and not any(map(_is_a_start, trials)) else spec

        return next_trial

    def measure(self, baseline: Result | None) -> int:
        """What is taken is told before anything is measured; whatever happens, nothing is left behind."""
        from synapse_perf.outside.container_owner import sweep
        from synapse_perf.outside.health_poller import is_taken

        request = self.request
        if request.client is not None:
            sweep(request.client)
        if is_taken(request.url):
            raise InputError(f"something already listens at {request.url}", "stop it, or choose another port")
        try:
            return super().measure(baseline)
        finally:
            if request.client is not None:
                remove_what_is_left(request.client, request.run)

    def described(self) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        return {
            "started": self.request.started,
            "name": redact(self.request.name),
            "url": self.request.name if self.request.is_sample else redact(self.request.url),
            "condition": self.request.workload["condition"],
        }

    def noted(self) -> dict[str, Json]:
        request, case = self.request, self._floor_case
        noted: dict[str, Json] = {"conditions": self._conditions()}
        if request.engine:
            noted["engine"] = request.engine
        if case is not None:
            path = [{"service": wait.service, "first_probe_s": wait.first_probe_s} for wait in case.floor.path]
            noted["floor"] = {"service": case.floor.service, "start_s": case.floor.start_s, "path": path}
            noted["floor"]["edited_s"] = case.edited.start_s
        return noted

    def findings(self, metrics: Sequence[Metric], trials: Sequence[Trial]) -> Sequence[Finding]:
        from synapse_perf.analyze.service_findings import service_findings

        limit_s = next(target.limit for target in self.effort.targets if target.id == "docker-startup")
        return service_findings(metrics, trials, limit_s, self._floor_case, self._judged)

    def checked(self, checks: Sequence[Check], trials: Sequence[Trial]) -> Sequence[Check]:  # noqa: ARG002
        if self.request.started != "command":
            return checks
        return [replace(check, reason=NO_CONTAINER) for check in checks]

    def warnings(self, trials: Sequence[Trial]) -> Sequence[str]:
        told = []
        cold = self.request.cold
        if cold is not None and cold.why_not:
            told.append(f"--cold: the files of the image cannot be put out of the page cache: {cold.why_not}")
        without = next(
            (trial.facts["no_empty_container"] for trial in trials if "no_empty_container" in trial.facts), ""
        )
        if without:
            told.append(f"what an empty container costs is not known: {without}")
        return told

    @cached_property
    def _groups(self) -> list[list[Arm]]:
        request, groups = self.request, []
        started = {"started": request.started}
        if request.empty is not None:
            labels = {"started": "container", "variant": EMPTY}
            groups.append([self._arm(EMPTY, request.empty, labels, EMPTY_STARTS)])
        if request.cold is not None and request.cold.paths:
            files = request.cold.paths
            cold = self._arm(f"{request.started}, cold", request.workload, {**started, "cache": "cold"}, files=files)
            warm = self._arm(f"{request.started}, warm", request.workload, {**started, "cache": "warm"}, files=files)
            groups.append([cold, warm])
        else:
            groups.append([self._arm(request.started, request.workload, started)])
        if request.times_imports is not None:
            groups.append([self._arm(IMPORTS, request.times_imports, {**started, "variant": IMPORTS}, 1)])
        return groups

    def _arm(
        self,
        name: str,
        workload: Mapping[str, Json],
        labels: Mapping[str, str],
        repeats: int | None = None,
        files: tuple[str, ...] = (),
    ) -> Arm:
        from synapse_perf.analyze.sampling import Arm
        from synapse_perf.model import TrialSpec

        cache: CacheState | None = "cold" if labels.get("cache") == "cold" else "warm" if files else None
        spec = TrialSpec("service_startup", name, labels, workload, timeout_s=self.timeout_s, files=files)
        return Arm(name, replace(spec, page_cache=cache), repeats)

    @cached_property
    def _floor_case(self) -> FloorCase | None:
        """Of the service that is asked, or where that is not known of the one that starts last."""
        from synapse_perf.analyze.compose_floor import (
            HAS_START_INTERVAL,
            checks_to_edit,
            floor_of,
            highest_floor,
            with_start_intervals,
        )
        from synapse_perf.analyze.service_findings import FloorCase

        file = self.request.compose
        if file is None or not file.engine:  # another engine asks at once, and then after an interval
            return None
        if file.judged is not None and file.judged in file.services:
            floor: Floor | None = floor_of(file.services, file.judged, file.engine)
        else:
            floor = highest_floor(file.services, file.engine)
        if floor is None or not floor.path:
            return None
        edits = checks_to_edit(file.services, floor, file.engine)
        edited = with_start_intervals(file.services, edits)
        after = floor_of(edited, floor.service, max(file.engine, HAS_START_INTERVAL))
        return FloorCase(floor, edits, after, file.engine)

    @property
    def _judged(self) -> JudgedService | None:
        """None of a command, which no engine asks for its health, and where it is not known which one answers."""
        from synapse_perf.analyze.compose_floor import HEALTHY
        from synapse_perf.analyze.health_check_findings import JudgedService
        from synapse_perf.outside.started_container import THE_CONTAINER

        file, engine = self.request.compose, self.request.engine_major
        if file is None:
            return JudgedService(THE_CONTAINER, is_waited_for=False, engine=engine) if self.request.engine else None
        needs = [one.needs.get(file.judged or "") for one in file.services.values()]
        return JudgedService(file.judged, is_waited_for=HEALTHY in needs, engine=engine) if file.judged else None

    def _conditions(self) -> list[str]:
        """What exactly was new or cold at each start, and what was not."""
        from synapse_perf.units import format_bytes

        request, cold = self.request, self.request.cold
        if request.started == "command":
            return ["new: the process and what it starts", "as they were: the page cache, and what else runs"]
        told = ["new: the container, its writable layer and its network"]
        if request.started == "compose":
            told = ["new: the containers, networks and volumes of the file, but for external ones"]
        if cold is not None and cold.paths:
            size = f"{len(cold.paths)} files, {format_bytes(cold.size_bytes)}"
            told.append(
                f"cold and warm in turn: the files of the image ({size}) in the page cache, checked before each"
            )
        else:
            told.append("as they were, so mostly warm: the files of the image in the page cache")
        return [*told, "warm: the engine and its own programs"]


def remove_what_is_left(client: Any, run: str) -> None:
    """All that is left of the run, unless the engine itself is gone: then what was measured is told all the same."""
    import typer

    from synapse_perf.outside.container_owner import remove_run

    try:
        remove_run(client, run)
    except OSError:  # as all errors of the library are
        told = f"warning: the container engine answers no more; the next service-startup removes what is left of {run}"
        typer.echo(told, err=True)


def _is_a_start(trial: Trial) -> bool:
    """Of the service: one that never starts has no imports to time."""
    return trial.failure is None and trial.spec.arm != EMPTY
