"""Which targets may a profile change, and what does ``"5s"`` mean for one?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text, suggestion
from synapse_perf.units import parse_duration

TARGET_UNITS: Mapping[str, str] = {
    "docker-startup": "s",
    "model-startup-metal": "s",
    "model-startup-cpu": "s",
    "cgrag-cold": "s",
    "cgrag-warm": "s",
    "query-fast": "s",
    "query-balanced": "s",
    "query-deep": "s",
    "query-two-stage": "s",
    "ui-animation": "1/s",
    "websocket-latency": "s",
}

_FRAMES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:fps)?\s*")


def check_target(target: str) -> None:
    if target not in TARGET_UNITS:
        raise InputError(f"'{target}' is not a target", suggestion(target, TARGET_UNITS))


def parse_target_value(target: str, value: object) -> float:
    """The limit in the target's base unit, from a number or from ``5s``, ``100ms``, ``60fps``."""
    check_target(target)
    if isinstance(value, str):
        number = _frames(value) if TARGET_UNITS[target] == "1/s" else parse_duration(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    else:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"{short_text(value)} is no limit for {target}", 'write a number above 0, such as "5s"')
    return number


def _frames(text: str) -> float:
    match = _FRAMES.fullmatch(text)
    return float(match[1]) if match else math.nan
