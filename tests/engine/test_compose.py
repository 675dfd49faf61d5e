"""A compose file tells at which address its services are ready, as they are reached from outside."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from synapse_perf.engine.compose import Compose, find_compose, read_compose
from synapse_perf.errors import InputError
from tests.engine.made_checkout import COMPOSE, write


def read(tmp_path: Path, text: str, **variables: str) -> Compose:
    return read_compose(write(tmp_path / "docker-compose.yml", text), variables)


def test_the_health_url_has_the_port_outside(tmp_path: Path) -> None:
    services = {service.name: service.health for service in read(tmp_path, COMPOSE, CORE_PORT="9000").services}

    assert services == {
        "synapse_redis": None,
        "synapse_recall": "http://localhost:8888/healthz",
        "synapse_core": "http://localhost:9000/health/healthz",
        "synapse_frontend": None,
    }


def test_of_several_with_a_health_url_the_back_end_is_waited_for(tmp_path: Path) -> None:
    compose = read(tmp_path, COMPOSE)

    assert compose.backend is not None
    assert compose.backend.health == "http://localhost:8000/health/healthz"
    assert compose.page == "http://localhost:5173/"


@pytest.mark.parametrize(
    ("ports", "outside"),
    [
        ('["8000:80"]', 8000),
        ('["127.0.0.1:8001:80/tcp"]', 8001),
        ("[{target: 80, published: 8002}]", 8002),
        ('[{target: 80, published: "8003"}]', 8003),
    ],
)
def test_ports_in_each_of_their_forms(tmp_path: Path, ports: str, outside: int) -> None:
    check = "healthcheck: {test: curl http://127.0.0.1/up}"
    compose = read(tmp_path, f"services:\n  web:\n    ports: {ports}\n    {check}\n")

    assert compose.services[0].health == f"http://localhost:{outside}/up"


@pytest.mark.parametrize("text", ["", "services: []", "services: {web: null}", "services: {web: {ports: 80}}"])
def test_what_tells_nothing_is_no_error(tmp_path: Path, text: str) -> None:
    compose = read(tmp_path, text)

    assert compose.backend is None
    assert compose.page is None


def test_a_port_that_is_not_published_gives_no_address(tmp_path: Path) -> None:
    assert read(tmp_path, "services: {web: {healthcheck: {test: curl http://localhost:80/}}}").backend is None


def test_what_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"docker-compose.yml:2: not valid YAML"):
        read(tmp_path, "services: [\n")


def test_each_of_composes_own_names_is_found(tmp_path: Path) -> None:
    assert find_compose(tmp_path) is None
    path = write(tmp_path / "compose.yaml", COMPOSE)
    assert find_compose(tmp_path) == path


def test_anchors_and_tags_that_only_compose_knows_are_no_fault(tmp_path: Path) -> None:
    text = """
x-check: &check {test: curl http://localhost:80/up, interval: 5s}
services:
  web:
    ports: !override ["8000:80"]
    environment: !reset null
    healthcheck: {<<: *check, interval: 9s}
"""
    assert read(tmp_path, text).services[0].health == "http://localhost:8000/up"
    with pytest.raises(InputError, match="not valid YAML"):
        read(tmp_path, "services: !!python/object/apply:os.system ['true']")


def test_a_folder_that_a_container_has_is_found_by_its_path_inside(tmp_path: Path) -> None:
    text = "services: {web: {volumes: ['/a b/:/in/:ro', kept:/kept, '${NONE}/:/root']}, db: {volumes: ['./x:/x']}}"
    compose = read(tmp_path, text)

    assert compose.mounted(PurePosixPath("/in")) == Path("/a b")
    assert compose.mounted(PurePosixPath("/x")) == tmp_path / "x"
    assert [compose.mounted(PurePosixPath(one)) for one in ("/kept", "/root", "/none")] == [None] * 3
