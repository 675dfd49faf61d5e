"""What does one run of ws-latency measure, when is its sender too late to be judged, and what does it find?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from synapse_perf.commands.plain_run import PlainRun
from synapse_perf.commands.ws_request import PATIENCE_S, WARMUPS

if TYPE_CHECKING:
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.ws_request import WsRequest
    from synapse_perf.model import Check, Json, MetricDefinition, Trial
    from synapse_perf.profiles import Profile

BESIDE_S = 30.0  # of a process, beside its messages: connecting, warm-up, closing


class WsRun(PlainRun):
    """Messages over some counts of connections."""

    benchmark = "ws-latency"

    def __init__(self, profile: Profile, request: WsRequest, options: CommonOptions) -> None:
        super().__init__(profile, options)
        self.request = request
        self.timeout_s = request.count / request.rate + BESIDE_S
        self.notes = ("each message counts from the moment at which it is due",)

    @property
    def definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks.ws_latency import METRICS

        return METRICS

    @cached_property
    def arms(self) -> list[Arm]:
        from synapse_perf.analyze.sampling import Arm
        from synapse_perf.model import TrialSpec

        request, arms = self.request, []
        for count in request.connections:
            name = f"{request.mode}, {count} connection{'s' * (count > 1)}"
            spec = TrialSpec(
                benchmark="ws_latency",
                arm=name,
                labels={"mode": request.mode, "connections": str(count)},
                workload={
                    "url": request.url,
                    "mode": request.mode,
                    "message": request.message,
                    "trigger": request.trigger,
                    "connections": count,
                    "rate": request.rate,
                    "count": request.count,
                    "warmups": WARMUPS,
                    "patience_s": PATIENCE_S,
                },
                samples=request.count,
                timeout_s=self.timeout_s,
            )
            arms.append(Arm(name, spec))
        return arms

    def described(self) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        request = self.request
        return {
            "url": redact(request.url),
            "mode": request.mode,
            "message": bool(request.message),
            "connections": list(request.connections),
            "rate_per_s": request.rate,
            "messages": request.count,
        }

    def checked(self, checks: Sequence[Check], trials: Sequence[Trial]) -> Sequence[Check]:
        from synapse_perf.analyze.ws_lateness import late_by, told_late

        judged = []
        for check in checks:
            late_s = late_by(trials, check)
            if late_s is not None and check.status in ("pass", "fail"):
                judged.append(replace(check, status="inconclusive", reason=told_late(late_s, check)))
            else:
                judged.append(check)
        return judged

    def warnings(self, trials: Sequence[Trial]) -> Sequence[str]:
        from synapse_perf.analyze.ws_lateness import lost_messages

        return lost_messages(trials)
