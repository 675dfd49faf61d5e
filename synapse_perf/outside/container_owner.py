"""Which containers, networks and volumes did this tool make, so that none is ever left behind?

Each carries the name of its run, which tells the process that it belongs to. What belongs to a process that is no
more is swept at the next start; the start time tells a process from a later one with the same number.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

LABEL = "synapse-perf"  # of what is made by itself; its value is the run
COMPOSE_LABELS = ("com.docker.compose.project", "io.podman.compose.project")  # of what compose makes
_REMOVING = threading.Lock()
_RUN = re.compile(r"synapse-perf-(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-[0-9a-f]+")


def new_run() -> str:
    """A name for one run of this process, also fit for a project of compose."""
    return f"synapse-perf-{_machine()}-{os.getpid()}-{_start(os.getpid())}-{secrets.token_hex(4)}"


def remove_run(client: Any, run: str) -> int:
    """Remove all that belongs to a run; how many containers those were.

    Of two threads that do so, as when the parent is gone, the second waits: whoever is through may end the process.
    """
    with _REMOVING:
        return _remove(client, lambda name: name == run)


def sweep(client: Any) -> int:
    """Remove what runs of this machine have left whose process is gone; how many containers those were."""
    return _remove(client, _is_abandoned)


def is_of_a_run(labels: Mapping[str, str]) -> bool:
    """Whether what bears these labels was made by a run, of whichever process."""
    return any(_RUN.fullmatch(labels.get(label, "")) for label in (LABEL, *COMPOSE_LABELS))


def _machine() -> str:
    """Of a machine that shares an engine with others; numbers of processes mean nothing elsewhere."""
    return hashlib.sha256(f"{uuid.getnode()}/{os.uname().nodename}".encode()).hexdigest()[:8]


def _start(pid: int) -> int:
    """In hundredths of a second, the kernel's own tick."""
    import psutil

    try:
        return round(psutil.Process(pid).create_time() * 100)
    except psutil.Error:
        return 0


def _is_abandoned(name: str) -> bool:
    run = _RUN.fullmatch(name)
    if run is None or run["machine"] != _machine():
        return False
    return abs(_start(int(run["pid"])) - int(run["start"])) > 5


def _remove(client: Any, is_wanted: Callable[[str], bool]) -> int:
    import docker

    gone = docker.errors.APIError  # or another removal of the same is on its way
    containers = list(_labelled(lambda label: client.api.containers(all=True, filters={"label": label}), is_wanted))
    for identity in containers:
        with contextlib.suppress(gone):
            client.api.remove_container(identity, force=True, v=True)
    for identity in list(_labelled(lambda label: client.api.networks(filters={"label": label}), is_wanted)):
        with contextlib.suppress(gone):
            client.api.remove_network(identity)
    volumes = _labelled(lambda label: client.api.volumes(filters={"label": label})["Volumes"] or (), is_wanted)
    for name in list(volumes):
        with contextlib.suppress(gone):
            client.api.remove_volume(name, force=True)
    return len(containers)


def _labelled(listed: Callable[[str], Iterable[Any]], is_wanted: Callable[[str], bool]) -> Iterable[str]:
    """The ids, or the names of what has none, of everything with one of our labels; the values decide."""
    found: dict[str, None] = {}
    for label in (LABEL, *COMPOSE_LABELS):
        for one in listed(label):
            if is_wanted((one.get("Labels") or {}).get(label, "")):
                found[one.get("Id") or one["Name"]] = None
    return found
