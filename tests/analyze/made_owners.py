"""What an attribution may have seen, for tests of the findings that are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from synapse_perf.analyze.leak_attribution import ATTRIBUTION, CLEARED, Growing
from synapse_perf.analyze.leak_trend import Slope
from synapse_perf.analyze.leak_verdict import Judged
from synapse_perf.model import LeakStatus, Trial
from tests.analyze.made_leaks import HUNT, KB, SAMPLES, leaking, trial

CALLS = 3  # of a round
READINGS = 9
EACH = 100 * KB


def rising(each: float, readings: int = READINGS) -> list[float]:
    """A series that gets so much more with each call."""
    return [each * CALLS * place for place in range(readings)]


def growing(grown: Mapping[str, float], status: LeakStatus = "leak") -> Growing:
    judged = {
        probe: Judged(status, Slope(each, each * 0.99, each * 1.01), 1.0, 80, "", wants_longer=False)
        for probe, each in grown.items()
    }
    levels = {probe: leaking(each, SAMPLES[2] + 1) for probe, each in grown.items()}
    return Growing(HUNT, trial(levels, arm="look 3"), judged)


def container(path: str, kind: str = "list", **more: Any) -> dict[str, Any]:
    return {
        "path": path,
        "type": kind,
        "length": 27,
        "unit": "1",
        "entry_type": "bytes",
        "can_close": False,
        "is_users": True,
        "series": rising(1),
        "entry_bytes": float(EACH),
        "site": "app/cache.py:41 (lookup)",
        **more,
    }


def seen(
    containers: Sequence[Mapping[str, Any]] = (), *, python: float = EACH, readings: int = READINGS, **more: Any
) -> Trial:
    """The trial of an attribution."""
    told = {
        "sites": [{"site": "app/cache.py:41 (lookup)", "series": rising(python, readings), "blocks": 24}],
        "traced_bytes": rising(python, readings),
        "traced_heap_bytes": rising(python, readings),
        "held": {},
        "made_at": {},
        "asked_at": {},
        "native": {},
        "calls": CALLS,
        "containers": list(containers),
        "places": [],
        "types": [{"type": "bytes", "count": 24, "growth_bytes": 24 * EACH}],
        "notes": [],
        **more,
    }
    plain = trial({})
    return replace(plain, spec=replace(plain.spec, arm=ATTRIBUTION), facts={"attribution": told})


def cleared(grown: Mapping[str, float]) -> Trial:
    """The trial in which the suspect was cleared after each call."""
    return trial({probe: leaking(each, SAMPLES[2] + 1) for probe, each in grown.items()}, arm=CLEARED)
