"""Does the error that is spent at all looks together stay within what was promised?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from synapse_perf.analyze.boundary import nominal_level, sign_boundary, spent

ERRORS = [(Fraction(1, 20), 0.05), (Fraction(1, 10), 0.10), (Fraction(1, 100), 0.01)]


def crossing_chance(error: float, last: int, first: int = 6) -> list[Fraction]:
    """Chance of having crossed by each look, over every path of fair coins, counted exactly."""
    alive, crossed, by_look = {0: 1}, Fraction(0), [Fraction(0)]
    for processes in range(1, last + 1):
        paths: dict[int, int] = {}
        for count, number in alive.items():
            for over in (0, 1):
                paths[count + over] = paths.get(count + over, 0) + number
        boundary = sign_boundary(processes, error, first)
        crossed += Fraction(sum(number for count, number in paths.items() if count <= boundary), 2**processes)
        alive = {count: number for count, number in paths.items() if count > boundary}
        by_look.append(crossed)
    return by_look


@pytest.mark.parametrize(("exact", "error"), ERRORS)
def test_all_paths_that_cross_by_any_look_spend_no_more_than_planned(exact: Fraction, error: float) -> None:
    chances = crossing_chance(error, 150)
    assert all(chance <= exact * n / (n + 12) for n, chance in enumerate(chances))
    assert chances[-1] < exact


def test_enumeration_of_single_paths_agrees_with_the_count_of_paths() -> None:
    """Every one of the 2 ** 14 sequences by itself."""
    last = 14
    crossing = 0
    for bits in range(2**last):
        counts = np.cumsum([(bits >> place) & 1 for place in range(last)])
        crossing += any(counts[n - 1] <= sign_boundary(n, 0.05) for n in range(1, last + 1))
    assert Fraction(crossing, 2**last) == crossing_chance(0.05, last)[-1]


def test_the_boundary_leaves_nothing_unused_that_one_more_count_could_take() -> None:
    """One more over the limit at any look would break the plan at that look."""
    alive, used = [1.0], 0.0
    for processes in range(1, 61):
        alive = [(a + b) / 2 for a, b in zip([0.0, *alive], [*alive, 0.0], strict=True)]
        boundary = sign_boundary(processes, 0.05)
        used += sum(alive[: boundary + 1])
        if processes >= 6:
            assert used + alive[boundary + 1] > spent(processes, 0.05)
        alive[: boundary + 1] = [0.0] * (boundary + 1)


@pytest.mark.parametrize(
    ("processes", "boundary"), [(5, -1), (6, 0), (9, 0), (10, 1), (14, 2), (20, 4), (30, 7), (60, 19)]
)
def test_boundary_at_95_per_cent(processes: int, boundary: int) -> None:
    assert sign_boundary(processes, 0.05) == boundary


def test_six_of_six_is_no_evidence_at_99_per_cent() -> None:
    assert [sign_boundary(n, 0.01) for n in (6, 7, 8)] == [-1, -1, 0]


def test_the_first_look_may_use_all_that_is_spent_by_then() -> None:
    assert nominal_level(6, 0.05) == pytest.approx(0.05 / 3)
    assert nominal_level(3, 0.05, first=3) == pytest.approx(0.01)
    assert nominal_level(5, 0.05) == 0.0


def test_levels_keep_the_error_of_a_normal_walk() -> None:
    """Simulation: a random walk that is tested at its level at every look from 6 to 60."""
    rng = np.random.default_rng(7)
    steps = rng.standard_normal((40_000, 60)).cumsum(axis=1) / np.sqrt(np.arange(1, 61))
    from scipy import special

    thresholds = -special.ndtri([nominal_level(n, 0.05) if n >= 6 else 0.0 for n in range(1, 61)])
    crossed = (steps >= thresholds).any(axis=1).mean()
    assert crossed == pytest.approx(spent(60, 0.05), abs=0.004)  # 4 standard errors


def test_levels_do_not_depend_on_how_far_ahead_is_planned() -> None:
    assert nominal_level(64, 0.05) == pytest.approx(nominal_level(65, 0.05), rel=0.03)
    assert nominal_level(401, 0.05) < nominal_level(400, 0.05)
