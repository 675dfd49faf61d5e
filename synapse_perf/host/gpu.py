"""Which graphics processors does the machine have, by name?"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from synapse_perf.host.macos_settings import MACOS, sysctl
from synapse_perf.host.tool_output import output

_MAKERS = {"0x1002": "AMD", "0x8086": "Intel"}  # NVIDIA's are named by their own driver; others do not compute
_IOREG = ["/usr/sbin/ioreg", "-rd1", "-c", "AGXAccelerator"]


def gpu_names() -> tuple[str, ...]:
    """The names, sorted, one for each device; no names where none is known."""
    if MACOS:
        return macos_gpus(output(_IOREG) or "", sysctl("machdep.cpu.brand_string"))
    return tuple(sorted((*_nvidia(), *drm_gpus(Path("/sys/class/drm")))))


def nvidia_driver() -> str | None:
    """The major number of the driver's version, such as ``580``."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return parse_nvidia_version(text)


def parse_nvidia_version(text: str) -> str | None:
    """The major number in /proc/driver/nvidia/version."""
    match = re.search(r"NVRM version:.*?\b(\d{3,})\.\d+", text)
    return match[1] if match else None


def nvidia_gpus(folder: Path) -> tuple[str, ...]:
    """The ``Model:`` lines under /proc/driver/nvidia/gpus."""
    names = []
    for file in sorted(folder.glob("*/information")):
        match = re.search(r"^Model:\s*(.+)$", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        names.append(match[1].strip() if match else "NVIDIA")
    return tuple(names)


def drm_gpus(folder: Path) -> tuple[str, ...]:
    """AMD's and Intel's devices under /sys/class/drm, by product name or by PCI number."""
    names = []
    for device in sorted(folder.glob("card[0-9]*/device")):
        maker = _MAKERS.get(_text(device / "vendor"))
        if maker and "-" not in device.parent.name:  # card0-HDMI-A-1 is a plug, not a device
            names.append(_text(device / "product_name") or f"{maker} {_text(device / 'device')}".strip())
    return tuple(names)


def macos_gpus(ioreg: str, found: dict[str, str]) -> tuple[str, ...]:
    """The chip's name and its count of GPU cores, which differs between chips of one name."""
    model = re.search(r'"model"\s*=\s*"([^"]+)"', ioreg)
    cores = re.search(r'"gpu-core-count"\s*=\s*(\d+)', ioreg)
    chip = found.get("machdep.cpu.brand_string", "")
    name = model[1] if model else chip if chip.startswith("Apple") else ""
    if not name:
        return ()
    return (f"{name} ({cores[1]} GPU cores)" if cores else name,)


def _nvidia() -> tuple[str, ...]:
    names = nvidia_gpus(Path("/proc/driver/nvidia/gpus"))
    if names or not shutil.which("nvidia-smi"):
        return names
    listed = output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], timeout_s=5.0) or ""
    return tuple(line.strip() for line in listed.splitlines() if line.strip() and "failed" not in line.lower())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
