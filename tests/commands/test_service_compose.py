"""What is read out of a compose file, with the waits of the engine's own file as an example."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
import yaml

from synapse_perf.analyze.compose_floor import (
    HEALTHY,
    ComposeService,
    HealthCheck,
    checks_to_edit,
    floor_of,
    with_start_intervals,
)
from synapse_perf.commands import service_compose
from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.service_request import ServiceRequest
from synapse_perf.commands.service_run import ServiceRun
from synapse_perf.errors import InputError
from synapse_perf.outside.container_owner import new_run
from synapse_perf.profiles import Profile

# The times and waits of the engine's compose file; everything else of it decides nothing here.
ENGINE = """
services:
  synapse_redis: {image: redis, healthcheck: {test: [CMD, check], interval: 10s, start_period: 10s}}
  synapse_recall: {image: recall, healthcheck: {test: [CMD, check], interval: 15s, start_period: 30s}}
  synapse_host_api: {image: host_api, healthcheck: {test: [CMD, check], interval: 10s, start_period: 10s}}
  synapse_core:
    image: core
    ports: ["8000:8000"]
    healthcheck: {test: [CMD, check], interval: 10s, start_period: 40s}
    depends_on:
      synapse_redis: {condition: service_healthy}
      synapse_recall: {condition: service_healthy}
      synapse_host_api: {condition: service_healthy}
  synapse_sandbox: {image: sandbox, healthcheck: {test: [CMD, check], interval: 30s, start_period: 15s}}
  synapse_frontend:
    image: frontend
    ports: ["5173:5173"]
    healthcheck: {test: [CMD, check], interval: 15s, start_period: 20s}
    depends_on: {synapse_core: {condition: service_healthy}}
"""


class Images:
    """An engine that has every image, of which only some check their own health."""

    def __init__(self, version: str, health: dict[str, Any] | None = None) -> None:
        self.api = self.volumes = self.containers = self
        self._version = version
        self._health = health or {}

    def version(self) -> dict[str, Any]:
        return {"Version": self._version}

    def inspect_image(self, name: str) -> dict[str, Any]:
        if name.startswith("none"):
            raise docker.errors.ImageNotFound(name)
        return {"Config": {"Healthcheck": self._health.get(name), "Env": ["PYTHON_VERSION=3.11"]}}

    def get(self, name: str) -> SimpleNamespace:
        """A volume or a container."""
        if name.startswith("none"):
            raise docker.errors.NotFound(name)
        return SimpleNamespace(labels={"com.docker.compose.project": new_run() if name == "left" else "engine"})


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is made of a file by a compose that gives back what it is given."""
    monkeypatch.setattr("synapse_perf.outside.compose_tool.find_compose", lambda: ("compose",))
    monkeypatch.setattr("synapse_perf.outside.compose_tool.resolved", lambda _words, file, *_: Path(file).read_text())

    def made(
        text: str,
        service: str | None = None,
        *,
        client: Images | None = None,
        url: str = "http://h:1/",
        folder: str = "",
    ) -> Any:
        path = tmp_path / folder / "compose.yml"
        path.write_text(text)
        return service_compose.compose_file(client or Images("20.10.24"), str(path), service, url, "project", {})

    return made


@pytest.mark.parametrize(
    ("version", "core_s", "frontend_s"),
    [
        ("20.10.24", 15.0, 25.0),  # recall's 15 s, then the back end's 10 s
        ("26.1.5", 15.0, 25.0),  # which knows a start interval, and has none of its own
        ("28.2.2", 5.0, 10.0),  # 5 s, then 5 s
    ],
)
def test_the_front_end_of_the_engine_cannot_start_sooner(
    read: Any, version: str, core_s: float, frontend_s: float
) -> None:
    file = read(ENGINE, client=Images(version))

    assert floor_of(file.services, "synapse_core", file.engine).start_s == core_s
    floor = floor_of(file.services, "synapse_frontend", file.engine)
    assert floor.start_s == frontend_s
    edits = checks_to_edit(file.services, floor, file.engine)
    assert set(edits) == {"synapse_redis", "synapse_recall", "synapse_host_api", "synapse_core"}
    assert floor_of(with_start_intervals(file.services, edits), "synapse_frontend", 25).start_s == 0.5


def test_a_dry_run_tells_before_which_moment_nothing_starts(read: Any) -> None:
    file = read(ENGINE, url="http://h:5173/")
    request = ServiceRequest("compose", "file", "http://h:5173/", "run", {"patience_s": 60.0}, compose=file)
    told = (
        "synapse_frontend cannot start before 25 s, by the health checks of synapse_recall (15 s), synapse_core (10 s)"
    )

    assert ServiceRun(Profile("found"), request, CommonOptions()).notes[-1] == told


@pytest.mark.parametrize(("url", "judged"), [("http://127.0.0.1:8000/health", "synapse_core"), ("http://h:1/", None)])
def test_the_port_of_the_health_url_tells_the_service(read: Any, url: str, judged: str | None) -> None:
    assert read(ENGINE, url=url).judged == judged


def test_one_service_is_started_with_what_it_needs(read: Any) -> None:
    file = read(ENGINE, "synapse_core")

    assert file.judged == "synapse_core"
    assert set(file.services) == {"synapse_core", "synapse_redis", "synapse_recall", "synapse_host_api"}


@pytest.mark.parametrize(
    ("of_file", "of_image", "found"),
    [
        ("{interval: 1m30s, start_interval: 250ms}", None, HealthCheck(90.0, None, 0.25)),
        ("{start_period: 2s}", {"Interval": 3_000_000_000, "StartPeriod": 9}, HealthCheck(3.0, 2.0)),
        (None, {"Interval": 0, "Test": ["CMD", "check"]}, HealthCheck()),
        ("{disable: true}", {"Interval": 3_000_000_000}, None),
        ("{test: [NONE]}", {"Interval": 3_000_000_000}, None),
        (None, None, None),
    ],
)
def test_the_file_speaks_before_the_image(
    read: Any, of_file: str | None, of_image: dict[str, Any] | None, found: HealthCheck | None
) -> None:
    health = f", healthcheck: {of_file}" if of_file else ""
    file = read(f"services: {{app: {{image: a{health}}}}}", client=Images("20.10", {"a": of_image}))

    assert file.services == {"app": ComposeService(found)}


def test_a_list_of_needs_waits_for_nothing(read: Any) -> None:
    file = read("services: {db: {image: a}, app: {image: b, depends_on: [db], healthcheck: {interval: 1s}}}")

    assert file.services["app"].needs == {"db": "service_started"}
    assert HEALTHY not in file.services["app"].needs.values()


@pytest.mark.parametrize("environment", ["{A: '1'}", "[A=1]"])
def test_a_variable_reaches_the_judged_service_alone(read: Any, environment: str) -> None:
    file = read(f"services: {{db: {{image: a}}, app: {{image: b, environment: {environment}}}}}", "app")

    written = yaml.safe_load(file.text({"B": "2"}))["services"]
    assert written["app"]["environment"] == {"A": "1", "B": "2"}
    assert written["db"] == {"image": "a"}
    assert "B" not in file.text()


@pytest.mark.parametrize(
    ("text", "service", "words"),
    [
        ("services: {app: {image: a}}", "web", "has no such service"),
        ("services: {}", None, "it has no services"),
        ("[]", None, "it has no services"),
        ("services: [", None, "is no YAML"),
        ("services: {app: {image: 'none:1'}}", None, "app: there is no image none:1 here"),
    ],
)
def test_a_file_that_cannot_be_started_is_told(read: Any, text: str, service: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(text, service)


def test_an_image_that_is_built_bears_the_name_of_the_folder_and_is_used_as_it_is(read: Any, tmp_path: Path) -> None:
    file = read("services: {app: {build: .}}")

    folder = "".join(one for one in tmp_path.name.lower() if one.isalnum() or one in "_-")
    assert file.image == f"{folder}-app"
    assert yaml.safe_load(file.text())["services"]["app"]["image"] == file.image
    with pytest.raises(InputError, match="is no image") as caught:
        read("services: {none: {build: .}}", client=Missing("20.10"))
    assert caught.value.remedy.endswith("build")


class Missing(Images):
    def inspect_image(self, name: str) -> dict[str, Any]:
        raise docker.errors.ImageNotFound(name)


@pytest.mark.parametrize(
    "told",
    ["{name: none, external: true}", "{external: {name: none}}", "{name: here, external: true}", "{name: none}", ""],
)
def test_a_volume_that_has_to_be_there_and_is_not_is_told_before_a_start(read: Any, told: str) -> None:
    file = (
        "services:\n  app: {image: app, volumes: ['kept:/data:rw']}\n  other: {image: other}\n"
        f"volumes:\n  kept: {told}\n"
    )

    read(file, "other")
    if "external" in told and "none" in told:
        with pytest.raises(InputError, match="it expects the volume none, and there is none") as caught:
            read(file)
        assert caught.value.remedy == "make it: docker volume create none"
    else:
        read(file)


def test_beside_a_container_of_the_same_name_nothing_is_started(read: Any) -> None:
    file = "services: {{app: {{image: app, container_name: {}}}, other: {{image: other, container_name: none}}}}"

    read(file.format("left"))  # by a run that was killed: it is removed before the next start
    read(file.format("none-yet"))
    with pytest.raises(InputError, match="names a container core, and there is one of that name already") as caught:
        read(file.format("core"))
    assert caught.value.remedy.endswith("compose.yml down")


@pytest.mark.parametrize(
    ("variable", "head", "built"),
    [
        ("", "", "none-here-app"),
        ("", "name: none-${STAGE:-own}\n", "none-own-app"),
        ("none-mine", "name: a\n", "none-mine-app"),
    ],
)
def test_an_image_is_looked_for_under_the_name_that_compose_gives_the_project(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, head: str, built: str
) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", variable)
    monkeypatch.delenv("STAGE", raising=False)
    (tmp_path / "None-Here").mkdir()

    with pytest.raises(InputError, match=f"there is no image {built}"):
        read(f"{head}services: {{app: {{build: .}}}}", folder="None-Here")
