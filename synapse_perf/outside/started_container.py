"""A service in a container of Docker or of what speaks its API (podman), made anew from its image each time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from synapse_perf.outside.container_engine import told, whole_microseconds
from synapse_perf.outside.container_owner import LABEL, remove_run
from synapse_perf.outside.started_service import PartMoment, ServiceEnded
from synapse_perf.samples import Json

LOOK_NS = 50_000_000  # between looks whether it still runs: each costs the engine some milliseconds
LAST_LINES = 20
THE_CONTAINER = "the container"
# What ends at once, and whether it needs the engine's own first process: that one is there in an image with no shell.
EMPTY_COMMANDS = ((["/sbin/docker-init", "--version"], True), (["true"], False))


class StartedContainer:
    """From `start` until `remove`."""

    def __init__(
        self,
        client: Any,
        image: str,
        *,
        run: str,
        entrypoint: list[str] | None = None,
        is_init: bool = False,
        ports: Mapping[str, tuple[str, int]] | None = None,
        env: Mapping[str, str] | None = None,
        network: str | None = None,
    ) -> None:
        self._client = client
        self._container: Any = None
        self._looked_ns = 0
        self._phases: dict[str, int] = {}
        self._run = run
        self._settings: dict[str, Any] = {
            "image": image,
            "ports": dict(ports or {}),
            "environment": dict(env or {}),
            "labels": {LABEL: run},
            "detach": True,
            **({"entrypoint": entrypoint, "init": is_init} if entrypoint else {}),
            **({"network_mode": network} if network else {}),
        }

    @property
    def pid(self) -> int | None:
        return None

    def start(self) -> None:
        import docker

        try:
            self._container = self._client.containers.create(**self._settings)
            self._phases["create"] = time.perf_counter_ns()
            self._container.start()
            self._phases["start"] = time.perf_counter_ns()
        except docker.errors.DockerException as error:
            raise ServiceEnded(f"the container cannot be started: {told(error)}") from error

    def phases(self) -> dict[str, int]:
        return dict(self._phases)

    def parts(self) -> Sequence[PartMoment]:
        return ()

    def health_checks(self) -> Mapping[str, Json]:
        check = health_check_of(self._client.api.inspect_container(self._container.id))
        return {THE_CONTAINER: check} if check else {}

    def check(self) -> None:
        now_ns = time.perf_counter_ns()
        if now_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = now_ns
        why = why_ended(self._client.api.inspect_container(self._container.id)["State"])
        if why:
            raise ServiceEnded(f"the container {why} before the service was ready", self.last_lines())

    def output(self) -> str:
        return logs_of(self._client, self._container.id) if self._container is not None else ""

    def last_lines(self) -> str:
        return logs_of(self._client, self._container.id, LAST_LINES) if self._container is not None else ""

    def remove(self) -> None:
        """By the label, which also finds one whose creation was interrupted."""
        remove_run(self._client, self._run)
        self._container = None


def why_ended(state: Mapping[str, Any]) -> str:
    """How a container ended, as its state tells; empty for one that lives, or is to be started yet or again."""
    if state.get("Running") or state.get("Restarting") or state.get("Status") in ("created", "configured"):
        return ""
    if state.get("OOMKilled"):
        return "ended for want of memory"
    return f"ended with status {state.get('ExitCode')}"


def health_check_of(inspected: Mapping[str, Any]) -> Json:
    """How its engine asks it for its health, in seconds, and what that took each time; None where it does not."""
    check = (inspected.get("Config") or {}).get("Healthcheck") or {}
    if not check or "NONE" in (check.get("Test") or ()):
        return None
    settings = (("interval_s", "Interval"), ("start_period_s", "StartPeriod"), ("start_interval_s", "StartInterval"))
    seconds: dict[str, Json] = {name: (check.get(key) or 0) / 1e9 for name, key in settings}
    spans = [(moment_of(one.get("Start")), moment_of(one.get("End"))) for one in health_log(inspected["State"])]
    return {**seconds, "took_s": [ended - began for began, ended in spans if began is not None and ended is not None]}


def health_log(state: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The last answers of the health check of a container; podman has had another name for it."""
    return (state.get("Health") or state.get("Healthcheck") or {}).get("Log") or ()


def moment_of(text: object) -> float | None:
    """What the engine has noted, in seconds of its clock; None for what has not happened."""
    if not isinstance(text, str) or text.startswith("0001"):
        return None
    try:
        return datetime.fromisoformat(whole_microseconds(text)).timestamp()
    except ValueError:
        return None


def logs_of(client: Any, identity: str, lines: int | str = "all") -> str:
    with contextlib.suppress(Exception):  # its words are wanted where much has gone wrong already
        return str(client.api.logs(identity, tail=lines).decode("utf-8", "replace"))
    return ""
