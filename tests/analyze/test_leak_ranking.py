"""One ranking over all hunts: bytes first, the fastest growth first, no memory twice."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.analyze.leak_plan import Hunt
from synapse_perf.analyze.leak_ranking import ranking
from synapse_perf.host.leak_probes import LEFT_MEMORY, ORPHANS
from synapse_perf.model import Result, TrialSpec
from tests.analyze.made_leaks import SAMPLES, leaking
from tests.report.leak_examples import look, result, retained

SWITCH = Hunt("model-switch", "switch", TrialSpec("leak_model_switch", "", {}, {}))
SERVERS = replace(SWITCH, name="servers")
COUNT = SAMPLES[1] + 1


def hunted() -> Result:
    """Models leak 200 kB each time; each third server stays, with 30 MB."""
    left = [float(place // 3) for place in range(COUNT)]
    models = {"heap": leaking(200e3, COUNT), "anonymous": leaking(210e3, COUNT)}
    servers = {"heap": leaking(100, COUNT), "anonymous": leaking(100, COUNT)}
    leftovers = {ORPHANS: left, LEFT_MEMORY: [30e6 * count for count in left]}
    return result((SWITCH, SERVERS), look(SWITCH, models, 1), look(SERVERS, {**servers, **leftovers}, 1))


def test_bytes_come_before_counts_and_the_fastest_first() -> None:
    shown = [(row.hunt, row.probe, row.leak.status) for row in ranking(hunted()) if not row.is_flat]

    assert shown == [
        ("servers", LEFT_MEMORY, "leak"),
        ("model-switch", "heap", "leak"),
        ("servers", "heap", "clean"),
        ("servers", ORPHANS, "leak"),
    ]


def test_the_memory_of_a_hunt_has_one_row() -> None:
    """Of two that both leak the one in use; of which one leaks, that one."""
    pages = {"heap": [0.0] * COUNT, "anonymous": leaking(1e6, COUNT)}
    mapped = result((SWITCH, SERVERS), look(SWITCH, pages, 1), look(SERVERS, {"heap": [0.0] * COUNT}, 1))

    assert [row.probe for row in ranking(mapped) if row.hunt == "model-switch" and row.leak.unit == "B"] == [
        "anonymous"
    ]


def test_what_is_only_retained_is_not_ranked() -> None:
    assert all(row.leak.status == "clean" for row in ranking(retained()))
