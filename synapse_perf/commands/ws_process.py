"""Which process is the WebSocket's server, so that what it holds of clients can be counted?"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.commands.leak_process_choice import Chosen
    from synapse_perf.commands.ws_request import WsRequest


class Watched(NamedTuple):
    """The process, or why none is watched."""

    process: Chosen | None
    why_not: str = ""


def watched(request: WsRequest) -> Watched:
    """InputError for a --pid that cannot be watched; a process that is merely not found is told."""
    from synapse_perf.commands.leak_process_choice import choose_process
    from synapse_perf.host.process_tree_probes import process_at

    if request.is_sample:
        return Watched(None, "the server is this tool's own")
    if request.pid is not None:
        return Watched(choose_process(request.pid))
    parts = urlsplit(request.url)
    if not _is_here(parts.hostname or ""):
        return Watched(None, "its process is on another machine")
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    pid = process_at(port)
    if pid is None:
        return Watched(None, f"no process of this user listens on port {port}; --pid names one")
    try:
        return Watched(choose_process(pid))
    except InputError as error:
        return Watched(None, error.message.removeprefix("--pid "))


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
