"""What do the options of service-startup ask for? Wrong ones are told before anything is started."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from synapse_perf.errors import InputError, NothingNamedError
from synapse_perf.model import Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.service_compose import ComposeFile
    from synapse_perf.commands.service_options import ServiceOptions
    from synapse_perf.outside.container_engine import ImageFiles
    from synapse_perf.profiles import ServiceStartupSettings

PATIENCE_S = 60.0
SAMPLE = "built-in sample"
LAST_PORT = 65535
OWN_NETWORKS = (None, "bridge", "none")  # in which nobody else publishes its ports
KINDS = ("command", "image", "compose")
BELONGING = ("service", "publish", "env", "network", "cold")  # to what is started
_EXAMPLE = "such as http://127.0.0.1:8000/health"
_PORTS = re.compile(r"(?:(?P<address>[0-9.]+):)?(?P<outside>\d+):(?P<inside>\d+)(?P<kind>/(?:tcp|udp))?")


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One service, checked; `started` is the label of its rows."""

    started: str  # command, container or compose
    name: str
    url: str
    run: str  # the name that everything bears which is made for it
    workload: Mapping[str, Json] = field(default_factory=dict)
    client: Any = None  # of the container engine
    empty: Mapping[str, Json] | None = None  # the workload of an empty container
    times_imports: Mapping[str, Json] | None = None  # the workload of a start that also times its imports
    cold: ImageFiles | None = None  # where cold starts are asked for
    compose: ComposeFile | None = None
    engine: str = ""  # of containers, as the report names it
    engine_major: int = 0
    is_sample: bool = False


def service_request(given: ServiceOptions, settings: ServiceStartupSettings) -> ServiceRequest:
    """Raises InputError for what cannot be started or asked."""
    from synapse_perf.outside.container_owner import new_run

    options = with_settings(given, settings)
    kinds = [kind for kind in KINDS if getattr(options, kind) is not None]
    if settings.sample and not kinds and given == type(given)():
        return _sample(new_run())
    if len(kinds) != 1:
        told = f"both --{kinds[0]} and --{kinds[1]} are given" if kinds else "nothing is named to start"
        remedy = "give one of --command, --image and --compose, and --url"
        raise (InputError if kinds else NothingNamedError)(f"service-startup: {told}", remedy)
    if options.url is None:
        raise InputError("service-startup: no --url tells when it is ready", f"give its health URL, {_EXAMPLE}")
    _check_belonging(options, kinds[0])
    run = new_run()
    common: dict[str, Json] = {
        "url": _checked(options.url),
        "patience_s": _patience_s(options.ready_timeout),
        "condition": _condition(options.ready),
        "takes_html": options.html,
        "env": _variables(options.env),
        "run": run,
    }
    of_kind = {"command": _command, "image": _image, "compose": _compose}[kinds[0]]
    return of_kind(options, common)


def check_common(options: CommonOptions) -> None:
    """Refuse the shared options that the start of a service cannot heed; within `run` they are for others."""
    from synapse_perf.commands.options import PartOptions

    if isinstance(options, PartOptions):
        return
    if options.flamegraph is not None:
        remedy = "start it under py-spy by hand: py-spy record --subprocesses -- COMMAND"
        raise InputError("--flamegraph: the time goes by in the service", remedy)
    if options.python is not None:
        raise InputError("--python: the service runs under its own", "name the interpreter in --command")


def with_settings(given: ServiceOptions, settings: ServiceStartupSettings) -> ServiceOptions:
    """The options, and where none is given what the profile says, as far as it is about the same thing."""
    named = any(getattr(given, kind) is not None for kind in KINDS)
    left_out = (*KINDS, *BELONGING) if named else ()
    from_profile = {
        one.name: value
        for one in fields(given)
        if not getattr(given, one.name) and one.name not in left_out and (value := getattr(settings, one.name))
    }
    lists = {name: list(value) for name, value in from_profile.items() if isinstance(value, tuple)}
    return replace(given, **{**from_profile, **lists})


def _check_belonging(options: ServiceOptions, kind: str) -> None:
    """Options that mean nothing for what is started."""
    for name, kinds in (
        ("publish", ("image",)),
        ("network", ("image",)),
        ("cold", ("image", "compose")),
        ("service", ("compose",)),
    ):
        if getattr(options, name) and kind not in kinds:
            wanted = " or ".join(f"--{one}" for one in kinds)
            raise InputError(f"--{name} is for {wanted}, not for --{kind}", f"leave it out, or give {wanted}")


def _command(options: ServiceOptions, common: dict[str, Json]) -> ServiceRequest:
    from synapse_perf.outside.container_engine import is_python
    from synapse_perf.outside.server_command import parse_command

    command = parse_command(options.command or "", "--command")
    env = {**command.env, **common["env"]}
    workload: dict[str, Json] = {**common, "kind": "command", "words": list(command.words), "env": env}
    timed = {**workload, "times_imports": True} if is_python(list(command.words)) else None
    return ServiceRequest("command", command.name, common["url"], common["run"], workload, times_imports=timed)


def _sample(run: str) -> ServiceRequest:
    """What its own imports take says nothing to anybody, so they are not timed."""
    from synapse_perf.outside.sample_service import CONDITION, sample_command
    from synapse_perf.outside.server_family import free_port

    port = free_port()
    workload: dict[str, Json] = {
        "kind": "command",
        "words": sample_command(port),
        "url": f"http://127.0.0.1:{port}/health",
        "patience_s": PATIENCE_S,
        "condition": list(CONDITION),
        "env": {},
        "run": run,
    }
    return ServiceRequest("command", SAMPLE, workload["url"], run, workload, is_sample=True)


def _image(options: ServiceOptions, common: dict[str, Json]) -> ServiceRequest:
    from synapse_perf.outside.container_engine import (
        ContainerEngineMissing,
        check_image,
        engine_major,
        engine_version,
        image_files,
        runs_python,
    )

    image = options.image or ""
    ports = _ports(options.publish)
    _check_reachable(common["url"], ports, options.network)
    client = _engine()
    try:
        told = check_image(client, image)
    except ContainerEngineMissing as error:
        raise InputError(f"--image {image}: {error}", error.remedy) from error
    workload: dict[str, Json] = {
        **common,
        "kind": "image",
        "image": image,
        "ports": ports,
        "network": options.network,
    }
    return ServiceRequest(
        "container",
        image,
        common["url"],
        common["run"],
        workload,
        client=client,
        empty={**workload, "kind": "empty"},
        times_imports={**workload, "times_imports": True} if runs_python(told) else None,
        cold=image_files(told) if options.cold else None,
        engine=engine_version(client),
        engine_major=engine_major(client),
    )


def _compose(options: ServiceOptions, common: dict[str, Json]) -> ServiceRequest:
    from synapse_perf.commands.service_compose import check_is_there, compose_file
    from synapse_perf.outside.container_engine import check_image, engine_version, image_files
    from synapse_perf.outside.import_times import VARIABLE

    path = options.compose or ""
    check_is_there(path)
    client = _engine()
    file = compose_file(client, path, options.service, common["url"], common["run"], common["env"])
    workload: dict[str, Json] = {
        **common,
        "kind": "compose",
        "tool": list(file.tool),
        "text": file.text(),
        "service": options.service,
        "judged": file.judged,
    }
    timed = {**workload, "text": file.text({VARIABLE: "1"}), "times_imports": True}
    return ServiceRequest(
        "compose",
        f"{path} {file.judged or ''}".strip(),
        common["url"],
        common["run"],
        workload,
        client=client,
        empty={**common, "kind": "empty", "image": file.image, "network": file.network} if file.image else None,
        times_imports=timed if file.runs_python else None,
        cold=image_files(check_image(client, file.image)) if options.cold and file.image else None,
        compose=file,
        engine=engine_version(client),
        engine_major=file.engine,
    )


def _check_reachable(url: str, ports: Mapping[str, list[Json]], network: str | None) -> None:
    """On this machine nobody hears a container whose port is not published."""
    from synapse_perf.outside.health_poller import port_of

    parts = urlsplit(url)
    port, published = port_of(parts), [outside for _, outside in ports.values()]
    if network not in OWN_NETWORKS or port in published or parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return
    told = f"only {', '.join(map(str, published))} is published" if published else "no port of it is published"
    raise InputError(f"--url {url}: {told}", f"--publish {port}:PORT, with its port inside, or --network host")


def _engine() -> Any:
    from synapse_perf.outside.container_engine import ContainerEngineMissing, connect

    try:
        return connect()
    except ContainerEngineMissing as error:
        raise InputError(str(error), error.remedy) from error


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"--url {url}: {error}", _EXAMPLE) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InputError(f"--url {url}: not an address of HTTP", _EXAMPLE)
    return url


def _patience_s(text: str | None) -> float:
    from synapse_perf.units import parse_duration

    patience_s = parse_duration(text) if text else PATIENCE_S
    if patience_s <= 0:
        raise InputError(f"--ready-timeout {text}: no time at all", "such as --ready-timeout 2m")
    return patience_s


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
        if match is None or not all(0 < int(match[name]) <= LAST_PORT for name in ("outside", "inside")):
            raise InputError(f"--publish {text}: no PORT:PORT", "such as --publish 8000:8000")
        ports[f"{match['inside']}{match['kind'] or '/tcp'}"] = [match["address"] or "127.0.0.1", int(match["outside"])]
    return ports
