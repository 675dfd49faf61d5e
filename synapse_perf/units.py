"""People's units to base units and back: durations, byte counts, ratios."""

from __future__ import annotations

import re

from synapse_perf.errors import InputError

KIB = 1024
MIB = 1024**2
GIB = 1024**3

_DURATIONS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": KIB, "mi": MIB, "gi": GIB, "ti": 1024 * GIB}
_QUANTITY = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ]*)\s*$")


def parse_duration(text: str) -> float:
    """Seconds from ``90s``, ``5m``, ``1.5h``, ``250ms``; a bare number is seconds."""
    match = _QUANTITY.match(text)
    if match is None or (match[2] or "s") not in _DURATIONS:
        raise InputError(f"'{text}' is not a duration", "write a number with ms, s, m or h, such as 90s or 5m")
    return float(match[1]) * _DURATIONS[match[2] or "s"]


def parse_bytes(text: str) -> int:
    """Bytes from ``500MB``, ``1.5GiB``, ``64k``; a bare number is bytes. Powers of ten unless an i says otherwise."""
    match = _QUANTITY.match(text)
    unit = (match[2] if match else "?").lower().removesuffix("b")
    if match is None or unit not in _SIZES:
        raise InputError(f"'{text}' is not a size", "write a number with MB, GB, MiB or GiB, such as 500MB")
    return round(float(match[1]) * _SIZES[unit])


def format_duration(seconds: float) -> str:
    """Three significant digits with the unit that reads best: ``153 ns``, ``4.31 ms``, ``2.05 s``, ``3 min 20 s``."""
    if seconds != seconds:
        return "n/a"
    magnitude = abs(seconds)
    if magnitude >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if magnitude >= 1 or magnitude == 0:
        return f"{three_digits(seconds)} s"
    if magnitude >= 1e-3:
        return f"{three_digits(seconds * 1e3)} ms"
    if 1e-9 <= magnitude < 1e-6:
        return f"{three_digits(seconds * 1e9)} ns"
    return f"{three_digits(seconds * 1e6)} µs"


def format_bytes(count: float) -> str:
    """Binary units with three significant digits: ``4.37 GiB``, ``512 MiB``, ``96 B``."""
    magnitude = abs(count)
    for size, unit in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if magnitude >= size:
            return f"{three_digits(count / size)} {unit}"
    return f"{round(count)} B"


def format_percent(ratio: float) -> str:
    """A ratio as a percentage: 0.034 becomes ``3.4 %``."""
    return f"{three_digits(ratio * 100)} %"


def format_value(value: float, unit: str) -> str:
    """A value in its base unit, as people read it."""
    if unit == "s":
        return format_duration(value)
    if unit == "B":
        return format_bytes(value)
    if unit == "B/s":
        return f"{format_bytes(value)}/s"
    if unit == "1":
        return three_digits(value)
    return f"{three_digits(value)} {unit}"


def three_digits(value: float) -> str:
    """Three significant digits without an exponent; whole numbers above 100 stay whole."""
    magnitude = abs(value)
    if magnitude >= 99.95:
        return f"{value:.0f}"
    if magnitude >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}"
