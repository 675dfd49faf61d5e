"""What does a compose file say of the services that are to be started, and is all there that it needs?"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.analyze.compose_floor import ComposeService, HealthCheck

_INSTALL = "install one, such as the package docker-compose-plugin or docker-compose"
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """A file that compose has read and filled in; `judged` is the service that the health URL belongs to."""

    tool: tuple[str, ...]
    document: Mapping[str, Any]
    services: Mapping[str, ComposeService]
    judged: str | None
    image: str | None  # of the judged service
    network: str | None
    runs_python: bool
    engine: int  # the major version of Docker; 0: another engine

    def text(self, variables: Mapping[str, str] | None = None) -> str:
        """As compose is to start it, with further variables for the judged service."""
        import yaml

        document = copy.deepcopy(dict(self.document))
        if variables and self.judged:
            table = document["services"][self.judged]
            own = table.get("environment") or {}
            if not isinstance(own, Mapping):
                own = dict(str(one).partition("=")[::2] for one in own)
            table["environment"] = {**own, **variables}
        return yaml.safe_dump(document)


def check_is_there(file: str) -> None:
    """Asked before the engine is: who misspelt a name need not start one to learn that."""
    if not Path(file).is_file():
        raise InputError(f"--compose {file}: there is no such file", "give the path of a compose file")


def compose_file(
    client: Any, file: str, service: str | None, url: str, project: str, env: Mapping[str, str]
) -> ComposeFile:
    """Raises InputError for a file that cannot be started as it is, before anything is."""
    from synapse_perf.outside.container_engine import engine_major, runs_python

    tool, document = _read(file, project, env)
    tables = document["services"]
    if service is not None and service not in tables:
        raise InputError(f"--service {service}: {file} has no such service", f"choose from {', '.join(tables)}")
    judged = service or _publisher(tables, url) or (next(iter(tables)) if len(tables) == 1 else None)
    own_project = _project(file, env)
    images = {name: _image_of(client, name, tables[name], file, own_project) for name in _started_with(tables, service)}
    for name, image in images.items():
        tables[name]["image"] = image["name"]
        tables[name].pop("pull_policy", None)  # it is here, and always may mean another one each time
    started = [tables[name] for name in images]
    _check_volumes(client, document, started, file)
    _check_names(client, started, file)
    health = {name: (image["told"].get("Config") or {}).get("Healthcheck") for name, image in images.items()}
    table = tables.get(judged) or {}
    image = images.get(judged or "") or {}
    return ComposeFile(
        tool=tool,
        document=document,
        services={name: _service(tables[name], health[name]) for name in images},
        judged=judged,
        image=image.get("name"),
        network=table.get("network_mode"),
        runs_python=bool(image) and runs_python(image["told"], tuple(_words(table.get("command")))),
        engine=engine_major(client),
    )


def _read(file: str, project: str, env: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    import yaml

    from synapse_perf.outside.compose_tool import ComposeFailed, find_compose, resolved

    tool = find_compose()
    if not tool:
        raise InputError("--compose: there is neither docker compose, docker-compose nor podman-compose here", _INSTALL)
    try:
        document = yaml.safe_load(resolved(tool, file, project, env))
    except ComposeFailed as error:
        told = f"--compose {file}: {' '.join(tool)} refuses it: {error}"
        remedy = f"correct it: {' '.join(tool)} -f {file} config"
        if error.unset:
            told += f"; not set: {', '.join(error.unset)}"
            remedy = f"set {', '.join(error.unset)} in {Path(file).absolute().parent / '.env'} or in the environment"
        raise InputError(told, remedy) from error
    except yaml.YAMLError as error:
        raise InputError(f"--compose {file}: what {' '.join(tool)} makes of it is no YAML", "correct it") from error
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict) or not document["services"]:
        raise InputError(f"--compose {file}: it has no services", "give the file that starts your services")
    return tool, document


def _publisher(tables: Mapping[str, Any], url: str) -> str | None:
    """The one service that publishes the port of the health URL."""
    from synapse_perf.outside.health_poller import port_of

    port = str(port_of(urlsplit(url)))
    found = [name for name, table in tables.items() if port in map(_published, table.get("ports") or ())]
    return found[0] if len(found) == 1 else None


def _published(entry: object) -> str:
    if isinstance(entry, Mapping):
        return str(entry.get("published") or "")
    parts = str(entry).partition("/")[0].split(":")
    return parts[-2] if len(parts) > 1 else ""


def _started_with(tables: Mapping[str, Any], service: str | None) -> list[str]:
    """The services that `up` starts: all, or one with what it needs."""
    if service is None:
        return list(tables)
    found: list[str] = []
    waiting = [service]
    while waiting:
        name = waiting.pop()
        if name not in found and name in tables:
            found.append(name)
            waiting += _needs(tables[name])
    return found


def _project(file: str, env: Mapping[str, str]) -> str:
    """What compose itself calls the project of the file: images that it has built bear that name."""
    import os

    from synapse_perf.engine.checkout import read_yaml
    from synapse_perf.engine.variables import filled, read_env_file

    folder = Path(file).absolute().parent
    variables = {**read_env_file(folder / ".env"), **os.environ, **env}
    try:
        content = read_yaml(Path(file))
    except InputError:  # compose has read it, with what only compose knows
        content = None
    told = filled(str(content.get("name") or ""), variables) if isinstance(content, dict) else ""
    name = variables.get("COMPOSE_PROJECT_NAME") or told or folder.name
    return re.sub(r"[^a-z0-9_-]", "", name.lower())


def _image_of(client: Any, name: str, table: Mapping[str, Any], file: str, project: str) -> dict[str, Any]:
    """An image that is here: the one that the file names, or what was built for it under the file's own project."""
    from synapse_perf.outside.container_engine import ContainerEngineMissing, check_image

    named = [table["image"]] if table.get("image") else [f"{project}-{name}", f"{project}_{name}"]
    missing = ""
    for image in named:
        try:
            return {"name": image, "told": check_image(client, image)}
        except ContainerEngineMissing as error:
            missing = missing or str(error)  # of the newer form of its name
    step = f"docker compose -f {file} {'build' if table.get('build') else 'pull'}"
    told = f"--compose {file}: {name}: {missing}"
    raise InputError(told, f"nothing is fetched or built within a measurement; first: {step}")


def _check_volumes(client: Any, document: Mapping[str, Any], started: Sequence[Mapping[str, Any]], file: str) -> None:
    """Those that the file calls external are there already, or compose refuses to start what uses them."""
    import docker

    used = {_volume_of(entry) for table in started for entry in table.get("volumes") or ()}
    for key, told in (document.get("volumes") or {}).items():
        external = (told or {}).get("external")
        if not external or key not in used:
            continue
        name = told.get("name") or (external.get("name") if isinstance(external, Mapping) else None) or key
        try:
            client.volumes.get(name)
        except docker.errors.NotFound as error:
            message = f"--compose {file}: it expects the volume {name}, and there is none"
            raise InputError(message, f"make it: docker volume create {name}") from error


def _check_names(client: Any, started: Sequence[Mapping[str, Any]], file: str) -> None:
    """A container has a name of the file's own only once: of a file that runs already nothing can be started beside."""
    import docker

    from synapse_perf.outside.container_owner import is_of_a_run

    for name in filter(None, (table.get("container_name") for table in started)):
        try:
            labels = client.containers.get(name).labels
        except docker.errors.NotFound:
            continue
        if not is_of_a_run(labels):  # what a killed run left goes before the next start
            told = f"--compose {file}: the file names a container {name}, and there is one of that name already"
            raise InputError(told, f"end it first, such as by: docker compose -f {file} down")


def _volume_of(entry: object) -> str:
    return str(entry.get("source") or "") if isinstance(entry, Mapping) else str(entry).partition(":")[0]


def _service(table: Mapping[str, Any], of_image: Mapping[str, Any] | None) -> ComposeService:
    from synapse_perf.analyze.compose_floor import ComposeService

    return ComposeService(_health(table.get("healthcheck"), of_image), _needs(table))


def _needs(table: Mapping[str, Any]) -> dict[str, str]:
    needs = table.get("depends_on") or {}
    if isinstance(needs, Mapping):
        return {name: str((told or {}).get("condition") or "service_started") for name, told in needs.items()}
    return dict.fromkeys(map(str, needs), "service_started")


def _health(table: Mapping[str, Any] | None, of_image: Mapping[str, Any] | None) -> HealthCheck | None:
    """What the file says, and where it is silent what the image says, whose durations are in nanoseconds."""
    from synapse_perf.analyze.compose_floor import HealthCheck

    own, image = table or {}, of_image or {}
    if own.get("disable") or (not own and not image) or "NONE" in (own.get("test") or image.get("Test") or ()):
        return None

    def seconds(name: str, in_image: str) -> float | None:
        if own.get(name) is not None:
            return _duration(own[name])
        return image[in_image] * 1e-9 if image.get(in_image) else None

    return HealthCheck(
        seconds("interval", "Interval"),
        seconds("start_period", "StartPeriod"),
        seconds("start_interval", "StartInterval"),
    )


def _duration(value: object) -> float:
    """As compose writes it: ``1m30s``."""
    if isinstance(value, int | float):
        return float(value)
    return sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(str(value)))


def _words(command: object) -> Sequence[str]:
    return command.split() if isinstance(command, str) else [str(word) for word in command or ()]  # type: ignore[attr-defined]
