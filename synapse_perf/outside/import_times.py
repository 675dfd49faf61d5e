"""How long did a Python service import, which packages took it, and who imports them? As -X importtime prints it.

Each line has the time of a module itself, then that with all that it imported, and is indented by its depth; what it
imported stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

VARIABLE = "PYTHONPROFILEIMPORTTIME"  # as -X importtime, also for what a script or a container starts
PACKAGES_TOLD = 5
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)([\w.]+)")
_HEADING = "import time: self [us]"


class ImportTimes(NamedTuple):
    """Seconds of all imports, and by package of its own modules, the longest first."""

    total_s: float
    packages: dict[str, float]
    modules: int
    interpreters: int  # that printed; the times are of all of them together
    importers: dict[str, str]  # of a package that another one imports: through which modules, ``app.main > app.search``


def read_import_times(output: str) -> ImportTimes | None:
    """None where no interpreter printed any."""
    packages: dict[str, float] = {}
    lines = [(len(indent), name, int(own_us) * 1e-6) for own_us, _, indent, name in _LINE.findall(output)]
    for _, name, own_s in lines:
        package = _package(name)
        packages[package] = packages.get(package, 0.0) + own_s
    if not lines:
        return None
    longest = dict(sorted(packages.items(), key=lambda item: -item[1])[:PACKAGES_TOLD])
    importers = {package: through for package in longest if (through := _importers(package, lines))}
    return ImportTimes(sum(packages.values()), longest, len(lines), max(output.count(_HEADING), 1), importers)


def _importers(package: str, lines: Sequence[tuple[int, str, float]]) -> str:
    """The modules that led to its first import, the outermost first; of several in a row of one package the nearest."""
    place = next(place for place, (_, name, _) in enumerate(lines) if _package(name) == package)
    depth, within, found = lines[place][0], package, []
    for other_depth, name, _ in lines[place + 1 :]:
        if other_depth < depth:
            depth = other_depth
            if _package(name) != within:
                within = _package(name)
                found.append(name)
        if not depth:
            break
    return " > ".join(reversed(found))


def _package(name: str) -> str:
    return name.partition(".")[0]
