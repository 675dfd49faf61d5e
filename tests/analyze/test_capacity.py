from __future__ import annotations

import pytest

from synapse_perf.analyze.capacity import SizedLatency, capacity

CALL_S = 5e-6


def _sizes(power: float, *, noise: tuple[float, ...] = (1, 1, 1), error: float = 0.03) -> list[SizedLatency]:
    sizes = [6250, 25_000, 100_000]
    values = [CALL_S + 1e-3 * (size / 100_000) ** power * factor for size, factor in zip(sizes, noise, strict=True)]
    return [
        SizedLatency(size, value, value * (1 - error), value * (1 + error))
        for size, value in zip(sizes, values, strict=True)
    ]


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_the_size_at_which_a_known_power_meets_the_budget(power: float) -> None:
    found = capacity(_sizes(power), CALL_S, CALL_S + 3e-3)
    assert found.vectors == pytest.approx(100_000 * 3 ** (1 / power), rel=1e-6)
    assert (found.low or 0) < (found.vectors or 0) < (found.high or 0)


def test_larger_errors_make_the_interval_wider() -> None:
    precise, vague = (capacity(_sizes(1.0, error=error), CALL_S, 3e-3) for error in (0.02, 0.1))
    assert (vague.high or 0) - (vague.low or 0) > (precise.high or 0) - (precise.low or 0)


def test_sizes_that_fit_no_power_make_it_wider_as_well() -> None:
    straight, bent = (capacity(_sizes(1.0, noise=noise), CALL_S, 3e-3) for noise in ((1, 1, 1), (1, 1.4, 1)))
    assert (bent.high or 0) - (bent.low or 0) > (straight.high or 0) - (straight.low or 0)


def test_a_budget_that_is_broken_already_lies_below_the_sizes() -> None:
    found = capacity(_sizes(1.0), CALL_S, CALL_S + 5e-4)
    assert found.vectors == pytest.approx(50_000, rel=0.01)


def test_a_search_that_does_not_grow_cannot_tell() -> None:
    found = capacity(_sizes(0.0), CALL_S, 3e-3)
    assert found.vectors is None
    assert "cannot tell" in found.reason


def test_what_lies_too_far_beyond_the_sizes_is_only_bounded_from_below() -> None:
    found = capacity(_sizes(0.5), CALL_S, 1.0)
    assert found.vectors is None
    assert found.low == 3_000_000
    assert "3 000 000" in found.reason


def test_two_sizes_and_a_budget_below_the_call_tell_nothing() -> None:
    assert "3 sizes" in capacity(_sizes(1.0)[:2], CALL_S, 3e-3).reason
    assert "the call alone" in capacity(_sizes(1.0), CALL_S, 4e-6).reason
