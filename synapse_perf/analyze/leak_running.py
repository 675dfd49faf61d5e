"""Where was a process while it grew? Picks, of what py-spy saw of a server and its workers, the process that grew.

These are the functions that ran, and no owners: who asks for memory need not be who keeps it. A process that only waits
is in none, so few samples are told as few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synapse_perf.analyze.leak_rows import unit_of
from synapse_perf.model import Json, Trial

FEW_SAMPLES = 30  # of which a share is known to 20 points at best
TOLD = 5


def running_of(trial: Trial, probe: str) -> dict[str, Json]:
    """What is told of the process of which that probe grew most meanwhile; functions by their share of the samples."""
    seen: Mapping[str, Any] = trial.facts["running"]
    grew = max(seen["processes"], key=lambda one: (one["grown"].get(probe, 0.0), one["samples"]))
    told: dict[str, Json] = {
        "process": grew["process"],
        "probe": probe,
        "recorded_s": seen["recorded_s"],
        "samples": grew["samples"],
        "grown_bytes" if unit_of(probe) == "B" else "grown": grew["grown"].get(probe, 0.0),
    }
    if grew["problem"]:
        return {**told, "problem": grew["problem"]}
    most = list(grew["functions"].items())[:TOLD]
    return {**told, "functions": {name: count / grew["samples"] for name, count in most}}
