"""How often are whole hunts wrong on series whose truth is known? Caches that fill, noise, and leaks of several kinds.

``python -m tests.analyze.leak_simulation RUNS FIRST_SEED`` prints the table; every look is a series of its own, as each
is a process of its own.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from synapse_perf.analyze.leak_thresholds import FLOOR_BYTES, LOOKS
from synapse_perf.analyze.leak_verdict import is_steady_leak, judge, samples_of_look
from synapse_perf.model import LeakStatus

KB = 1000.0
FRAGMENTED = 285 * KB  # the spread that random long-lived blocks make
PIECE = 100 * KB

Draw = np.random.Generator
Make = Callable[[Draw, int], Sequence[float]]  # the levels of one look of so many iterations


@dataclass(frozen=True, slots=True)
class Population:
    """A kind of series; `leaks` is the truth."""

    name: str
    leaks: bool
    make: Make


def hunt(population: Population, draw: Draw) -> LeakStatus:
    """The verdict after as many looks as the plan would ask for."""
    was_steady = False
    for look in range(len(LOOKS)):
        judged = judge(population.make(draw, samples_of_look(look)), "B", FLOOR_BYTES, was_steady=was_steady)
        was_steady = is_steady_leak(judged)
        if not judged.wants_longer:
            break
    return judged.status


def simulate(population: Population, runs: int, seed: int) -> Counter[str]:
    draw = np.random.default_rng([seed, *population.name.encode()])
    return Counter(hunt(population, draw) for _ in range(runs))


# --- caches that fill ------------------------------------------------------------------------------------------------


def by_chance(slowness: float, rate: float) -> Make:
    """Keys come by chance, `rate` in an iteration; it fills with a time constant of so many iterations."""

    def make(draw: Draw, count: int) -> list[float]:
        entries, known, levels = max(2, round(rate * slowness)), set[int](), []
        for drawn in draw.poisson(rate, count):
            known.update(draw.integers(entries, size=drawn).tolist())
            levels.append(PIECE * len(known))
        return levels

    return make


def in_power_law(tail: float, entries: int, keys: int, size: Callable[[Draw], float]) -> Make:
    """A few keys are asked for again and again, of many others each but once; what was asked for longest ago goes.

    `tail`: of the distribution of the keys; their popularity falls with the power 1 + `tail`.
    """

    def make(draw: Draw, count: int) -> list[float]:
        kept, held, levels = OrderedDict[int, float](), 0.0, []
        for _ in range(count):
            for key in (1 + draw.pareto(tail, keys)).clip(max=1e15).astype(int).tolist():
                if key not in kept:
                    kept[key] = size(draw)
                    held += kept[key]
                kept.move_to_end(key)
                if len(kept) > entries:
                    held -= kept.popitem(last=False)[1]
            levels.append(held)
        return levels

    return make


def alike(draw: Draw) -> float:
    return PIECE


def exponential(draw: Draw) -> float:
    return float(draw.exponential(PIECE))


def lognormal(draw: Draw) -> float:
    """Half of all bytes are in one of fourteen values."""
    return float(PIECE * draw.lognormal(-1.125, 1.5))


SIZES = {"alike": alike, "exponential": exponential, "lognormal": lognormal}


def smoothly(slowness: float) -> Make:
    return lambda draw, count: [PIECE * slowness * (1 - math.exp(-place / slowness)) for place in range(count)]


def until(full_at: int) -> Make:
    return lambda draw, count: [PIECE * min(place, full_at) for place in range(count)]


# --- noise and steps -------------------------------------------------------------------------------------------------


def wobbling(spread: float, lasting: float, each: float = 0.0) -> Make:
    """Noise about a line; each value keeps so much of the one before."""

    def make(draw: Draw, count: int) -> list[float]:
        level, levels = 0.0, []
        for place, fresh in enumerate(draw.normal(0, spread * math.sqrt(1 - lasting**2), count)):
            level = lasting * level + float(fresh)
            levels.append(each * place + level)
        return levels

    return make


def fragments(each: float = 0.0) -> Make:
    """64 places, of which 16 change their size in an iteration."""

    def make(draw: Draw, count: int) -> list[float]:
        places, levels = np.zeros(64), []
        for place in range(count):
            places[draw.integers(64, size=16)] = draw.integers(1_000, 60_000, 16)
            levels.append(float(places.sum()) + each * place)
        return levels

    return make


def steps(number: int) -> Make:
    def make(draw: Draw, count: int) -> list[float]:
        places = draw.integers(0, count, number)
        return [1000 * KB * float((places <= place).sum()) for place in range(count)]

    return make


# --- leaks -----------------------------------------------------------------------------------------------------------


def now_and_then(chance: float, each: float) -> Make:
    """On average `each` in an iteration, in pieces that come by chance."""
    return lambda draw, count: [float(one) for one in np.cumsum(draw.random(count) < chance) * each / chance]


def of_every_size(each: float) -> Make:
    return lambda draw, count: [float(one) for one in np.cumsum(draw.exponential(each, count))]


def lognormally(each: float, spread: float) -> Make:
    return lambda draw, count: np.cumsum(each * draw.lognormal(-(spread**2) / 2, spread, count)).tolist()


def in_every(nth: int, each: float) -> Make:
    return lambda draw, count: [nth * each * (place // nth) for place in range(count)]


def behind_a_step(each: float, size: float) -> Make:
    def make(draw: Draw, count: int) -> list[float]:
        first = int(draw.integers(count))
        return [each * place + size * (place >= first) for place in range(count)]

    return make


def in_a_buffer(each: float) -> Make:
    """A buffer that is enlarged by an eighth each time that it is full."""

    def make(draw: Draw, count: int) -> list[float]:
        room, levels = 0.0, []
        for place in range(1, count + 1):
            room = room if room >= each * place else each * place * 1.125
            levels.append(room)
        return levels

    return make


def populations() -> Iterator[Population]:
    for slowness in (10, 20, 35, 50, 75, 100, 150):
        for rate in (0.5, 2.0, 5.0):
            yield Population(f"cache by chance, {slowness} iterations, {rate:g} keys", False, by_chance(slowness, rate))
    for slowness in (30, 60, 100, 150, 300):
        yield Population(f"cache that fills smoothly, {slowness} iterations", False, smoothly(slowness))
    for tail in (0.5, 0.7, 1.0):
        for entries in (64, 128, 256):
            for sized, draw_size in SIZES.items():
                name = f"cache of keys in a power law, {tail:g}, {entries} entries, {sized}"
                yield Population(name, False, in_power_law(tail, entries, 3, draw_size))
    for full_at in (20, 40, 60, 80, 128, 150):
        yield Population(f"cache that is full after {full_at}", False, until(full_at))
    yield Population("noise", False, wobbling(FRAGMENTED, 0))
    yield Population("noise that lasts, 0.5", False, wobbling(FRAGMENTED, 0.5))
    yield Population("noise that lasts, 0.9", False, wobbling(FRAGMENTED, 0.9))
    yield Population("fragments", False, fragments())
    yield Population("two steps", False, steps(2))
    for size in (100 * KB, 1000 * KB):
        told = f"leak of {size / KB:.0f} KB"
        yield Population(f"{told}, exact", True, wobbling(0, 0, size))
        yield Population(f"{told} in noise", True, wobbling(FRAGMENTED, 0, size))
        yield Population(f"{told} in noise that lasts, 0.5", True, wobbling(FRAGMENTED, 0.5, size))
        yield Population(f"{told} in noise that lasts, 0.9", True, wobbling(FRAGMENTED, 0.9, size))
        yield Population(f"{told} in fragments", True, fragments(size))
        yield Population(f"{told} in a buffer", True, in_a_buffer(size))
        yield Population(f"{told} behind a step", True, behind_a_step(size, 5 * size))
        yield Population(f"{told} of every size", True, of_every_size(size))
        yield Population(f"{told} of lognormal sizes, 1", True, lognormally(size, 1.0))
        yield Population(f"{told} of lognormal sizes, 1.5", True, lognormally(size, 1.5))
        yield Population(f"{told} by chance in one of 2", True, now_and_then(0.5, size))
        yield Population(f"{told} by chance in one of 4", True, now_and_then(0.25, size))
        yield Population(f"{told} in every 4th", True, in_every(4, size))
        yield Population(f"{told} in every 10th", True, in_every(10, size))


def main(runs: int, seed: int) -> None:
    for one in populations():
        found = simulate(one, runs, seed)
        shares = (f"{100 * found[status] / runs:5.1f} % {status}" for status in ("leak", "inconclusive", "clean"))
        sys.stdout.write(f"{one.name:62} {', '.join(shares)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
