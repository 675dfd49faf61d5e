"""How often is a gate wrong, over a thousand whole gates of each kind of noise, and rules of other tools on the same?

``python -m tests.bench.gate_rates`` simulates what is missing under build/ and writes ``gate_rates.json`` beside this
file, from which the README's table is made. Seeded: the same figures each time.
"""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

from synapse_perf.analyze.gate_paired import Rules
from tests.analyze.gate_simulation import (
    LOADED,
    LOADED_WAITING,
    MACHINES,
    SLOWED,
    Machine,
    gates,
    peer_rates,
    variants,
)

GATES = 1000
SEED = 11
SLOWER = 0.10
COMMITTED = Path(__file__).with_name("gate_rates.json")
KEPT = Path(__file__).parents[2] / "build" / "gate-simulation"
EVERY = [each for one in MACHINES for each in variants(one)]
IDENTICAL_BESIDE_OTHERS = 4000
BESIDE_OTHERS = [(LOADED, 0.0), (LOADED, 0.10), (LOADED, 0.20), (LOADED, 0.50), (LOADED_WAITING, 0.50)]
UNCONFIRMED = Rules(alone=Rules().alarm)  # as if the clock were always believed


def outcomes(machine: Machine, slowdown: float) -> dict[str, int]:
    """Gates with an alarm of a metric that did not change, what became of the slowed one, and pairs of all gates."""
    kept = KEPT / f"{machine.name.replace(' ', '-')}-{slowdown:g}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    found: Counter[str] = Counter()
    for outcome in gates(machine, GATES, seed=SEED, slowdown=slowdown):
        found["false alarms"] += any(name != SLOWED or slowdown == 0 for name in outcome.alarms)
        found["undecided gates"] += any(one.status == "inconclusive" for one in outcome.judgements)
        found[outcome.status_of(SLOWED)] += 1
        found["pairs"] += outcome.pairs
    _keep(kept, found)
    return dict(found)


def peers(machine: Machine) -> dict[str, list[int]]:
    """By rule: gates of identical code with an alarm, and gates in which the slowed metric was found."""
    kept = KEPT / f"{machine.name.replace(' ', '-')}-peers.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    rates = peer_rates(machine, GATES, SEED)
    counts = {name: [round(rate * GATES) for rate in both] for name, both in rates.items()}
    _keep(kept, counts)
    return counts


def figures(machine: Machine) -> dict[str, Any]:
    """Everything of one kind of noise."""
    return {
        "machine": machine.name,
        "identical": outcomes(machine, 0.0),
        "slowed": outcomes(machine, SLOWER),
        "peers": peers(machine),
    }


def beside_others(machine: Machine, slowdown: float, *, is_confirmed: bool) -> dict[str, int]:
    """Gates that fail, and those of them by the clock, with and without asking the processor time."""
    asked = "confirmed" if is_confirmed else "unconfirmed"
    kept = KEPT / f"{machine.name.replace(' ', '-')}-{slowdown:g}-{asked}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    found: Counter[str] = Counter()
    count = GATES if slowdown else IDENTICAL_BESIDE_OTHERS
    for outcome in gates(machine, count, SEED, slowdown, Rules() if is_confirmed else UNCONFIRMED):
        found["gates"] += 1
        found["failed"] += outcome.is_red
        found["by the clock"] += any(name.startswith("metric") for name in outcome.alarms)
        found["unchanged"] += outcome.status_of(SLOWED) == "unchanged"
        found["pairs"] += outcome.pairs
    _keep(kept, found)
    return dict(found)


def both_ways(machine: Machine, slowdown: float) -> dict[str, Any]:
    return {
        "machine": machine.name,
        "slower": slowdown,
        "unconfirmed": beside_others(machine, slowdown, is_confirmed=False),
        "confirmed": beside_others(machine, slowdown, is_confirmed=True),
    }


def _keep(path: Path, found: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, sort_keys=True))


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        rows = pool.map(figures, EVERY, chunksize=1)
        beside = pool.starmap(both_ways, BESIDE_OTHERS, chunksize=1)
    found = {"gates": GATES, "seed": SEED, "slower": SLOWER, "machines": rows, "beside others": beside}
    COMMITTED.write_text(json.dumps(found, indent=1) + "\n")
