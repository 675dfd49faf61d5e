"""How much of a graphics processor's memory does a process hold?

NVIDIA's driver library tells it of every process that computes; AMD's and Intel's drivers in Linux tell it of each
descriptor of the device (``drm-usage-stats`` in the kernel's documentation). Apple's processors share the memory of the
machine, so it is in a process's footprint already. `gpu_memory()` gives a reader, or the reason why there is none, and
no reason where there is no graphics processor.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

_INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel
_UNKNOWN = 2**64 - 1  # NVML_VALUE_NOT_AVAILABLE
_MOST_PROCESSES = 256
_DEVICES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/kfd")  # NVIDIA's and AMD's, also without their libraries
# A region has a line of each kind that its driver knows: what lies there now, or in older kernels what is taken.
_REGION = re.compile(rb"^drm-(?:resident|memory)-((?:vram|local)\d*):\s*(\d+)\s*(KiB|MiB|)", re.MULTILINE)
_CLIENT = re.compile(rb"^drm-client-id:\s*(\S+)", re.MULTILINE)
_UNITS = {b"": 1, b"KiB": 1024, b"MiB": 1024**2}
Reader: TypeAlias = Callable[[int], float]


class _Process(ctypes.Structure):
    """``nvmlProcessInfo_v2_t``."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used_bytes", ctypes.c_ulonglong),
        ("instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


def gpu_memory() -> tuple[Reader | None, str]:
    """What reads it by a process's number, or None and the reason; without one nothing here could use any."""
    if sys.platform == "darwin":
        return None, "processors of Apple share the machine's memory: it is in the footprint"
    library = _nvml()
    if library is not None:
        if not _sees_numbers():
            return None, "NVIDIA's driver names processes by their numbers outside of this container"
        return lambda pid: _nvidia_bytes(library, pid), ""
    if any(name.startswith("renderD") for name in _listed("/dev/dri")):
        return drm_bytes, ""
    if any(os.path.exists(path) for path in _DEVICES):  # noqa: PTH110
        return None, "a graphics processor is here, but no library of its driver that could be asked"
    return None, ""


def drm_bytes(pid: int, root: str = "/proc") -> float:
    """By the descriptors of a process; those of one client show the same memory."""
    found: dict[bytes, float] = {}
    folder = f"{root}/{pid}/fdinfo"
    for name in _listed(folder):
        with contextlib.suppress(OSError), open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123
            text = file.read()
            client = _CLIENT.search(text)
            if client:
                regions = {region: int(number) * _UNITS[unit] for region, number, unit in _REGION.findall(text)}
                found[client[1]] = float(sum(regions.values()))
    return sum(found.values())


def _nvml() -> Any:
    """NVIDIA's management library, ready to be asked; None where it is not, or finds no device."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libnvidia-ml.so.1")
        count = ctypes.c_uint()
        if library.nvmlInit_v2() == 0 and library.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0 and count.value:
            return library
    return None


def _nvidia_bytes(library: Any, pid: int) -> float:
    devices = ctypes.c_uint()
    library.nvmlDeviceGetCount_v2(ctypes.byref(devices))
    total = 0.0
    for place in range(devices.value):
        device = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(place, ctypes.byref(device)) != 0:
            continue
        total += sum(
            one.used_bytes for one in _running(library, device) if one.pid == pid and one.used_bytes != _UNKNOWN
        )
    return total


def _running(library: Any, device: ctypes.c_void_p) -> list[_Process]:
    ask = getattr(library, "nvmlDeviceGetComputeRunningProcesses_v3", None)
    ask = ask or library.nvmlDeviceGetComputeRunningProcesses_v2
    count, found = ctypes.c_uint(_MOST_PROCESSES), (_Process * _MOST_PROCESSES)()
    return list(found[: count.value]) if ask(device, ctypes.byref(count), found) == 0 else []


def _sees_numbers() -> bool:
    """Whether this process's number is the one that the driver knows it by."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid") == _INITIAL_PID_NAMESPACE  # noqa: PTH115
    return True


def _listed(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)  # noqa: PTH208 - pathlib costs time in a worker
    return []
