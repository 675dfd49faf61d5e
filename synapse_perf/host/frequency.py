"""How fast do the processor's cores run right now, where the system tells?"""

from __future__ import annotations

from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_HZ_PER_KHZ = 1000.0


def fastest_core_hz(cpus: Path = _CPUS) -> float | None:
    """The clock of the fastest core, which is one that works; None on macOS and in most virtual machines."""
    found = []
    for file in cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"):
        try:
            text = file.read_text(encoding="ascii").strip()
        except OSError:  # a core that was taken off line meanwhile
            continue
        if text.isdigit():
            found.append(int(text) * _HZ_PER_KHZ)
    return max(found, default=None)
