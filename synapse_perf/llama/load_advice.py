"""What would make this load faster, smaller or use the device that is there, as far as its log alone can tell?

A log shows what happened, not what would happen: gains are estimates, to be confirmed by measuring both ways.
"""

from __future__ import annotations

from collections.abc import Callable

from synapse_perf.llama import advice_device, advice_memory, advice_reading
from synapse_perf.llama.load_log import LoadLog
from synapse_perf.llama.load_phases import LoadPhases
from synapse_perf.model import Finding

RULES: tuple[Callable[[LoadLog, LoadPhases], Finding | None], ...] = (
    advice_device.gpu_not_used,
    advice_device.partly_offloaded,
    advice_device.over_committed,
    advice_device.cold_shaders,
    advice_reading.vocabulary_bound,
    advice_reading.mmap_off,
    advice_reading.mlock_failed,
    advice_reading.direct_io_fell_back,
    advice_reading.overrides_with_mmap,
    advice_reading.fit_search,
    advice_reading.repacked,
    advice_memory.large_kv,
    advice_memory.full_window,
)
_SEVERITIES = ("high", "medium", "low", "info")


def advice(log: LoadLog, phases: LoadPhases) -> list[Finding]:
    """Findings from one load, the severest first; none where nothing stands out."""
    found = [finding for finding in (rule(log, phases) for rule in RULES) if finding is not None]
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))
