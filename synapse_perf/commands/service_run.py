"""What does one run of service-startup measure, and what does it find?"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from synapse_perf.commands.plain_run import PlainRun

if TYPE_CHECKING:
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.service_request import ServiceRequest
    from synapse_perf.model import Finding, Json, Metric, MetricDefinition, Trial
    from synapse_perf.profiles import Profile

LEAVING_S = 30.0  # beside the patience of a start: for its end


class ServiceRun(PlainRun):
    """Starts of one service."""

    benchmark = "service-startup"

    def __init__(self, profile: Profile, request: ServiceRequest, options: CommonOptions) -> None:
        super().__init__(profile, options)
        self.request = request
        self.timeout_s = request.workload["patience_s"] + LEAVING_S
        self.notes = (f"ready is what {request.url} says", "everything that is started is removed again")

    @property
    def definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks.service_startup import METRICS

        return METRICS

    @cached_property
    def arms(self) -> list[Arm]:
        from synapse_perf.analyze.sampling import Arm
        from synapse_perf.model import TrialSpec

        spec = TrialSpec(
            benchmark="service_startup",
            arm=self.request.started,
            labels={"started": self.request.started},
            workload={**self.request.workload, "run": secrets.token_hex(8)},
            timeout_s=self.timeout_s,
        )
        return [Arm(self.request.started, spec)]

    def described(self) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        return {
            "started": self.request.started,
            "name": redact(self.request.name),
            "url": redact(self.request.url),
            "condition": self.request.workload["condition"],
        }

    def findings(self, metrics: Sequence[Metric], trials: Sequence[Trial]) -> Sequence[Finding]:  # noqa: ARG002
        from synapse_perf.analyze.service_findings import service_findings

        return service_findings(metrics)
