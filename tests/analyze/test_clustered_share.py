"""The interval of a share of clustered queries: known cases, and its coverage in simulated queues."""

from __future__ import annotations

import random

import pytest

from synapse_perf.analyze.clustered_share import LOST, share_below, share_interval


def queue(count: int, load: float, level: float, draw: random.Random) -> list[float]:
    """Responses of one process: one server, exponential services around its level, Poisson arrivals (D. V. Lindley)."""
    wait, found = 0.0, []
    for _ in range(count):
        service = level * draw.expovariate(1.0)
        found.append(wait + service)
        wait = max(0.0, wait + service - draw.expovariate(load))
    return found


def process(load: float, spread: float, draw: random.Random, count: int = 30) -> list[float]:
    """One process with a level of its own."""
    return queue(count, load, draw.lognormvariate(0.0, spread), draw)


def test_a_share_counts_every_query_of_every_process() -> None:
    assert share_below([[1.0, 3.0], [1.0, LOST, 1.0, 2.0]], 2.0) == pytest.approx(3 / 6)


def test_fewer_than_six_processes_have_no_interval() -> None:
    assert share_interval([[1.0] * 50] * 5, 2.0, 0.95) is None


def test_all_in_time_still_leaves_room_for_some_that_are_not() -> None:
    interval = share_interval([[1.0 + place / 100 for place in range(30)]] * 6, 2.0, 0.95)
    assert interval is not None
    assert 0.93 < interval[0] < 0.98
    assert interval[1] == 1.0


def test_all_lost_is_the_other_way_round() -> None:
    interval = share_interval([[LOST] * 30] * 6, 2.0, 0.95)
    assert interval is not None
    assert interval[0] == 0.0
    assert 0.02 < interval[1] < 0.07


def test_processes_that_differ_make_it_wider() -> None:
    alike = [[1.0] * 20 + [3.0] * 10] * 6
    unlike = [[1.0] * 30] * 4 + [[3.0] * 30] * 2
    narrow, wide = share_interval(alike, 2.0, 0.95), share_interval(unlike, 2.0, 0.95)
    assert narrow is not None
    assert wide is not None
    assert share_below(alike, 2.0) == share_below(unlike, 2.0)
    assert wide[0] < narrow[0] - 0.2
    assert wide[1] > narrow[1] + 0.1


def test_clusters_that_show_only_in_the_middle_count_where_all_are_in_time() -> None:
    """Two of six processes are slow; none of their queries is late yet."""
    alike = [[1.0, 1.6] * 15] * 6
    clustered = [[1.0] * 30] * 3 + [[1.6] * 30] * 3
    narrow, wide = share_interval(alike, 2.0, 0.95), share_interval(clustered, 2.0, 0.95)
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] - 0.1


@pytest.mark.parametrize(("load", "spread", "limit"), [(0.3, 0.05, 3.0), (0.7, 0.05, 5.0), (0.7, 0.2, 8.0)])
def test_it_holds_the_true_share_of_a_queue(load: float, spread: float, limit: float) -> None:
    """The truth is that of many processes; 400 runs leave a deviation of about 0.011 at 95 %."""
    draw = random.Random(20)
    truth = share_below([process(load, spread, draw) for _ in range(8000)], limit)
    held = 0
    for _ in range(400):
        interval = share_interval([process(load, spread, draw) for _ in range(6)], limit, 0.95)
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    assert held / 400 >= 0.92
