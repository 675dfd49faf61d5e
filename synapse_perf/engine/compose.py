"""At which address does a compose file's service say that it is ready? The file is read, compose is not run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from synapse_perf.engine.variables import filled
from synapse_perf.model import Json

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::\d+)?[^\s'\"|&;)]*")
_BACKENDS = ("core", "backend", "api", "app", "web", "server")
_FRONTENDS = ("frontend", "ui", "client")


@dataclass(frozen=True, slots=True)
class ComposeService:
    """A service as it is reached from outside; `health` is the URL of its own check with the port outside."""

    name: str
    ports: Mapping[int, int]  # outside, by the port inside
    health: str | None
    mounts: Mapping[str, str]  # folders of this machine, by the path inside


@dataclass(frozen=True, slots=True)
class Compose:
    """A compose file with its services in their order."""

    path: Path
    services: tuple[ComposeService, ...]

    @property
    def backend(self) -> ComposeService | None:
        """The service that people wait for: one with a health URL, by its name if there are several."""
        checked = [service for service in self.services if service.health]
        return _named(checked, _BACKENDS) or (checked[0] if checked else None)

    def mounted(self, inside: PurePosixPath) -> Path | None:
        """The folder of this machine that the back end, or else another service, has there."""
        services = [*([self.backend] if self.backend else []), *self.services]
        found = next((one.mounts[str(inside)] for one in services if str(inside) in one.mounts), "")
        return self.path.parent / Path(found).expanduser() if found else None

    @property
    def page(self) -> str | None:
        """The address of the front end."""
        service = _named([one for one in self.services if one.ports], _FRONTENDS)
        return f"http://localhost:{next(iter(service.ports.values()))}/" if service else None


def find_compose(directory: Path) -> Path | None:
    return next((directory / name for name in NAMES if (directory / name).is_file()), None)


def read_compose(path: Path, variables: Mapping[str, str]) -> Compose:
    """Raises InputError for a file that is no YAML; what is not understood of a service is passed over."""
    from synapse_perf.engine.checkout import read_yaml

    content = read_yaml(path, without_tags=True)  # such as !override
    tables = content.get("services") if isinstance(content, dict) else None
    services = [
        _service(str(name), table, variables)
        for name, table in (tables.items() if isinstance(tables, dict) else ())
        if isinstance(table, dict)
    ]
    return Compose(path, tuple(services))


def _service(name: str, table: Mapping[str, Json], variables: Mapping[str, str]) -> ComposeService:
    listed = table.get("ports")
    ports = dict(_ports(listed if isinstance(listed, list) else [], variables))
    check = table.get("healthcheck")
    test = check.get("test") if isinstance(check, dict) else None
    words = " ".join(map(str, test)) if isinstance(test, list) else str(test or "")
    found = _URL.search(filled(words, variables))
    volumes = table.get("volumes")
    mounts = dict(_mounts(volumes if isinstance(volumes, list) else [], variables))
    return ComposeService(name, ports, _from_outside(found[0], ports) if found else None, mounts)


def _ports(listed: list[Json], variables: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    for one in listed:
        if isinstance(one, dict):
            parts = [filled(str(one.get(key, "")), variables) for key in ("published", "target")]
        else:
            parts = filled(str(one), variables).split("/")[0].split(":")[-2:]
        if len(parts) == 2 and all(part.isdigit() for part in parts):
            yield int(parts[1]), int(parts[0])


def _mounts(listed: list[Json], variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(path inside, folder outside): a name without a slash is a volume of the engine's own, a bare slash no choice."""
    for one in listed:
        if isinstance(one, dict):
            parts = [filled(str(one.get(key, "")), variables) for key in ("source", "target")]
        else:
            parts = filled(str(one), variables).split(":")[:2]
        if len(parts) == 2 and parts[0].startswith((".", "/", "~")) and parts[0].strip("/"):
            yield str(PurePosixPath(parts[1])), parts[0]


def _from_outside(url: str, ports: Mapping[int, int]) -> str | None:
    parts = urlsplit(url)
    inside = parts.port or (443 if parts.scheme == "https" else 80)
    if inside not in ports:
        return None
    return parts._replace(netloc=f"localhost:{ports[inside]}").geturl()


def _named(services: list[ComposeService], words: tuple[str, ...]) -> ComposeService | None:
    """The first whose name has one of the words, the words in their order."""
    return next((one for word in words for one in services if word in re.split(r"[^a-z]+", one.name.lower())), None)
