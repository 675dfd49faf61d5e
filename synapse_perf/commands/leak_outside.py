"""Which running process is hunted, and what is done to it: only time goes by, requests, or clients that come and go?"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from synapse_perf.analyze.leak_plan import Hunt
from synapse_perf.commands.leak_process_choice import Chosen as Process
from synapse_perf.commands.leak_process_choice import choose_process
from synapse_perf.errors import InputError
from synapse_perf.model import Json, TrialSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_perf.commands.leak_outside_options import OutsideOptions

WAYS = ("close", "drop", "reset", "half-open")
REQUEST_TIMEOUT_S = 60.0
CONNECT_S = 3.0
GRACE_S = 1.0  # after a client has left, until the server's end has to be closed
SILENT_S = 45.0  # servers ask after 20 s and wait for 20 s
READINGS = 170  # of the first three looks with their warm-up, and some to spare
REQUEST_BYTES = 16_000_000
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def outside_hunts(options: OutsideOptions, max_time_s: float) -> tuple[tuple[Hunt, ...], dict[str, Json]]:
    """The hunts that these options ask for, and what is told of them; InputError where they cannot be carried out."""
    _check_together(options)
    if options.pid is None and options.url is None and options.ws is None:
        return (), {}
    hunts: list[Hunt] = []
    told: dict[str, Json] = {}
    timeout_s = _duration(options.request_timeout, "--request-timeout") or REQUEST_TIMEOUT_S
    if options.url is not None:
        process = _process_behind(_address("--url", options.url, ("http", "https")), "--url", options)
        bodies = read_bodies(options.request) if options.request else []
        workload: dict[str, Json] = {"url": options.url, "bodies": bodies, "grace_s": GRACE_S}
        spec = _spec("leak_service", process, {**workload, "timeout_s": timeout_s})
        hunts.append(Hunt(f"{urlsplit(options.url).path or '/'} of {process.name}", "request", spec))
        told |= {"process": process.name, "requests": len(bodies)}
    if options.ws is not None:
        address = _address("--ws", options.ws, ("ws", "wss"))
        process = _process_behind(address, "--ws", options)
        messages = read_bodies(options.request) if options.request else []
        workload = {"url": options.ws, "messages": messages, "grace_s": GRACE_S, "silent_s": SILENT_S}
        for way in _ways(options.disconnect):
            spec = _spec("leak_websocket", process, {**workload, "timeout_s": timeout_s, "disconnect": way})
            hunts.append(Hunt(f"{address.path or '/'} of {process.name}, {way}", "client", spec))
        told |= {"process": process.name, "messages": len(messages)}
    if not hunts and options.pid is not None:
        process = choose_process(options.pid)
        every_s = _every_s(options.every, max_time_s)
        hunts.append(Hunt(f"process {process.name}", "hour", _spec("leak_process", process, {"every_s": every_s})))
        told |= {"process": process.name, "every_s": every_s}
    return tuple(hunts), told


def read_bodies(path: Path) -> list[str]:
    """The JSON of a file, whole or line by line; InputError names the first line that is none."""
    import json

    form = "give one JSON value, or JSON Lines: one value in each line"
    try:
        if path.is_dir():
            raise InputError(f"--request {path}: it is a directory", form)
        with path.open("rb") as file:
            data = file.read(REQUEST_BYTES + 1)
    except OSError as error:
        told = f"--request {path}: it cannot be read: {error.strerror}"
        raise InputError(told, "check the path and its permissions") from error
    if len(data) > REQUEST_BYTES:
        raise InputError(f"--request {path}: it is larger than {REQUEST_BYTES // 1_000_000} MB", form)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"--request {path}: it is not UTF-8 (byte {error.start})", form) from error
    if not text.strip():
        raise InputError(f"--request {path}: it is empty", form)
    try:
        return [json.dumps(json.loads(text))]
    except ValueError as error:
        whole = error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    bodies = []
    for number, line in lines:
        try:
            bodies.append(json.dumps(json.loads(line)))
        except ValueError as error:
            reason = whole if len(lines) == 1 or not bodies else error
            raise InputError(f"--request {path}: line {number} is no JSON: {reason}", form) from error
    return bodies


def _check_together(options: OutsideOptions) -> None:
    """Options that would be ignored are refused."""
    is_driven = options.url is not None or options.ws is not None
    if options.request is not None and not is_driven:
        raise InputError("--request without --url or --ws: there is nobody to send it to", "give --url URL")
    if options.disconnect is not None and options.ws is None:
        raise InputError("--disconnect without --ws: nothing is connected", "give --ws URL")
    if options.every is not None and (is_driven or options.pid is None):
        raise InputError("--every is for --pid alone: a service is read after each request", "leave it out")
    if options.request_timeout is not None and not is_driven:
        raise InputError("--request-timeout without --url or --ws: nothing is sent", "leave it out")


def _address(option: str, url: str, schemes: tuple[str, ...]) -> SplitResult:
    example = f"write {schemes[0]}://127.0.0.1:8000/path"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{option} {url}: {error}", example) from error
    if parts.scheme not in schemes or not parts.hostname:
        raise InputError(f"{option} {url}: it is no {' or '.join(schemes)} address", example)
    if parts.username or parts.password:
        raise InputError(f"{option}: names and passwords in an address are not sent", example)
    del port
    return parts


def _process_behind(address: SplitResult, option: str, options: OutsideOptions) -> Process:
    """What --pid names, or whoever listens at the address; and somebody does."""
    host, port = str(address.hostname), address.port or _PORTS[address.scheme]
    process = choose_process(options.pid) if options.pid is not None else None
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as error:
        reason = "no connection in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise InputError(f"{option}: nothing answers at {host}:{port}: {reason}", "start the service first") from error
    if process is not None:
        return process
    from synapse_perf.host.process_tree_probes import process_at

    pid = process_at(port) if _is_here(host) else None
    if pid is None:
        remedy = "give the number of its process with --pid; it has to run on this machine, as your user"
        raise InputError(f"{option}: which process answers at {host}:{port} is not known", remedy)
    return choose_process(pid)


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _ways(text: str | None) -> list[str]:
    chosen = [part.strip() for part in text.split(",")] if text else list(WAYS)
    for one in chosen:
        if one not in WAYS:
            raise InputError(f"--disconnect {text}: '{one}' is not known", f"give some of {', '.join(WAYS)}")
    return [way for way in WAYS if way in chosen]  # the one that takes its time comes last


def _every_s(text: str | None, max_time_s: float) -> float:
    """Between two readings, so that all the looks that may be needed fit into the time."""
    from synapse_perf.analyze.leak_verdict import samples_of_look

    if text is None:
        return max_time_s / READINGS
    every_s, readings = _duration(text, "--every") or 0.0, samples_of_look(0)
    if every_s * readings > max_time_s:
        told = f"--every {text}: {readings} readings are needed, more than {max_time_s:g} s have room for"
        raise InputError(told, f"give --max-time {every_s * READINGS:.0f}s, so that growth can be looked at again")
    return every_s


def _duration(text: str | None, option: str) -> float | None:
    from synapse_perf.units import parse_duration

    if text is None:
        return None
    try:
        seconds = parse_duration(text)
    except InputError as error:
        raise InputError(f"{option} {text}: {error.message}", error.remedy) from error
    if seconds <= 0:
        raise InputError(f"{option} {text}: it has to be more than nothing", "write 1s, 500ms or 2m")
    return seconds


def _spec(benchmark: str, process: Process, workload: Mapping[str, Json]) -> TrialSpec:
    known = {"pid": process.pid, "started_s": process.started_s}
    return TrialSpec(benchmark=benchmark, arm="", labels={}, workload={**workload, "process": known})
