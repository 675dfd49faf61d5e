"""Has the llama.cpp that will measure the device that was asked for? Known before anything is measured."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENDPOINT = re.compile(r"[^\s:]+:\d{1,5}")
_METAL = re.compile(r"gpu|metal|mtl\d*", re.IGNORECASE)


def check_device(device: str, rpc_servers: Sequence[str], python: str | None) -> None:
    """Raise InputError, with the devices there are, where the interpreter's llama.cpp lacks the one that is wanted.

    Asked in a process of its own, which takes about as long as importing llama_cpp does. Not asked where the answer is
    known: the CPU and llama.cpp's own choice are always there.
    """
    for endpoint in rpc_servers:
        if not _ENDPOINT.fullmatch(endpoint):
            raise InputError(f"--rpc {endpoint}: not an endpoint", "write HOST:PORT, such as 127.0.0.1:50052")
    if not rpc_servers and (device in ("auto", "cpu") or _is_metal_on_a_mac(device)):
        return
    from synapse_perf.host.llama_build import ask
    from synapse_perf.llama.devices import Device, UnknownDeviceError, choose

    found = ask(python, rpc_servers)
    if "devices" not in found:
        told = str(found["error"])
        if told.startswith(UnknownDeviceError.__name__):
            reason = told.partition(": ")[2]
            raise InputError(f"--rpc {', '.join(rpc_servers)}: {reason}", "start the server, or leave --rpc out")
        return  # an interpreter that cannot load llama.cpp is explained by its first trial
    try:
        choose([Device(**entry, handle=0) for entry in found["devices"]], device)
    except UnknownDeviceError as error:
        raise InputError(
            f"--device {device}: {error}", "take one of these, auto or cpu; see 'synapse-perf doctor' too"
        ) from error


def _is_metal_on_a_mac(device: str) -> bool:
    """To ask would compile Metal's shaders, which the first start of a build does and is to be seen doing."""
    return platform.system() == "Darwin" and bool(_METAL.fullmatch(device))
