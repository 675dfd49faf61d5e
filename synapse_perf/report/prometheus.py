"""How do figures become a textfile that Prometheus's node exporter collects?

One rejected line loses the whole file there: each family stands together with its HELP and TYPE, no series comes
twice, names are made of what names may hold, and there are no timestamps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from synapse_perf.report.characters import clean

PREFIX = "synapse_perf_"
UNITS: Mapping[str, str] = {
    "": "",
    "s": "seconds",
    "B": "bytes",
    "1": "",
    "1/s": "per_second",
    "B/s": "bytes_per_second",
    "in 10 s": "per_ten_seconds",
}
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Gauge:
    """One value; all of one name and unit are a family, which has the first one's meaning."""

    name: str
    unit: str
    meaning: str
    labels: Mapping[str, str]
    value: float | None


def prometheus_text(gauges: Iterable[Gauge]) -> str:
    """Those that are known and finite, family by family in the order first met."""
    families: dict[tuple[str, str], list[Gauge]] = {}
    for gauge in gauges:
        if gauge.value is not None and math.isfinite(gauge.value):
            families.setdefault((gauge.name, gauge.unit), []).append(gauge)
    names = _unlike(families, lambda key: _family(*key))
    lines = [line for key, family in families.items() for line in _lines(names[key], family)]
    return "\n".join(lines) + "\n"


def states(
    name: str, meaning: str, labels: Mapping[str, str], label: str, all_: Iterable[str], now: str
) -> list[Gauge]:
    """One series for each state, 1 for the one that holds: an alert on one of them also ends."""
    return [Gauge(name, "", meaning, {**labels, label: state}, float(state == now)) for state in all_]


def seconds_since_1970(timestamp: str) -> float | None:
    """None for a time that nobody noted."""
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None


def _lines(name: str, family: list[Gauge]) -> Iterable[str]:
    yield f"# HELP {name} {_escaped(family[0].meaning)}"
    yield f"# TYPE {name} gauge"
    labels = _unlike((label for gauge in family for label in gauge.labels), _label)
    series = (
        (",".join(f'{labels[label]}="{_quoted(gauge.labels[label])}"' for label in sorted(gauge.labels)), gauge.value)
        for gauge in family
    )
    first: dict[str, float | None] = {}
    for inside, value in series:
        first.setdefault(inside, value)
    for inside, value in first.items():
        yield f"{name}{{{inside}}} {value!r}" if inside else f"{name} {value!r}"


def _family(name: str, unit: str) -> str:
    suffix = UNITS.get(unit, unit)
    whole = name if not suffix or name.endswith(f"_{suffix}") else f"{name}_{suffix}"
    return PREFIX + (_name(whole) or "unnamed")


def _label(name: str) -> str:
    made = _name(name)
    return made if re.match("[a-zA-Z]", made) else f"label_{made}"  # two underscores in front are Prometheus's own


def _name(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", text)


def _unlike(originals: Iterable[Name], make: Callable[[Name], str]) -> dict[Name, str]:
    """A name for each, no two of them alike: what is the same once made gets a number."""
    found: dict[Name, str] = {}
    taken: set[str] = set()
    for original in sorted(set(originals), key=lambda one: (make(one) != one, repr(one))):
        name, number = make(original), 1
        while name in taken:
            number += 1
            name = f"{make(original)}_{number}"
        taken.add(name)
        found[original] = name
    return found


def _escaped(text: str) -> str:
    return clean(text).replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
