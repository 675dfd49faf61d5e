"""At which socket is a container engine looked for, and what is told where none answers?"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from synapse_perf.outside import container_engine
from synapse_perf.outside.container_engine import ContainerEngineMissing, connect, host


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No engine is there but what is put here."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path may not be long
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        monkeypatch.setenv("HOME", folder)
        monkeypatch.setattr(container_engine, "USUAL_SOCKET", f"{folder}/docker-usual.sock")
        of_user = [one for one in container_engine.OTHER_SOCKETS if not one.startswith("/")]
        monkeypatch.setattr(container_engine, "OTHER_SOCKETS", of_user)
        yield Path(folder)


def test_the_named_engine_goes_before_the_usual_one_and_that_before_those_of_one_user(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert host() == f"unix://{home}/docker-usual.sock"
    (home / "podman").mkdir()
    (home / "podman" / "podman.sock").touch()
    assert host() == f"unix://{home}/podman/podman.sock"
    (home / "docker.sock").touch()
    assert host() == f"unix://{home}/docker.sock"
    (home / "docker-usual.sock").touch()
    assert host() == f"unix://{home}/docker-usual.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert host() == "tcp://127.0.0.1:1"


def test_where_podman_is_but_does_not_listen_that_is_the_remedy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(ContainerEngineMissing, match="no such file") as without:
        connect()
    (home / "podman").write_text("")
    (home / "podman").chmod(0o755)
    with pytest.raises(ContainerEngineMissing) as caught:
        connect()

    assert "podman" not in without.value.remedy
    assert "systemctl --user start podman.socket" in caught.value.remedy


def test_a_socket_that_nobody_listens_at_is_told_in_a_line(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unheard:
        unheard.bind(f"{home}/docker-usual.sock")
        with pytest.raises(ContainerEngineMissing) as caught:
            connect()

    assert str(caught.value) == f"no container engine answers at unix://{home}/docker-usual.sock: connection refused"
