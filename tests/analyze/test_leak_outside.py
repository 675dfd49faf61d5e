"""What may be said of memory that was watched from outside: rises, saw-teeth, steps, and clients that are silent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from synapse_perf.analyze.leak_outside import judge_outside
from synapse_perf.analyze.leak_thresholds import FLOOR_COUNT, FLOOR_PAGES
from synapse_perf.analyze.leak_verdict import Judged, judge

MIB = 1024**2


def judged(levels: Sequence[float], unit: str = "B", **facts: float) -> Judged:
    inside = judge(levels, unit, FLOOR_PAGES if unit == "B" else FLOOR_COUNT)
    return judge_outside(levels, inside, facts, unit)


def saw_tooth(samples: int, tooth: int, each: float = MIB, leak: float = 0.0) -> list[float]:
    """Garbage that is collected once there is a tooth's worth of it."""
    return [(place % tooth) * each + place * leak for place in range(samples)]


def test_a_steady_rise_is_a_leak_only_in_the_longest_look() -> None:
    rise = [place * MIB for place in range(92)]

    assert (judged(rise[:46]).status, judged(rise[:46]).wants_longer) == ("inconclusive", True)
    assert judged(rise).status == "leak"
    assert "leak-hunt pkg.module:function" in judged(rise).reason


@pytest.mark.parametrize("samples", [23, 46, 92])
@pytest.mark.parametrize("tooth", [5, 12, 23, 40, 60, 75])
def test_garbage_that_is_collected_now_and_then_is_never_a_leak(samples: int, tooth: int) -> None:
    for phase in range(0, tooth, 3):
        series = saw_tooth(samples + phase, tooth)[phase:]
        fell = any(later < earlier for earlier, later in pairwise(series))
        assert not fell or judged(series).status != "leak"


def test_a_tooth_hides_a_leak_as_large_as_itself_over_its_length_and_says_so() -> None:
    """It rose for most of the look, fell back to where it began, and so nothing was left."""
    series = [0.0] * 12 + [place * MIB for place in range(78)] + [0.0, 0.0]
    found = judged(series)

    assert found.status == "clean"
    assert "fell back by" in found.reason
    assert (found.smallest or 0) >= 0.9 * MIB


def test_what_is_left_after_a_fall_is_undecided() -> None:
    found = judged(saw_tooth(92, 40, leak=MIB))

    assert found.status == "inconclusive"
    assert "were left" in found.reason


def test_a_leak_that_is_lost_in_saw_teeth_is_below_what_would_have_been_seen() -> None:
    found = judged(saw_tooth(92, 40, leak=0.3 * MIB))

    assert found.status == "clean"
    assert "fell back by" in found.reason
    assert (found.smallest or 0) > 0.3 * MIB


def test_a_flat_level_with_a_little_noise_fell_nowhere() -> None:
    found = judged([place % 3 * 4096.0 for place in range(23)])

    assert (found.status, found.reason, found.wants_longer) == ("clean", "no growth with the iterations", False)


@pytest.mark.parametrize("seed", range(20))
def test_noise_about_a_leak_is_no_fall(seed: int) -> None:
    noise = random.Random(seed)
    series = [place * 0.3 * MIB + noise.gauss(0, 0.3 * MIB) for place in range(92)]

    assert judged(series).status == "leak"


def test_a_step_of_pages_asks_for_a_longer_look_and_is_the_resolution() -> None:
    """Arenas come in one piece: one of them in a short look may be the first of many."""
    series = [0.0] * 12 + [2.0 * MIB] * 11
    found = judged(series)

    assert (found.status, found.wants_longer) == ("clean", True)
    assert (found.smallest or 0) >= 2 * 2 * MIB / 20


def test_arenas_that_come_again_and_again_are_not_clean() -> None:
    """100 KiB each, which the process asks the system for 2 MiB at a time."""
    series = [place * 100 * 1024 // (2 * MIB) * 2.0 * MIB for place in range(92)]

    assert judged(series[:23]).wants_longer
    assert judged(series).status in ("inconclusive", "leak")


def test_counts_are_judged_as_within_a_process() -> None:
    assert judged([float(place) for place in range(46)], "1").status == "leak"
    assert judged([5.0] * 46, "1").status == "clean"


@pytest.mark.parametrize(
    ("held", "silent_s", "status"),
    [(23, 45.0, "leak"), (23, 10.0, "inconclusive"), (0, 45.0, "clean"), (0, 10.0, "clean")],
)
def test_silent_clients_need_one_look_that_is_long_enough(held: int, silent_s: float, status: str) -> None:
    series = [float(min(place, held)) for place in range(1, 24)]
    found = judged(series, "1", silent_for_s=silent_s)

    assert (found.status, found.wants_longer) == (status, False)
