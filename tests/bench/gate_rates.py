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

from tests.analyze.gate_simulation import MACHINES, SLOWED, Machine, gates, peer_rates, variants

GATES = 1000
SEED = 11
SLOWER = 0.10
COMMITTED = Path(__file__).with_name("gate_rates.json")
KEPT = Path(__file__).parents[2] / "build" / "gate-simulation"
EVERY = [each for one in MACHINES for each in variants(one)]


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


def _keep(path: Path, found: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, sort_keys=True))


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        rows = pool.map(figures, EVERY, chunksize=1)
    COMMITTED.write_text(
        json.dumps({"gates": GATES, "seed": SEED, "slower": SLOWER, "machines": rows}, indent=1) + "\n"
    )
