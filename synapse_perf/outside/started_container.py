"""A service in a container of Docker or of what speaks its API (podman), made anew from its image each time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from synapse_perf.outside.started_service import ServiceEnded

LOOK_NS = 50_000_000  # between looks whether it still runs: each costs the engine some milliseconds
LABEL = "synapse-perf"  # by which what is left of a run that was killed is found


class ContainerEngineMissing(Exception):  # noqa: N818 - says what is missing
    """The library, the engine or the image is not there; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def connect() -> Any:
    """The client of the engine that DOCKER_HOST names, or the usual socket; raises ContainerEngineMissing."""
    try:
        import docker
    except ImportError as error:
        told = "the library for containers is not installed"
        raise ContainerEngineMissing(told, "pip install 'synapse-perf[containers]'") from error
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except docker.errors.DockerException as error:
        remedy = "start it, or point DOCKER_HOST at its socket"
        raise ContainerEngineMissing(f"no container engine answers: {_told(error)}", remedy) from error
    return client


def check_image(client: Any, image: str) -> str:
    """Its id; nothing is ever pulled within a measurement."""
    import docker

    try:
        return str(client.images.get(image).id)
    except docker.errors.ImageNotFound as error:
        raise ContainerEngineMissing(
            f"there is no image {image} here", f"fetch it first: docker pull {image}"
        ) from error


class StartedContainer:
    """From `start` until `remove`; the container is known by its id alone."""

    def __init__(
        self,
        client: Any,
        image: str,
        *,
        command: list[str] | None = None,
        ports: Mapping[str, tuple[str, int]] | None = None,
        env: Mapping[str, str] | None = None,
        network: str | None = None,
        run: str = "",
    ) -> None:
        self._client = client
        self._container: Any = None
        self._looked_ns = 0
        self._settings: dict[str, Any] = {
            "image": image,
            "command": command,
            "ports": dict(ports or {}),
            "environment": dict(env or {}),
            "labels": {LABEL: run},
            "detach": True,
            **({"network_mode": network} if network else {}),
        }

    @property
    def id(self) -> str:
        return str(self._container.id) if self._container is not None else ""

    @property
    def pid(self) -> int | None:
        return None

    def start(self) -> dict[str, int]:
        import docker

        try:
            self._container = self._client.containers.create(**self._settings)
            created_ns = time.perf_counter_ns()
            self._container.start()
        except docker.errors.APIError as error:
            raise ServiceEnded(f"the container cannot be started: {_told(error)}") from error
        return {"create": created_ns, "start": time.perf_counter_ns()}

    def check(self) -> None:
        now_ns = time.perf_counter_ns()
        if now_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = now_ns
        state = self._client.api.inspect_container(self.id)["State"]
        if state.get("Running"):
            return
        cause = " for want of memory" if state.get("OOMKilled") else f" with status {state.get('ExitCode')}"
        raise ServiceEnded(f"the container ended{cause} before the service was ready", self.last_lines())

    def last_lines(self) -> str:
        with contextlib.suppress(Exception):
            return str(self._container.logs(tail=20).decode("utf-8", "replace"))
        return ""

    def remove(self) -> None:
        if self._container is None:
            return
        import docker

        with contextlib.suppress(docker.errors.NotFound):
            self._container.remove(force=True, v=True)
        self._container = None


def _told(error: Exception) -> str:
    explanation = getattr(error, "explanation", None)
    return str(explanation or error).strip().splitlines()[0]
