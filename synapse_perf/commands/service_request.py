"""What do the options of service-startup ask for? Wrong ones are told before anything is started."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from synapse_perf.errors import InputError
from synapse_perf.model import Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.commands.service_options import ServiceOptions

PATIENCE_S = 60.0
_EXAMPLE = "such as http://127.0.0.1:8000/health"
_PORTS = re.compile(r"(?:(?P<address>[0-9.]+):)?(?P<outside>\d+):(?P<inside>\d+)(?P<kind>/(?:tcp|udp))?")


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One service, checked; `started` is the label of its rows."""

    started: str  # command or container
    name: str
    url: str
    workload: Mapping[str, Json] = field(default_factory=dict)


def service_request(options: ServiceOptions) -> ServiceRequest:
    """Raises InputError for what cannot be started or asked."""
    from synapse_perf.units import parse_duration

    if (options.command is None) == (options.image is None):
        told = "nothing is named to start" if options.command is None else "both a command and an image are named"
        raise InputError(f"service-startup: {told}", "give one of --command and --image, and --url")
    if options.url is None:
        raise InputError("service-startup: no --url tells when it is ready", f"give its health URL, {_EXAMPLE}")
    patience_s = parse_duration(options.ready_timeout) if options.ready_timeout else PATIENCE_S
    common: dict[str, Json] = {
        "url": _checked(options.url),
        "patience_s": patience_s,
        "condition": _condition(options.ready),
        "takes_html": options.html,
        "env": _variables(options.env),
    }
    if options.command is not None:
        return _command(options.command, common, options)
    assert options.image is not None
    image: dict[str, Json] = {
        "kind": "image",
        "image": options.image,
        "words": [],
        "ports": _ports(options.publish),
        "network": options.network,
        **common,
    }
    _check_engine(options.image)
    return ServiceRequest("container", options.image, options.url, image)


def _command(text: str, common: Mapping[str, Json], options: ServiceOptions) -> ServiceRequest:
    from synapse_perf.outside.server_command import parse_command

    for name, given in (("--publish", options.publish), ("--network", options.network)):
        if given:
            raise InputError(f"{name} is for a container", "leave it out, or give --image in place of --command")
    command = parse_command(text, "--command")
    workload: dict[str, Json] = {"kind": "command", **common, "words": list(command.words)}
    workload["env"] = {**command.env, **common["env"]}
    return ServiceRequest("command", command.name, str(common["url"]), workload)


def _check_engine(image: str) -> None:
    from synapse_perf.outside.started_container import ContainerEngineMissing, check_image, connect

    try:
        check_image(connect(), image)
    except ContainerEngineMissing as error:
        raise InputError(f"--image {image}: {error}", error.remedy) from error


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"--url {url}: {error}", _EXAMPLE) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InputError(f"--url {url}: not an address of HTTP", _EXAMPLE)
    return url


def _condition(text: str | None) -> list[str] | None:
    if text is None:
        return None
    place, equals, value = text.partition("=")
    if not place or not equals:
        raise InputError(f"--ready {text}: no PLACE=VALUE", "such as --ready components.db=ready")
    return [place, value]


def _variables(texts: Sequence[str]) -> dict[str, str]:
    variables = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InputError(f"--env {text}: no NAME=VALUE", "such as --env LOG_LEVEL=warning")
        variables[name] = value
    return variables


def _ports(texts: Sequence[str]) -> dict[str, list[Json]]:
    """By the port inside: the address and the port outside; the loopback address where none is given."""
    ports: dict[str, list[Json]] = {}
    for text in texts:
        match = _PORTS.fullmatch(text)
        if match is None:
            raise InputError(f"--publish {text}: no PORT:PORT", "such as --publish 8000:8000")
        ports[f"{match['inside']}{match['kind'] or '/tcp'}"] = [match["address"] or "127.0.0.1", int(match["outside"])]
    return ports
