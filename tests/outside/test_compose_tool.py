"""Which compose is taken of those that are there, and what is told where none is, or where it refuses a file?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from synapse_perf.commands.service_compose import compose_file
from synapse_perf.errors import InputError
from synapse_perf.outside.compose_tool import ComposeFailed, find_compose, resolved, why

Put = Callable[[str, str], None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Makes a program; there are no others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def made(name: str, script: str = "exit 0") -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return made


WITHOUT_PLUGIN = "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1"


@pytest.mark.parametrize(
    ("programs", "taken"),
    [
        ({"docker": "exit 0", "docker-compose": "exit 0"}, ("docker", "compose")),
        ({"docker": "exit 0"}, ("docker", "compose")),
        ({"docker": WITHOUT_PLUGIN, "docker-compose": "exit 0"}, ("docker-compose",)),
        ({"docker-compose": "exit 0", "podman-compose": "exit 0"}, ("docker-compose",)),
        ({"podman-compose": "exit 0"}, ("podman-compose",)),
        ({"docker": WITHOUT_PLUGIN}, ()),
        ({}, ()),
    ],
)
def test_the_plugin_goes_first_and_what_has_none_is_no_compose(
    put: Put, programs: dict[str, str], taken: tuple[str, ...]
) -> None:
    for name, script in programs.items():
        put(name, script)

    assert find_compose() == taken


def test_without_any_compose_one_line_says_so(put: Put, tmp_path: Path) -> None:
    put("docker", WITHOUT_PLUGIN)
    file = tmp_path / "compose.yml"
    file.write_text("services: {app: {image: a}}")
    with pytest.raises(InputError) as caught:
        compose_file(None, str(file), None, "http://127.0.0.1:1/", "project", {})

    assert caught.value.message == "--compose: there is neither docker compose, docker-compose nor podman-compose here"
    assert "install one" in caught.value.remedy


def test_a_file_is_asked_for_by_the_projects_name_with_the_variables_and_the_engine(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///x/docker.sock")
    put("docker", 'echo "$@ $TAG $DOCKER_HOST"')

    told = resolved(("docker", "compose"), "c.yml", "project", {"TAG": "1"})
    assert told == "compose -p project -f c.yml config 1 unix:///x/docker.sock\n"


def test_what_it_refuses_is_told_in_its_own_words(put: Put) -> None:
    put("docker-compose", "echo 'WARNING: The TAG variable is not set.' >&2; echo 'services.x is wrong' >&2; exit 1")

    with pytest.raises(ComposeFailed, match=r"^services\.x is wrong$"):
        resolved(("docker-compose",), "c.yml", "project", {})
    assert why("\n") == "it says nothing"


def test_a_file_that_is_refused_for_a_variable_is_told_with_its_name(put: Put, tmp_path: Path) -> None:
    unset = 'time="now" level=warning msg="The \\"PLACE\\" variable is not set. Defaulting to a blank string."'
    said = f"cat >&2 <<'END'\n{unset}\ninvalid spec: :/data\nEND\nexit 1"
    put("cat", 'while IFS= read -r line; do echo "$line"; done')
    put("docker", f'[ "$2" = version ] && exit 0\n{said}')
    file = tmp_path / "compose.yml"
    file.write_text("services: {app: {image: a}}")

    with pytest.raises(InputError) as caught:
        compose_file(None, str(file), None, "http://127.0.0.1:1/", "project", {})
    assert caught.value.message.endswith("refuses it: invalid spec: :/data; not set: PLACE")
    assert caught.value.remedy == f"set PLACE in {tmp_path}/.env or in the environment"
