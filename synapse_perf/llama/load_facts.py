"""Which facts of a load's log go beside its time: the device used, the mode in effect, the buffers."""

from __future__ import annotations

import sys

from synapse_perf.llama.load_log import LoadLog
from synapse_perf.llama.log_patterns import E26B
from synapse_perf.samples import Fact

NATIVE_MODE_NAMES = {"mmap": "mmap", "read": "none", "mlock": "mmap+mlock", "direct": "dio"}
HAS_DIRECT_IO = sys.platform == "linux"  # where it is missing, llama.cpp's log says "dio" all the same


def package_versions() -> dict[str, str]:
    """What of this interpreter decides how fast a model loads: the tool's own may be another."""
    import platform
    import sys

    found = {"python": platform.python_version()}
    for package, module in (("llama-cpp-python", "llama_cpp"), ("numpy", "numpy")):
        if module in sys.modules:
            found[package] = str(getattr(sys.modules[module], "__version__", "unknown"))
    return found


def log_facts(log: LoadLog, load_mode: str | None = None) -> dict[str, Fact]:
    """Facts by name; `load_mode` is the one that was asked for, in this tool's words, None where nobody knows."""
    place, mode = log.placement, log.mode
    facts: dict[str, Fact] = {
        "device": place.used_device or ("cpu" if load_mode else None),
        "layers_offloaded": place.layers_offloaded,
        "layers": place.layers_claimed[1] if place.layers_claimed else None,
        "load_mode_effective": _is_effective(log, load_mode) if mode.in_effect and load_mode else None,
        "load_mode_problem": _mode_problem(log, load_mode),
        "kv_bytes": place.buffer_bytes("KV") or None,
        "compute_bytes": place.buffer_bytes("compute") or None,
        "over_committed": log.metal.over_committed,
    }
    for buffer in place.buffers:
        name = f"buffer.{buffer.device}.{buffer.kind}"
        facts[name] = buffer.size_bytes + int(facts.get(name) or 0)
    return facts


def _is_effective(log: LoadLog, load_mode: str) -> bool:
    if load_mode == "direct" and not HAS_DIRECT_IO:
        return False
    if load_mode == "mlock" and log.era != E26B:
        # Before mid-2026 the log says "mmap = true" either way, and of mlock only when it fails.
        return log.mode.in_effect == "mmap" and log.mode.mlock_failed is None
    return log.mode.in_effect == NATIVE_MODE_NAMES[load_mode]


def _mode_problem(log: LoadLog, load_mode: str | None) -> str | None:
    if log.mode.mlock_failed is not None:
        return f"mlock failed: {log.mode.mlock_failed}"
    if load_mode == "direct" and not HAS_DIRECT_IO:
        return "llama.cpp has direct I/O on Linux only, and reads through the page cache elsewhere"
    return "direct I/O fell back to buffered reads" if log.mode.direct_io_fell_back else None
