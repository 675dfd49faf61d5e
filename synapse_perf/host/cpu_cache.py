"""How large is the processor's last-level cache? What fits into it is not read from main memory."""

from __future__ import annotations

import re
from pathlib import Path

from synapse_perf.host.macos_settings import MACOS, sysctl

_MACOS = ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize")  # the largest that there is
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def last_level_cache_bytes(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int | None:
    """The largest cache that the first processor names; None where none is named."""
    if MACOS:
        sizes = [int(text) for text in sysctl(*_MACOS).values() if text.isdigit()]
    else:
        sizes = [size for file in sorted(folder.glob("index*/size")) if (size := parse_size(_text(file))) is not None]
    return max(sizes, default=0) or None


def parse_size(text: str) -> int | None:
    """Bytes of ``32768K``."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
