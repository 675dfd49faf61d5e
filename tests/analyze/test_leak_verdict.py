"""Which series is called a leak? Planted leaks of several kinds and sizes, and what only looks like one."""

from __future__ import annotations

import math
import random
from itertools import accumulate

import pytest

from synapse_perf.analyze.leak_thresholds import FLOOR_BYTES, FLOOR_COUNT
from synapse_perf.analyze.leak_verdict import Judged, goes_on, judge, judged_part, samples_of_look, smallest_seen
from tests.analyze.leak_simulation import populations, simulate
from tests.analyze.made_leaks import KB, SAMPLES, filling, filling_by_chance, leaking, noisy, sawtooth

SIMULATED = {one.name: one for one in populations()}
FRAGMENTED = 285 * KB  # the spread that random long-lived blocks make


def of_bytes(levels: list[float]) -> Judged:
    return judge(levels, "B", FLOOR_BYTES)


def of_count(levels: list[float]) -> Judged:
    return judge(levels, "1", FLOOR_COUNT)


def test_the_looks_are_20_40_80_160_and_640_after_their_warm_ups() -> None:
    assert tuple(samples_of_look(look) for look in range(5)) == SAMPLES
    assert [len(judged_part([0.0] * count)) for count in SAMPLES] == [20, 40, 80, 160, 640]


# --- leaks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [10 * KB, 100 * KB, 1000 * KB])
def test_a_steady_leak_is_doubted_once_and_then_told_with_its_rate(each: float) -> None:
    first, second, third, last = (of_bytes(leaking(each, count, 3, spread=KB)) for count in SAMPLES[:4])

    assert (first.status, first.wants_longer) == ("inconclusive", True)
    assert (second.status, second.wants_longer) == (third.status, third.wants_longer) == ("leak", True)
    assert (last.status, last.wants_longer) == ("leak", False)
    assert last.slope is not None
    assert last.slope.low <= each <= last.slope.high


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_found_in_the_noise_of_a_fragmented_heap(seed: int) -> None:
    assert of_bytes(leaking(1000 * KB, SAMPLES[1], seed, FRAGMENTED)).status == "leak"


def test_a_leak_in_every_fourth_iteration_is_one() -> None:
    assert of_bytes([400.0 * KB * (place // 4) for place in range(SAMPLES[1])]).status == "leak"


def test_a_leak_in_every_tenth_iteration_is_looked_at_longer_and_found() -> None:
    """In a short look most pairs of points see no growth at all."""
    first, _, third = (of_bytes([1e6 * (place // 10) for place in range(count)]) for count in SAMPLES[:3])

    assert (first.status, first.wants_longer) == ("inconclusive", True)
    assert "a few steps" in first.reason
    assert third.status == "leak"


@pytest.mark.parametrize("every", [1, 2, 5])
def test_one_descriptor_in_a_few_iterations_is_a_leak(every: int) -> None:
    assert of_count([float(place // every) for place in range(SAMPLES[1])]).status == "leak"


def test_a_leak_of_descriptors_needs_no_fourth_look() -> None:
    judged = of_count([float(place) for place in range(SAMPLES[2])])

    assert (judged.status, judged.wants_longer) == ("leak", False)


def test_beside_a_confirmed_leak_only_doubts_ask_for_a_longer_look() -> None:
    counted, steady = of_count(leaking(1, SAMPLES[2])), of_bytes(leaking(100 * KB, SAMPLES[2]))
    doubtful = of_bytes(filling_by_chance(1, SAMPLES[0]))

    assert goes_on([steady])
    assert not goes_on([steady, counted])
    assert goes_on([steady, counted, doubtful])
    assert goes_on([of_bytes(leaking(100 * KB, SAMPLES[1])), counted])


# --- what only looks like one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", SAMPLES)
def test_nothing_is_clean_and_would_have_shown_a_leak_of_the_floor(count: int) -> None:
    judged = of_bytes([0.0] * count)

    assert judged.status == "clean"
    assert judged.smallest == pytest.approx(1.1 * FLOOR_BYTES)


@pytest.mark.parametrize("seed", range(30))
def test_noise_is_clean(seed: int) -> None:
    assert all(of_bytes(noisy(seed, count, FRAGMENTED)).status == "clean" for count in SAMPLES[1:4])


def test_a_drift_of_a_hundred_bytes_is_clean_however_sure_it_is() -> None:
    assert of_bytes(leaking(100.0, SAMPLES[1])).status == "clean"


@pytest.mark.parametrize("place", [8, 20, 40])
def test_one_lazy_initialisation_is_clean_and_told(place: int) -> None:
    judged = of_bytes([30e6 * (number >= place) for number in range(SAMPLES[1])])

    assert judged.status == "clean"
    assert ("once by 28.6 MiB" in judged.reason) == (place >= 8)


@pytest.mark.parametrize("full_at", [5, 20, 30, 40])
def test_a_cache_that_fills_is_never_a_leak_and_clean_in_the_end(full_at: int) -> None:
    assert of_bytes(filling(SAMPLES[1], full_at)).status in ("clean", "inconclusive")
    assert of_bytes(filling(SAMPLES[2], full_at)).status == "clean"


@pytest.mark.parametrize("full_at", [92, 128, 150])
def test_a_cache_of_the_usual_size_looks_like_a_leak_until_the_fourth_look(full_at: int) -> None:
    looks = [of_bytes(filling(count, full_at)) for count in SAMPLES]
    last = next(look for look in looks if not look.wants_longer)

    assert looks[2].status == "leak"
    assert last.status == "clean"


@pytest.mark.parametrize("seed", range(40))
def test_a_cache_that_fills_by_chance_is_never_a_leak(seed: int) -> None:
    looks = [of_bytes(filling_by_chance(seed, count)) for count in SAMPLES]
    last = next((look for look in looks if not look.wants_longer), looks[-1])

    assert last.status != "leak"


@pytest.mark.parametrize("slowness", [60, 150, 300])
def test_what_slows_down_without_noise_is_seen_however_slowly(slowness: int) -> None:
    levels = [1e7 * (1 - math.exp(-place / slowness)) for place in range(SAMPLES[2])]

    assert of_bytes(levels).status == "inconclusive"
    assert "slower than before" in of_bytes(levels).reason


@pytest.mark.parametrize(
    "name",
    ["cache by chance, 50 iterations, 2 keys", "cache by chance, 100 iterations, 2 keys"],
)
def test_caches_that_fill_slowly_by_chance_are_no_leaks(name: str) -> None:
    """Of 40 whole hunts 2 and 16 told a leak while they were judged by halves without their errors."""
    assert simulate(SIMULATED[name], 6, seed=1)["leak"] == 0


@pytest.mark.parametrize(
    "name",
    [
        "leak of 100 KB in noise",
        "leak of 100 KB in noise that lasts, 0.5",
        "leak of 100 KB in fragments",
        "leak of 100 KB in a buffer",
        "leak of 1000 KB in fragments",
    ],
)
def test_leaks_of_a_hundred_kilobytes_are_found_in_noise(name: str) -> None:
    assert simulate(SIMULATED[name], 5, seed=1)["leak"] == 5


@pytest.mark.parametrize(
    "name",
    [
        "cache of keys in a power law, 0.5, 128 entries, alike",
        "cache of keys in a power law, 0.5, 128 entries, exponential",
        "cache of keys in a power law, 0.7, 64 entries, exponential",
    ],
)
def test_a_cache_whose_keys_are_seldom_equally_popular_is_no_leak(name: str) -> None:
    """Of 80 hunts 24, 25 and 10 told a leak while growth by chance was judged as growth that is even."""
    assert simulate(SIMULATED[name], 5, seed=1)["leak"] == 0


def test_growth_by_chance_is_a_leak_only_after_the_longest_look() -> None:
    draw = random.Random(3)
    levels = list(accumulate(draw.expovariate(1 / 1e5) for _ in range(SAMPLES[-1])))

    *early, last = (of_bytes(levels[:count]) for count in SAMPLES)

    assert {(look.status, look.wants_longer) for look in early} == {("inconclusive", True)}
    assert "by chance, as a bounded cache" in early[-1].reason
    assert (last.status, last.wants_longer) == ("leak", False)


@pytest.mark.parametrize("teeth", [3, 7, 11])
def test_the_collectors_saw_tooth_is_clean(teeth: int) -> None:
    assert of_bytes(sawtooth(SAMPLES[1], teeth=teeth)).status == "clean"


def test_threads_of_a_pool_that_warms_up_are_no_leak() -> None:
    assert of_count([float(min(place, 32)) for place in range(SAMPLES[1])]).status == "clean"
    assert of_count([float(min(place, 32)) for place in range(SAMPLES[2])]).status == "clean"


def test_what_still_grows_but_slower_wants_a_longer_look_until_the_last() -> None:
    growing = [1e7 * place**0.3 for place in range(SAMPLES[-1])]

    *first, last = (of_bytes(growing[:count]) for count in SAMPLES)

    assert {(look.status, look.wants_longer) for look in first} == {("inconclusive", True)}
    assert (last.status, last.wants_longer) == ("inconclusive", False)
    assert "slower than before" in last.reason


def test_too_few_iterations_decide_nothing() -> None:
    judged = of_bytes(leaking(1000 * KB, 8))

    assert (judged.status, judged.slope, judged.wants_longer) == ("inconclusive", None, False)


# --- the smallest leak -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.0, 20.0 * KB, 285.0 * KB])
def test_a_leak_of_the_smallest_size_told_is_seen_nearly_always(spread: float) -> None:
    """Of 100 simulated runs at least 95 do not call it clean."""
    series = judged_part(noisy(0, SAMPLES[1], spread))
    smallest = smallest_seen(series, 0.0, FLOOR_BYTES)

    seen = [of_bytes(leaking(smallest, SAMPLES[1], seed, spread)).status != "clean" for seed in range(1, 101)]

    assert sum(seen) >= 95
