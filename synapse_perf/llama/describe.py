"""Which llama.cpp does this interpreter have, and which devices does it offer?

A script of its own, run by path under the interpreter that is to be examined: it prints one JSON object on stdout. Its
arguments are the endpoints of RPC servers whose devices count too.
Listing the devices starts the back ends, on a Mac the Metal shader library too: a process that asks this never measures
afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import sys
import types
from collections.abc import Sequence
from importlib import metadata
from typing import Any


def build(low_level: Any, rpc_servers: Sequence[str] = ()) -> dict[str, Any]:
    """Version, abilities and devices of the library that llama_cpp has loaded; raises UnknownDeviceError."""
    from synapse_perf.llama.devices import add_rpc_server, list_devices

    for endpoint in rpc_servers:
        add_rpc_server(low_level, endpoint)
    library = low_level._lib
    return {
        "library": library._name,
        "llama_version": _text(library, "llama_version"),
        "ggml_version": _text(library, "ggml_version"),
        "ggml_commit": _text(library, "ggml_commit"),
        "system_info": low_level.llama_print_system_info().decode("utf-8", "replace"),
        "mmap": bool(low_level.llama_supports_mmap()),
        "mlock": bool(low_level.llama_supports_mlock()),
        "gpu_offload": bool(low_level.llama_supports_gpu_offload()),
        "rpc": bool(low_level.llama_supports_rpc()) if hasattr(low_level, "llama_supports_rpc") else None,
        "devices": [
            {
                "name": device.name,
                "description": device.description,
                "is_gpu": device.is_gpu,
                "free_bytes": device.free_bytes,
                "total_bytes": device.total_bytes,
            }
            for device in list_devices(low_level)
        ],
    }


def describe(rpc_servers: Sequence[str] = ()) -> dict[str, Any]:
    """The interpreter and, if it can be imported, its llama.cpp; else the reason under ``error``."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "machine": platform.machine(),
        "package": None,
    }
    with contextlib.suppress(metadata.PackageNotFoundError):
        found["package"] = metadata.version("llama-cpp-python")
    try:
        import llama_cpp.llama_cpp as low_level

        found.update(build(low_level, rpc_servers))
    except Exception as error:  # whatever a foreign installation may raise is the answer
        found["error"] = f"{type(error).__name__}: {error}"
    return found


def _text(library: ctypes.CDLL, symbol: str) -> str | None:
    """What a function without arguments answers; None in a version that has no such function."""
    try:
        function = getattr(library, symbol)
    except AttributeError:
        return None
    function.restype = ctypes.c_char_p
    answer = function()
    return answer.decode("utf-8", "replace") if answer else None


def _register_package() -> None:
    """Make this copy of synapse_perf importable and nothing else of the environment that it lies in."""
    package = types.ModuleType("synapse_perf")
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]  # noqa: PTH100, PTH120
    sys.modules["synapse_perf"] = package


if __name__ == "__main__":
    channel = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not get between the lines
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [entry for entry in sys.path if entry != folder]  # its modules would hide others of the same name
    _register_package()
    os.write(channel, json.dumps(describe(sys.argv[1:])).encode())
