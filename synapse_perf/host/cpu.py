"""Which processor is this, and how much of it may this process use?"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.host.cgroup import cpu_quota
from synapse_perf.host.macos_settings import MACOS, sysctl

_ARCHITECTURES = {"aarch64": "arm64", "amd64": "x86_64", "x64": "x86_64", "i686": "x86"}
_NOISE = re.compile(r"\((?:R|TM|tm|r)\)|\bCPU\b|\bProcessor\b|@.*$")


@dataclass(frozen=True, slots=True)
class Processor:
    architecture: str
    model: str | None  # the maker's name, without clock rate and trade marks
    identity: str | None  # vendor, family and model numbers, which tell apart what a virtual machine names alike
    virtualised: bool | None


def processor() -> Processor:
    """What decides the speed of a core; nothing that changes while the machine runs."""
    architecture = normal_architecture(platform.machine())
    if MACOS:
        found = sysctl("machdep.cpu.brand_string", "machdep.cpu.family", "machdep.cpu.model", "kern.hv_vmm_present")
        return from_sysctl(found, architecture)
    return from_cpuinfo(_cpuinfo(), architecture)


def instruction_flags() -> frozenset[str]:
    """The instruction sets that an x86 Linux names, such as ``avx2``; empty elsewhere."""
    return parse_flags(_cpuinfo())


def parse_flags(text: str) -> frozenset[str]:
    """The ``flags`` of the first processor in /proc/cpuinfo."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def usable_cores() -> float:
    """The processors that this process may run on, cut down to the control group's quota: 2.0, or 1.5."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return float(allowed) if quota is None else min(float(allowed), round(quota, 2))


def normal_architecture(machine: str) -> str:
    """One name for each instruction set: ``x86_64``, ``arm64`` ..."""
    return _ARCHITECTURES.get(machine.lower(), machine.lower())


def normal_model(name: str) -> str:
    """The maker's name without trade marks, clock rate and repeated blanks."""
    return " ".join(_NOISE.sub(" ", name).split())


def from_cpuinfo(text: str, architecture: str) -> Processor:
    """Read /proc/cpuinfo, whose fields differ between x86 and ARM."""
    blocks = [
        {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in block.splitlines())}
        for block in text.split("\n\n")
    ]
    first = blocks[0]
    name = first.get("model name") or first.get("Model") or blocks[-1].get("Model")
    identity: str | None = None
    if "vendor_id" in first:
        identity = f"{first['vendor_id']} {first.get('cpu family', '?')}/{first.get('model', '?')}"
    elif "CPU part" in first:  # a phone's chip mixes several kinds of core
        parts = {f"{block['CPU implementer']}/{block['CPU part']}" for block in blocks if "CPU part" in block}
        identity = "ARM " + " ".join(sorted(parts))
    flags = first.get("flags")
    return Processor(
        architecture=architecture,
        model=normal_model(name) if name else None,
        identity=identity,
        virtualised=None if flags is None else "hypervisor" in flags.split(),
    )


def from_sysctl(found: dict[str, str], architecture: str) -> Processor:
    """Read the answers of macOS's sysctl; Apple Silicon has no family and model numbers."""
    name, family, virtual = (
        found.get(key) for key in ("machdep.cpu.brand_string", "machdep.cpu.family", "kern.hv_vmm_present")
    )
    return Processor(
        architecture=architecture,
        model=normal_model(name) if name else None,
        identity=f"{family}/{found.get('machdep.cpu.model', '?')}" if family else None,
        virtualised=None if virtual is None else virtual == "1",
    )
