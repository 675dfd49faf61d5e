"""Which facts of a load's log go beside its time: the device used, the mode in effect, the buffers."""

from __future__ import annotations

from synapse_perf.llama.load_log import LoadLog
from synapse_perf.samples import Fact

NATIVE_MODE_NAMES = {"mmap": "mmap", "read": "none", "mlock": "mmap+mlock", "direct": "dio"}


def log_facts(log: LoadLog, load_mode: str) -> dict[str, Fact]:
    """Facts by name; `load_mode` is the one that was asked for, in this tool's words."""
    place, mode = log.placement, log.mode
    facts: dict[str, Fact] = {
        "device": place.used_device or "cpu",
        "layers_offloaded": place.layers_offloaded,
        "layers": place.layers_claimed[1] if place.layers_claimed else None,
        "load_mode_effective": mode.in_effect == NATIVE_MODE_NAMES[load_mode] if mode.in_effect else None,
        "load_mode_problem": _mode_problem(log),
        "kv_bytes": place.buffer_bytes("KV") or None,
        "compute_bytes": place.buffer_bytes("compute") or None,
        "over_committed": log.metal.over_committed,
    }
    for buffer in place.buffers:
        name = f"buffer.{buffer.device}.{buffer.kind}"
        facts[name] = buffer.size_bytes + int(facts.get(name) or 0)
    return facts


def _mode_problem(log: LoadLog) -> str | None:
    if log.mode.mlock_failed is not None:
        return f"mlock failed: {log.mode.mlock_failed}"
    return "direct I/O fell back to buffered reads" if log.mode.direct_io_fell_back else None
