from __future__ import annotations

import numpy as np
import pytest

from synapse_perf.analyze.paired_percentile import difference, percentile_spread

Group = list[list[float]]


def _pair(rng: np.random.Generator, ratio: float, processes: int = 6, queries: int = 150) -> tuple[Group, Group]:
    """Two indexes over the same queries: some are harder for both, processes differ and meet both alike in part."""
    hardness = rng.lognormal(0, 0.4, queries)
    process = rng.lognormal(0, 0.05, (processes, 1))
    one, other = (
        factor
        * hardness
        * process
        * rng.lognormal(0, 0.03, (processes, 1))
        * rng.lognormal(0, 0.05, (processes, queries))
        for factor in (1.0, ratio)
    )
    return one.tolist(), other.tolist()


def _true_percentile(ratio: float) -> float:
    rng = np.random.default_rng(99)
    spreads = (0.4, 0.05, 0.03, 0.05)
    return ratio * float(np.quantile(np.prod([rng.lognormal(0, one, 1_000_000) for one in spreads], axis=0), 0.95))


def test_the_value_is_the_difference_of_the_percentiles_of_all_latencies() -> None:
    one, other = [[1.0, 2.0, 3.0]] * 6, [[0.5, 1.0, 1.5]] * 6
    assert difference(one, other, 0.95, 0.95).value == 1.5
    assert percentile_spread(one, 0.95, 0.95).value == 3.0


def test_too_few_processes_give_no_interval() -> None:
    found = difference([[1.0, 2.0]] * 5, [[1.0, 1.0]] * 5, 0.95, 0.95)
    assert (found.value, found.low, found.high) == (1.0, None, None)


@pytest.mark.parametrize("ratio", [1.0, 1.3])
def test_the_interval_holds_the_true_difference(ratio: float) -> None:
    rng = np.random.default_rng(11)
    truth = _true_percentile(1.0) - _true_percentile(ratio)
    found = [difference(*_pair(rng, ratio), 0.95, 0.95) for _ in range(100)]
    held = sum((one.low or 0) <= truth <= (one.high or 0) for one in found)
    assert held >= 0.92 * 100


def test_the_interval_of_one_percentile_holds_it() -> None:
    rng = np.random.default_rng(12)
    truth = _true_percentile(1.0)
    found = [percentile_spread(_pair(rng, 1.0)[0], 0.95, 0.95) for _ in range(100)]
    assert sum((one.low or 0) <= truth <= (one.high or 0) for one in found) >= 0.92 * 100


def test_pairing_makes_the_interval_narrower_than_two_separate_ones() -> None:
    one, other = _pair(np.random.default_rng(13), 1.1)
    pair = difference(one, other, 0.95, 0.95)
    apart = [percentile_spread(group, 0.95, 0.95) for group in (one, other)]
    assert (pair.high or 0) - (pair.low or 0) < 0.6 * sum((single.high or 0) - (single.low or 0) for single in apart)
