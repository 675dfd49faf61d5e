"""The services of a compose file that is filled in, started by compose itself under a project name of their own.

`up` waits for health checks between services; what is measured may be ready long before it returns. So it runs beside,
and when each container was created and started is what the engine has noted.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from synapse_perf.outside.compose_tool import environment, up_words, why
from synapse_perf.outside.container_engine import clock_ahead_s
from synapse_perf.outside.container_owner import COMPOSE_LABELS, remove_run
from synapse_perf.outside.process_tree import end_tree
from synapse_perf.outside.server_output import Output, spawned
from synapse_perf.outside.started_container import (
    LAST_LINES,
    health_check_of,
    health_log,
    logs_of,
    moment_of,
    why_ended,
)
from synapse_perf.outside.started_service import PartMoment, ServiceEnded
from synapse_perf.samples import Json

LOOK_NS = 250_000_000  # between looks whether all still run
UP_ENDS_S = 2.0
RESTARTS_AT_MOST = 5  # of one container: its restart policy may be how it waits for another, but not for ever
SERVICE_LABELS = ("com.docker.compose.service", "io.podman.compose.service")
ONE_OFF = "com.docker.compose.oneoff"


class StartedCompose:
    """From `start` until `remove`; `judged` is the service whose phases are told."""

    def __init__(
        self,
        client: Any,
        tool: Sequence[str],
        text: str,
        *,
        run: str,
        service: str | None,
        judged: str | None,
        env: Mapping[str, str],
    ) -> None:
        self._client = client
        self._words = up_words(tool, run, service)
        self._text = text.encode()
        self._run = run
        self._judged = judged
        self._env = dict(env)
        self._up: subprocess.Popen[bytes] | None = None
        self._said: Output | None = None
        self._looked_ns = 0
        self._healthy: dict[str, object] = {}
        self._ahead_ns = round(clock_ahead_s(client) * 1e9)
        self._wall_to_clock_ns = time.perf_counter_ns() - time.time_ns()

    @property
    def pid(self) -> int | None:
        return self._up.pid if self._up is not None else None

    def start(self) -> None:
        self._up, self._said = spawned(self._words, environment(self._env), subprocess.PIPE)
        assert self._up.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._up.stdin as stdin:  # how it ended, `check` tells
            stdin.write(self._text)

    def check(self) -> None:
        assert self._up is not None
        status = self._up.poll()
        now_ns = time.perf_counter_ns()
        if not status and now_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = now_ns
        found = {name: (identity, self._inspected(identity)) for name, identity in self._containers()}
        for name, (identity, inspected) in found.items():
            state, restarts = inspected["State"], inspected.get("RestartCount") or 0
            ended = why_ended(state)
            self._first_healthy(name, state)
            if restarts >= RESTARTS_AT_MOST:
                last = logs_of(self._client, identity, LAST_LINES)
                raise ServiceEnded(f"{name} ended {restarts} times before the service was ready", last)
            if ended and (state.get("ExitCode") or state.get("OOMKilled") or name == self._judged):
                last = logs_of(self._client, identity, LAST_LINES)
                raise ServiceEnded(f"{name} {ended} before the service was ready", last)
        if status:
            raise ServiceEnded(f"compose cannot start it: {why(self._words_said())}", self._words_said())
        if status == 0 and not any(inspected["State"].get("Running") for _, inspected in found.values()):
            raise ServiceEnded("no container of the file runs any more", self.last_lines())

    def phases(self) -> dict[str, int]:
        names = {"created": "create", "started": "start"}
        judged = {one.moment: one.at_ns for one in self.parts() if one.service == self._judged}
        return {phase: judged[moment] for moment, phase in names.items() if moment in judged}

    def parts(self) -> Sequence[PartMoment]:
        found = []
        for name, identity in self._containers():
            told = self._inspected(identity)
            state = told["State"]
            stamps = {"created": told.get("Created"), "started": state.get("StartedAt")}
            stamps["healthy"] = self._first_healthy(name, state)
            found += [PartMoment(name, moment, at) for moment, text in stamps.items() if (at := self._moment(text))]
        return sorted(found, key=lambda one: one.at_ns)

    def health_checks(self) -> Mapping[str, Json]:
        checks = {name: health_check_of(self._inspected(identity)) for name, identity in self._containers()}
        return {name: check for name, check in checks.items() if check}

    def output(self) -> str:
        judged = [identity for name, identity in self._containers() if name == self._judged]
        return "\n".join(logs_of(self._client, identity) for identity in judged)

    def last_lines(self) -> str:
        """Of each container, as any may be what the others wait for; of compose itself where there is none."""
        told = [(name, logs_of(self._client, identity, LAST_LINES).rstrip()) for name, identity in self._containers()]
        return "\n".join(f"{name}: {line}" for name, text in told for line in text.splitlines()) or self._words_said()

    def remove(self) -> None:
        """End `up` first, which would go on making containers; then what bears the project's name."""
        if self._up is not None:
            end_tree(self._up, UP_ENDS_S)
            assert self._said is not None
            self._said.wait(1.0)
        remove_run(self._client, self._run)

    def _containers(self) -> list[tuple[str, str]]:
        """(service, id) of the project's."""
        found = []
        for label, service in zip(COMPOSE_LABELS, SERVICE_LABELS, strict=True):
            for one in self._client.api.containers(all=True, filters={"label": f"{label}={self._run}"}):
                labels = one.get("Labels") or {}
                if labels.get(ONE_OFF, "False") != "True" and service in labels:
                    found.append((labels[service], one["Id"]))
        return list(dict(found).items())

    def _first_healthy(self, service: str, state: Mapping[str, Any]) -> object:
        """When its health check was first answered well; noted as it comes, since the engine keeps the last five."""
        good = next((one.get("End") for one in health_log(state) if one.get("ExitCode") == 0), None)
        return self._healthy.setdefault(service, good) if good else self._healthy.get(service)

    def _inspected(self, identity: str) -> Mapping[str, Any]:
        import docker

        try:
            told: Mapping[str, Any] = self._client.api.inspect_container(identity)
        except docker.errors.NotFound:  # compose makes some anew
            return {"State": {"Status": "created"}}
        return told

    def _moment(self, text: object) -> int | None:
        """What the engine has noted, on the clock of this measurement; None for what has not happened."""
        theirs_s = moment_of(text)
        return None if theirs_s is None else round(theirs_s * 1e9) - self._ahead_ns + self._wall_to_clock_ns

    def _words_said(self) -> str:
        if self._said is None:
            return ""
        if self._up is not None and self._up.poll() is not None:
            self._said.wait(1.0)
        return self._said.tail(LAST_LINES)
