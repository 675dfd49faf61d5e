"""What does one run of ws-latency measure, when is its sender too late to be judged, and what does it find?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from synapse_perf.commands.plain_run import PlainRun

if TYPE_CHECKING:
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.ws_process import Watched
    from synapse_perf.commands.ws_request import WsRequest
    from synapse_perf.model import Check, Finding, Json, Leak, Metric, MetricDefinition, Policy, Trial, TrialSpec
    from synapse_perf.profiles import Profile

PATIENCE_S = 2.0  # for an answer, or twice the limit where that is longer: what is lost is over it in any case
LOAD_PATIENCE_S = 10.0
WARMUP_SHARE, WARMUPS_AT_MOST = 0.1, 20
PINGS_SHARE, PINGS_AT_LEAST = 0.3, 20  # p95 needs so many
BESIDE_S = 30.0  # of a process, beside its messages: drained history, warm-up, closing
CONNECT_S = 0.25  # for each connection
CLIENTS, ROUNDS = 10, 2  # that leave
GRACE_S = 2.0  # for the server to let go of them
MESSAGES_SHARE = 0.9  # of the time


class WsRun(PlainRun):
    """Messages over some counts of connections, and what the server keeps of clients that have left."""

    benchmark = "ws-latency"

    def __init__(
        self, profile: Profile, request: WsRequest, options: CommonOptions, watched: Watched | None = None
    ) -> None:
        super().__init__(profile, options)
        self.request = request
        self.watched = watched
        limits = [target.limit for target in self.effort.targets if target.id == "websocket-latency"]
        self.patience_s = max(PATIENCE_S, *(2 * limit for limit in limits))
        self.subject = "sample" if request.is_sample else "real"
        sent_s = request.count * (1 + WARMUP_SHARE + PINGS_SHARE) / request.rate
        self.timeout_s = sent_s + 3 * self.patience_s + BESIDE_S + CONNECT_S * max(request.connections)
        self.notes = ("each message counts from the moment at which it is due",)

    @property
    def definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks.ws_disconnect import METRICS as LEFT
        from synapse_perf.benchmarks.ws_latency import METRICS

        return {**METRICS, **LEFT}

    @cached_property
    def arms(self) -> list[Arm]:
        loads = ("idle", "polled") if self.request.load_url is not None else ("",)
        arms = [self._messages(count, load) for count in self.request.connections for load in loads]
        return [*arms, self._disconnects()] if self.watched and self.watched.process else arms

    def policy(self) -> Policy:
        """Messages first, with a tenth of the time kept for the clients that leave, which would disturb them."""
        from synapse_perf.analyze.sampling import spent_s

        messages = self.policy_of([arm for arm in self.arms if arm.repeats is None])
        leaving = self.policy_of([arm for arm in self.arms if arm.repeats is not None])
        enough_s = (self.effort.bounds.max_time_s or math.inf) * MESSAGES_SHARE

        def next_trial(trials: tuple[Trial, ...]) -> TrialSpec | None:
            message = messages(trials) if spent_s(trials) < enough_s else None
            return message or leaving(trials)

        return next_trial

    def _messages(self, connections: int, load: str) -> Arm:
        from synapse_perf.analyze.sampling import Arm
        from synapse_perf.model import TrialSpec

        request = self.request
        pings = 0 if request.mode == "ping" else max(PINGS_AT_LEAST, int(request.count * PINGS_SHARE))
        parts = (request.mode or "messages", f"{connections} connection{'s' * (connections > 1)}", load)
        name = ", ".join(part for part in parts if part)
        spec = TrialSpec(
            benchmark="ws_latency",
            arm=name,
            labels={"mode": request.mode or "", "connections": str(connections), **({"load": load} if load else {})},
            workload={
                "url": request.url,
                "mode": request.mode,
                "message": request.message,
                "trigger": request.trigger,
                "trigger_body": request.trigger_body,
                "connections": connections,
                "rate": request.rate,
                "count": request.count,
                "pings": pings,
                "warmups": min(WARMUPS_AT_MOST, max(1, int(request.count * WARMUP_SHARE))),
                "patience_s": self.patience_s,
                "load_url": request.load_url if load == "polled" else None,
                "load_rate": request.load_rate,
                "load_timeout_s": LOAD_PATIENCE_S,
            },
            samples=request.count + pings + 2,  # the benchmark itself has the last word
            timeout_s=self.timeout_s,
        )
        return Arm(name, spec)

    def _disconnects(self) -> Arm:
        from synapse_perf.analyze.sampling import Arm
        from synapse_perf.model import TrialSpec

        assert self.watched is not None
        assert self.watched.process is not None
        process = self.watched.process
        spec = TrialSpec(
            benchmark="ws_disconnect",
            arm="clients that leave",
            labels={},
            workload={
                "url": self.request.url,
                "process": {"pid": process.pid, "started_s": process.started_s},
                "clients": CLIENTS,
                "rounds": ROUNDS,
                "grace_s": GRACE_S,
                "timeout_s": self.patience_s,
            },
            samples=3 * ROUNDS,
            timeout_s=120.0,
        )
        return Arm(spec.arm, spec, repeats=1)

    def described(self) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        request = self.request
        return {
            "url": "built-in sample" if request.is_sample else redact(request.url),
            "mode": request.mode,
            "message": redact(request.message) or None,
            "trigger": request.trigger and redact(request.trigger),
            "connections": list(request.connections),
            "rate_per_s": request.rate,
            "messages": request.count,
            "load_url": request.load_url and redact(request.load_url),
            "load_rate_per_s": request.load_rate if request.load_url else None,
        }

    def noted(self) -> dict[str, Json]:
        if self.watched is None:
            return {}
        if self.watched.process is None:
            return {"disconnects": f"not counted: {self.watched.why_not}"}
        return {"disconnects": {"process": self.watched.process.name, "clients": CLIENTS, "rounds": ROUNDS}}

    def checked(self, checks: Sequence[Check], trials: Sequence[Trial]) -> Sequence[Check]:
        from synapse_perf.analyze.ws_lateness import judged_by_sender, judged_of_pings

        judged = [judged_by_sender(check, trials) for check in checks]
        return [judged_of_pings(check) for check in judged] if self.request.mode == "ping" else judged

    def findings(self, metrics: Sequence[Metric], trials: Sequence[Trial]) -> Sequence[Finding]:
        from synapse_perf.analyze.verdict import check_targets
        from synapse_perf.analyze.ws_disconnects import leak_findings
        from synapse_perf.analyze.ws_findings import ws_findings

        checks = check_targets(
            metrics,
            self.effort.targets,
            confidence=self.effort.confidence,
            subject=self.subject,
            profile=self.profile.name,
        )
        found = ws_findings(metrics, self.checked(checks, trials), self.request.load_url)
        process = self.watched.process if self.watched else None
        return (*found, *(leak_findings(self.leaks(trials), process.name) if process else ()))

    def warnings(self, trials: Sequence[Trial]) -> Sequence[str]:
        from synapse_perf.analyze.ws_disconnects import unseen
        from synapse_perf.analyze.ws_lateness import told_trouble

        told = told_trouble(trials)
        if unseen(trials) and self.watched and self.watched.process:
            name = self.watched.process.name
            told.append(f"{name} does not hold the clients that connect, so what it keeps of them is not judged")
        return told

    def leaks(self, trials: Sequence[Trial]) -> tuple[Leak, ...]:
        from synapse_perf.analyze.ws_disconnects import leaks_of

        return () if self.request.is_sample else leaks_of(trials)
