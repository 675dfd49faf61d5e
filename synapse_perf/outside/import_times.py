"""How long did a Python service import, and which packages took it? Read from what -X importtime prints.

Each line has the time of a module itself, then that with all that it imported, and is indented by its depth.
"""

from __future__ import annotations

import re
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


def read_import_times(output: str) -> ImportTimes | None:
    """None where no interpreter printed any."""
    packages: dict[str, float] = {}
    modules = 0
    for own_us, _, _, name in _LINE.findall(output):
        package = name.partition(".")[0]
        packages[package] = packages.get(package, 0.0) + int(own_us) * 1e-6
        modules += 1
    if not modules:
        return None
    longest = dict(sorted(packages.items(), key=lambda item: -item[1])[:PACKAGES_TOLD])
    return ImportTimes(sum(packages.values()), longest, modules, max(output.count(_HEADING), 1))
