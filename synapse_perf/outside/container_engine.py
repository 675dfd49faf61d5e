"""Which container engine answers, what does it say of an image, and where do the image's files lie?

Docker, or what speaks its API (podman): the one that DOCKER_HOST names, else the first
of those whose sockets are there.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

ANSWER_S = 60
CONNECT_S = 5.0
USUAL_SOCKET = "/var/run/docker.sock"
# Where an engine listens that belongs to one user: Docker Desktop, Docker and podman without root, and podman with it.
OTHER_SOCKETS = (
    "~/.docker/run/docker.sock",
    "$XDG_RUNTIME_DIR/docker.sock",
    "$XDG_RUNTIME_DIR/podman/podman.sock",
    "/run/podman/podman.sock",
)
_PYTHON_WORDS = ("python", "uvicorn", "gunicorn", "hypercorn", "granian", "flask", "celery")


class ContainerEngineMissing(Exception):  # noqa: N818 - says what is missing
    """The library, the engine or the image is not there; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class ImageFiles(NamedTuple):
    """The files of an image's layers on this machine; `why_not` says why they cannot be reached."""

    paths: tuple[str, ...]
    size_bytes: int
    why_not: str = ""


def host() -> str:
    """The address of the engine, also for programs that would choose another by themselves."""
    named = os.environ.get("DOCKER_HOST")
    if named:
        return named
    others = (os.path.expandvars(os.path.expanduser(one)) for one in OTHER_SOCKETS)  # noqa: PTH111 (with variables)
    found = next((one for one in (USUAL_SOCKET, *others) if os.path.exists(one)), USUAL_SOCKET)  # noqa: PTH110
    return f"unix://{found}"


def connect() -> Any:
    """The engine's client; raises ContainerEngineMissing."""
    try:
        import docker
    except ImportError as error:
        missing = "the library for containers is not installed"
        raise ContainerEngineMissing(missing, "pip install 'synapse-perf[containers]'") from error
    _check_listening()
    try:
        client = docker.from_env(timeout=ANSWER_S, environment={**os.environ, "DOCKER_HOST": host()})
        client.ping()
    except docker.errors.DockerException as error:
        remedy = "does a container engine listen there? DOCKER_HOST says where it does"
        raise ContainerEngineMissing(f"no container engine answers at {host()}: {told(error)}", remedy) from error
    return client


def told(error: Exception) -> str:
    """What the engine said of an error, in a line."""
    explanation = getattr(error, "explanation", None)
    return str(explanation or error).strip().splitlines()[0]


def _check_listening() -> None:
    """The system's own words, which the library wraps three times over, and leaves a socket open besides."""
    address, remedy = urlsplit(host()), "start it, or point DOCKER_HOST at its socket"
    try:
        if address.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as asked:
                asked.connect(address.path)
        elif address.scheme == "tcp":
            socket.create_connection((address.hostname or "127.0.0.1", address.port or 2375), timeout=CONNECT_S).close()
    except OSError as error:
        if isinstance(error, PermissionError):
            remedy = "run as a member of the group docker, or as root"
        elif shutil.which("podman"):
            remedy = "start that of podman: systemctl --user start podman.socket; or point DOCKER_HOST at another"
        silent = f"no container engine answers at {host()}: {(error.strerror or str(error)).lower()}"
        raise ContainerEngineMissing(silent, remedy) from error


def engine_version(client: Any) -> str:
    """Such as ``20.10.24``; empty where it does not tell."""
    return str(client.version().get("Version") or "")


def engine_major(client: Any) -> int:
    """Of Docker; 0 for another engine, whose health checks have rules of their own."""
    version = client.version()
    names = {str(one.get("Name", "")).lower() for one in version.get("Components") or ()}
    if any("podman" in name for name in names):
        return 0
    major = str(version.get("Version") or "").partition(".")[0]
    return int(major) if major.isdigit() else 0


def check_image(client: Any, image: str) -> Mapping[str, Any]:
    """What the engine says of it; nothing is ever pulled within a measurement."""
    import docker

    try:
        found: Mapping[str, Any] = client.api.inspect_image(image)
    except docker.errors.ImageNotFound as error:
        missing = f"there is no image {image} here"
        raise ContainerEngineMissing(missing, f"fetch it first: docker pull {image}") from error
    except docker.errors.APIError as error:
        raise ContainerEngineMissing(told(error), "write it as NAME:TAG, as docker images shows it") from error
    return found


def runs_python(image: Mapping[str, Any], command: tuple[str, ...] = ()) -> bool:
    """Whether its command is Python's, as far as its words and its variables tell."""
    settings = image.get("Config") or {}
    words = [*(settings.get("Entrypoint") or ()), *(command or settings.get("Cmd") or ())]
    variables = {str(one).partition("=")[0] for one in settings.get("Env") or ()}
    return "PYTHON_VERSION" in variables or is_python(" ".join(map(str, words)).split())


def is_python(words: list[str]) -> bool:
    """Whether one of the words is an interpreter, or a server that one runs."""
    return any(os.path.basename(word).startswith(_PYTHON_WORDS) for word in words)  # noqa: PTH119 (words, not paths)


def image_files(image: Mapping[str, Any]) -> ImageFiles:
    """Every file with content, where the engine's storage lies open on this machine."""
    if not host().startswith("unix://"):
        return ImageFiles((), 0, "the engine runs on another machine")
    driver = image.get("GraphDriver") or {}
    data = driver.get("Data") or {}
    folders = [folder for key in ("UpperDir", "LowerDir") for folder in str(data.get(key) or "").split(":") if folder]
    if not folders:
        return ImageFiles((), 0, f"the engine's storage ({driver.get('Name') or 'containerd'}) names no folders")
    if not all(os.access(folder, os.R_OK | os.X_OK) for folder in folders):
        return ImageFiles((), 0, "only root may look into the engine's storage, or it lies in a virtual machine")
    found = {path: size for folder in folders for path, size in _files_below(folder)}
    return ImageFiles(tuple(found), sum(found.values()), "" if found else "the image has no files")


def _files_below(folder: str) -> Iterator[tuple[str, int]]:
    seen: set[tuple[int, int]] = set()
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 (many thousand files)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            identity = (status.st_dev, status.st_ino)
            if stat.S_ISREG(status.st_mode) and status.st_size and identity not in seen:
                seen.add(identity)
                yield path, status.st_size


def clock_ahead_s(client: Any) -> float:
    """How far the engine's clock is ahead of ours; 0 where it is within what asking took, as on the same machine."""
    from datetime import datetime

    asked = time.time()
    text = str(client.info().get("SystemTime") or "")
    answered = time.time()
    try:
        theirs = datetime.fromisoformat(whole_microseconds(text)).timestamp()
    except ValueError:
        return 0.0
    ahead = theirs - (asked + answered) / 2
    return ahead if abs(ahead) > answered - asked else 0.0


def whole_microseconds(text: str) -> str:
    """A moment as engines write it, with nine decimals, in the form that Python reads."""
    head, dot, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    zone = rest[digits:] if dot else ""
    return f"{head}.{rest[:6].rstrip('Z+-')[:digits].ljust(6, '0')}{zone}" if dot else head
