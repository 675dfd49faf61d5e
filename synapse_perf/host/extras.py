"""Which optional parts of the tool are installed?"""

from __future__ import annotations

import re
from importlib import metadata

from synapse_perf.host.condition import Condition

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?$")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def extras(distribution: str = "synapse-perf") -> list[Condition]:
    """One line for each extra: complete, or what is missing and the command that installs it."""
    try:
        names = metadata.metadata(distribution).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return [Condition("extras", "unknown", f"{distribution} runs from a folder, not from an installation")]
    return [_condition(distribution, name) for name in names]


def missing(distribution: str, extra: str) -> tuple[str, ...]:
    """The packages of an extra that are not installed; an extra of an extra's package is followed one level down."""
    absent: set[str] = set()
    for name, inner in _requirements(distribution, extra):
        if not _is_installed(name):
            absent.add(name)
            continue
        for deeper in inner:
            absent |= {package for package, _ in _requirements(name, deeper) if not _is_installed(package)}
    return tuple(sorted(absent))


def parse_requirement(text: str) -> tuple[str, tuple[str, ...], str | None] | None:
    """Name, extras asked of it, and the extra that asks: ``a[b]>=1; extra == "c"`` gives a, (b,), c."""
    match = _REQUIREMENT.match(text)
    if match is None:
        return None
    asked_by = _EXTRA.search(match[3] or "")
    inner = tuple(part.strip() for part in (match[2] or "").split(",") if part.strip())
    return match[1], inner, asked_by[1] if asked_by else None


def _requirements(distribution: str, extra: str) -> list[tuple[str, tuple[str, ...]]]:
    parsed = (parse_requirement(line) for line in metadata.requires(distribution) or [])
    return [(found[0], found[1]) for found in parsed if found is not None and found[2] == extra]


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _condition(distribution: str, extra: str) -> Condition:
    absent = missing(distribution, extra)
    if not absent:
        return Condition(f"extra {extra}", "ok", "installed")
    remedy = f"pip install '{distribution}[{extra}]'"
    return Condition(f"extra {extra}", "unavailable", f"optional; not installed: {', '.join(absent)}", remedy)
