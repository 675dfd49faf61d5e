"""Which devices does this build of llama.cpp have, and how is one of them chosen by name?"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

GPU_TYPES = (1, 2)  # GGML_BACKEND_DEVICE_TYPE_GPU and _IGPU


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
    lib.ggml_backend_dev_memory.argtypes = [
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_size_t),
        ctypes.POINTER(ctypes.c_size_t),
    ]
    return lib


def add_rpc_server(low_level: Any, endpoint: str) -> None:
    """Register the devices of an RPC server of llama.cpp (a build with GGML_RPC only)."""
    lib = library(low_level)
    lib.ggml_backend_rpc_add_server.restype = ctypes.c_void_p
    lib.ggml_backend_rpc_add_server.argtypes = [ctypes.c_char_p]
    lib.ggml_backend_register.argtypes = [ctypes.c_void_p]
    registry = lib.ggml_backend_rpc_add_server(endpoint.encode())
    if not registry:
        raise UnknownDeviceError(f"no RPC server answers at {endpoint}")
    lib.ggml_backend_register(registry)


def list_devices(low_level: Any) -> list[Device]:
    """Every device of the registry; asking for it the first time is what starts the back ends."""
    lib = library(low_level)
    devices = []
    for index in range(lib.ggml_backend_dev_count()):
        handle = lib.ggml_backend_dev_get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        lib.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
        devices.append(
            Device(
                name=lib.ggml_backend_dev_name(handle).decode(),
                description=lib.ggml_backend_dev_description(handle).decode(),
                is_gpu=lib.ggml_backend_dev_type(handle) in GPU_TYPES,
                free_bytes=free.value,
                total_bytes=total.value,
                handle=handle,
            )
        )
    return devices


def choose(devices: list[Device], wanted: str) -> list[Device] | None:
    """The devices to offload to: None leaves the choice to llama.cpp, an empty list forbids it."""
    if wanted == "auto":
        return None
    if wanted == "cpu":
        return []
    gpus = [device for device in devices if device.is_gpu]
    if wanted == "gpu":
        if not gpus:
            raise UnknownDeviceError(f"this build of llama.cpp has no GPU device; it has {_names(devices)}")
        return gpus
    chosen = [device for device in devices if device.name.lower() == wanted.lower()]
    if not chosen:
        raise UnknownDeviceError(f"no device is called '{wanted}'; there are {_names(devices)}")
    return chosen


def _names(devices: list[Device]) -> str:
    return ", ".join(device.name for device in devices)
