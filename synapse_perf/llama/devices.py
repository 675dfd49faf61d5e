"""Which devices does this build of llama.cpp have, and how is one of them chosen by name?"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

# GGML_BACKEND_DEVICE_TYPE_GPU and _IGPU. To mid-2025 2 was _ACCEL (BLAS), which works on the CPU's own memory.
GPU_TYPES = (1, 2)
RPC_PATIENCE_S = 10.0


class UnknownDeviceError(Exception):
    """No device of that name; the message lists those there are."""


class Device(NamedTuple):
    """A device as ggml's registry knows it."""

    name: str
    description: str
    is_gpu: bool
    free_bytes: int
    total_bytes: int
    handle: int


def library(low_level: Any) -> ctypes.CDLL:
    """The library that llama_cpp has loaded; looking up ggml's symbols through it reaches the copy that is in use.

    Loading libggml by its plain name would map a second, separate copy with an empty registry.
    """
    lib: ctypes.CDLL = low_level._lib
    lib.ggml_backend_dev_count.restype = ctypes.c_size_t
    lib.ggml_backend_dev_get.restype = ctypes.c_void_p
    lib.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    for name in ("ggml_backend_dev_name", "ggml_backend_dev_description"):
        getattr(lib, name).restype = ctypes.c_char_p
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    lib.ggml_backend_dev_type.restype = ctypes.c_int
    lib.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    lib.ggml_backend_dev_buffer_type.restype = ctypes.c_void_p
    lib.ggml_backend_dev_buffer_type.argtypes = [ctypes.c_void_p]
    lib.ggml_backend_cpu_buffer_type.restype = ctypes.c_void_p
    lib.ggml_backend_dev_buffer_type.restype = ctypes.c_void_p
    lib.ggml_backend_dev_buffer_type.argtypes = [ctypes.c_void_p]
    lib.ggml_backend_cpu_buffer_type.restype = ctypes.c_void_p
    lib.ggml_backend_dev_memory.argtypes = [
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_size_t),
        ctypes.POINTER(ctypes.c_size_t),
    ]
    return lib


def add_rpc_server(low_level: Any, endpoint: str) -> None:
    """Register the devices of an RPC server of llama.cpp; raises UnknownDeviceError where that is not possible."""
    lib = library(low_level)
    if not hasattr(lib, "ggml_backend_rpc_add_server"):
        raise UnknownDeviceError("this llama.cpp was built without RPC (GGML_RPC), or is too old for it")
    _check_that_it_listens(endpoint)
    lib.ggml_backend_rpc_add_server.restype = ctypes.c_void_p
    lib.ggml_backend_rpc_add_server.argtypes = [ctypes.c_char_p]
    lib.ggml_backend_register.argtypes = [ctypes.c_void_p]
    registry = lib.ggml_backend_rpc_add_server(endpoint.encode())
    if not registry:
        raise UnknownDeviceError(f"the RPC server at {endpoint} offers no device")
    lib.ggml_backend_register(registry)


def _check_that_it_listens(endpoint: str) -> None:
    """llama.cpp aborts the whole process where it cannot connect."""
    import socket  # costs milliseconds within the start that is measured

    host, _, port = endpoint.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=RPC_PATIENCE_S).close()
    except (OSError, ValueError) as error:
        raise UnknownDeviceError(f"no RPC server answers at {endpoint}: {error}") from error


def list_devices(low_level: Any) -> list[Device]:
    """Every device of the registry; asking for it the first time is what starts the back ends."""
    lib = library(low_level)
    cpu_memory = lib.ggml_backend_cpu_buffer_type()
    devices = []
    for index in range(lib.ggml_backend_dev_count()):
        handle = lib.ggml_backend_dev_get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        lib.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
        devices.append(
            Device(
                name=lib.ggml_backend_dev_name(handle).decode(),
                description=lib.ggml_backend_dev_description(handle).decode(),
                is_gpu=lib.ggml_backend_dev_type(handle) in GPU_TYPES
                and lib.ggml_backend_dev_buffer_type(handle) != cpu_memory,
                free_bytes=free.value,
                total_bytes=total.value,
                handle=handle,
            )
        )
    return devices


def choose(devices: Sequence[Device], wanted: str) -> list[Device] | None:
    """The devices to offload to: None leaves the choice to llama.cpp, an empty list forbids it.

    `wanted` is auto, cpu, gpu, or names of devices with commas between. "gpu" too leaves the choice to llama.cpp, which
    knows a card that two back ends list; it only must have one. Raises UnknownDeviceError with the devices there are.
    """
    if wanted == "auto":
        return None
    if wanted.lower() == "cpu":
        return []
    gpus = {device.name.lower(): device for device in devices if device.is_gpu}
    if wanted == "gpu":
        if not gpus:
            raise UnknownDeviceError(f"this llama.cpp has no GPU device; it has {_names(devices)}")
        return None
    chosen = []
    for name in wanted.split(","):
        if name.strip().lower() not in gpus:
            raise UnknownDeviceError(f"no GPU device is called '{name.strip()}'; this llama.cpp has {_names(devices)}")
        chosen.append(gpus[name.strip().lower()])
    return chosen


def _names(devices: Sequence[Device]) -> str:
    return ", ".join(device.name for device in devices) or "none"
