"""Where does this run, told so that results can be compared and committed?

Three kinds of facts: the hardware class decides speed (results of two classes are not comparable), the software class
is compared with a label, and the volatile rest only explains. Nothing that wobbles is in a class: no clock rate, load,
temperature, host name or identifier of a boot.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from synapse_perf import __version__
from synapse_perf.host.cpu import processor, usable_cores
from synapse_perf.host.free_memory import total_memory_bytes
from synapse_perf.host.gpu import gpu_names, nvidia_driver
from synapse_perf.host.power import power
from synapse_perf.host.pressure import pressure
from synapse_perf.host.revision import revision
from synapse_perf.model import Environment, Json
from synapse_perf.units import GIB

_PACKAGES = ("faiss-cpu", "llama-cpp-python", "numpy")
_DIGEST_DIGITS = 16


def describe(directory: Path | None = None, packages: Mapping[str, str] | None = None) -> Environment:
    """The environment of a measurement.

    `directory` is the checkout whose revision is named, by default the current one. `packages` are the versions that
    the worker reported, which under another interpreter than the tool's are not the tool's own.
    """
    hardware, software = hardware_class(), software_class(packages)
    return Environment(
        hardware_class={"digest": digest(hardware), **hardware},
        software_class={"digest": digest(software), **software},
        volatile=volatile(),
        git=revision(directory),
    )


def hardware_class() -> dict[str, Json]:
    """What decides the speed of this machine for this process."""
    found = processor()
    total = total_memory_bytes()
    cores = usable_cores()
    return {
        "architecture": found.architecture,
        "cpu_model": found.model,
        "cpu_identity": found.identity,
        "virtualised": found.virtualised,
        "usable_cores": int(cores) if cores == int(cores) else cores,
        "memory_gib_pow2": None if total is None else next_power_of_two(total / GIB),
        "gpus": list(gpu_names()),
    }


def software_class(packages: Mapping[str, str] | None = None) -> dict[str, Json]:
    """What decides speed and can be installed; a difference is named in a comparison, not refused."""
    return {
        "os": operating_system(),
        "libc": c_library(),
        "python": python_version(),
        "gpu_driver": nvidia_driver(),
        "packages": dict(packages) if packages is not None else installed(_PACKAGES),
        "tool": __version__,
    }


def volatile() -> dict[str, Json]:
    """What only explains a result: the state of the machine at this moment."""
    import psutil

    now, energy = pressure(), power()
    return {
        "load_1m": now.load_1m,
        "cpu_pressure": now.cpu_some,
        "io_pressure": now.io_some,
        "memory_pressure": now.memory_some,
        "memory_total_bytes": total_memory_bytes(),
        "memory_available_bytes": psutil.virtual_memory().available,
        "swap_used_bytes": psutil.swap_memory().used,
        "on_battery": energy.on_battery,
        "battery_share": energy.battery_share,
        "low_power_mode": energy.low_power_mode,
        "governor": energy.governor,
        "turbo": energy.turbo,
        "throttle_events": energy.throttle_events,
        "speed_limit": energy.speed_limit,
        "kernel": platform.release(),
        "uptime_s": round(time.time() - psutil.boot_time()),
    }


def digest(fields: Mapping[str, Json]) -> str:
    """The same for the same fields in any order, on any machine and in any version of Python."""
    text = json.dumps(fields, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_DIGEST_DIGITS]


def next_power_of_two(gib: float) -> float:
    """Up to the next power of two: the kernel keeps a little, so 31.2 and 30.7 are both 32; below 1: 0.5, 0.25."""
    power_of_two = 2.0 ** math.ceil(math.log2(gib))
    return int(power_of_two) if power_of_two >= 1 else power_of_two


def operating_system() -> str:
    """Family and major version: ``Linux debian 12``, ``macOS 15``."""
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0].split('.')[0]}"
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system()
    return f"{platform.system()} {release.get('ID', '')} {release.get('VERSION_ID', '').split('.')[0]}".strip()


def c_library() -> str:
    """``glibc 2.36``, ``musl``, or the system's own."""
    if sys.platform == "darwin":
        return "libSystem"
    try:
        named = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        named = None
    return named or ("musl" if any(Path("/lib").glob("ld-musl-*")) else "unknown")


def python_version() -> str:
    """Implementation and minor version, with ``t`` for a build without the global lock: ``CPython 3.13t``."""
    threads = "t" if "t" in getattr(sys, "abiflags", "") else ""
    return f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor}{threads}"


def installed(names: tuple[str, ...]) -> dict[str, Json]:
    """The version of each package in this interpreter; None for one that is not there."""
    found: dict[str, Json] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found
