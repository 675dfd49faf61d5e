"""Can a file in this folder be made cold? Tried on a small file of our own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from synapse_perf.host.condition import Condition
from synapse_perf.host.file_systems import file_system, why_not_cold
from synapse_perf.host.page_cache import Certificate, prepare
from synapse_perf.units import MIB

_SIZE = 2 * MIB
_NAME = "page cache"
_LOCAL = "keep the models on a local disk; warm starts are measured all the same"


def eviction(label: str, folder: Path) -> Condition:
    """The line for one folder, named by its label: ``state directory``, ``models in ~/models``."""
    kind = file_system(folder)
    where = f"{label} ({kind})" if kind else label
    try:
        cold, warm = try_both(folder)
    except OSError as error:
        obstacle = why_not_cold(kind)
        if obstacle:
            return Condition(_NAME, "warning", f"{where}: {obstacle}", _LOCAL, ("load", "retrieval"))
        reason = error.strerror or str(error)
        what = f"{where}: no test file can be written ({reason}); each trial proves its own state all the same"
        return Condition(_NAME, "unknown", what)
    if cold.proven and warm.proven:
        return Condition(_NAME, "ok", f"{where}: files can be made cold and warm, and proven so")
    failed = warm if cold.proven else cold
    return Condition(_NAME, "warning", f"{where}: {failed.how}", _LOCAL, ("load", "retrieval"))


def try_both(folder: Path) -> tuple[Certificate, Certificate]:
    """Certificates of a temporary file made cold, then warm; raises OSError where none can be written."""
    descriptor, name = tempfile.mkstemp(prefix=".synapse-perf-", suffix=".tmp", dir=folder)
    try:
        os.write(descriptor, os.urandom(_SIZE))
        os.close(descriptor)
        return prepare([name], "cold"), prepare([name], "warm")
    finally:
        Path(name).unlink(missing_ok=True)
