"""Series and trials of leak hunts for tests: what a probe would have read over the iterations."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from synapse_perf.analyze.leak_plan import Hunt
from synapse_perf.benchmarks.leak_loop import GROWTH
from synapse_perf.model import Fact, Failure, Measurement, Sample, Trial, TrialSpec

KB = 1000
FREE_BYTES = 1024.0**3
SAMPLES = (23, 46, 92, 184, 736)  # of the looks, with their warm-ups
HUNT = Hunt("app:work", "call", TrialSpec("leak_function", "", {}, {"function": "app:work"}))


def noisy(seed: int, count: int, spread: float) -> list[float]:
    """A level that wobbles, as an allocator's fragments make it."""
    draw = random.Random(seed)
    return [draw.gauss(0, spread) for _ in range(count)]


def leaking(each: float, count: int, seed: int = 0, spread: float = 0.0) -> list[float]:
    return [each * place + noise for place, noise in enumerate(noisy(seed, count, spread))]


def filling(count: int, full_at: int, each: float = 100 * KB) -> list[float]:
    """A cache that is bounded: it grows until it is full."""
    return [each * min(place, full_at) for place in range(count)]


def filling_by_chance(seed: int, count: int, entries: int = 40, drawn: int = 2) -> list[float]:
    """A cache whose keys come by chance: the fuller it is, the fewer are new."""
    draw, known = random.Random(seed), set[int]()
    levels = []
    for _ in range(count):
        known.update(draw.randrange(entries) for _ in range(drawn))
        levels.append(50.0 * KB * len(known))
    return levels


def sawtooth(count: int, each: float = 15e6, teeth: int = 7) -> list[float]:
    """Garbage in cycles that the collector frees every few iterations."""
    return [each * (place % teeth) for place in range(count)]


def trial(
    levels: Mapping[str, Sequence[float]],
    *,
    hunt: Hunt = HUNT,
    arm: str = "look 1",
    calls: int = 1,
    wall_s: float = 2.0,
    failure: Failure | None = None,
    facts: Mapping[str, Fact] = MappingProxyType({}),
) -> Trial:
    """A look at a hunt as its worker would have reported it; each series begins with the level before the first."""
    steps = {probe: [later - earlier for earlier, later in pairwise(series)] for probe, series in levels.items()}
    count = max(map(len, steps.values()), default=0)
    samples = tuple(
        Sample(
            tuple(Measurement(GROWTH, own[place] / calls, {"probe": probe}) for probe, own in steps.items()),
            {"calls": calls, "call_s": 0.1, **facts},
        )
        for place in range(count)
    )
    spec = TrialSpec(hunt.spec.benchmark, arm, {"hunt": hunt.name}, hunt.spec.workload)
    return Trial(spec, 1, samples, wall_s, {"untold": {}, "free_bytes": FREE_BYTES}, failure)
