from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.analyze.cache_bounds import hit_rates, stack_distances

STREAMS = st.lists(st.integers(0, 12), max_size=80)


def hits_of_a_cache(keys: Sequence[int], bound: int) -> int:
    """A least-recently-used cache as one is written."""
    entries: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for key in keys:
        if key in entries:
            hits += 1
            entries.move_to_end(key)
            continue
        entries[key] = None
        if len(entries) > bound:
            entries.popitem(last=False)
    return hits


@given(STREAMS, st.integers(1, 15))
def test_hit_rates_are_those_of_a_cache_of_that_size(keys: list[int], bound: int) -> None:
    rate = hit_rates(keys).within(bound)

    assert round(rate * len(keys)) == hits_of_a_cache(keys, bound)


@given(STREAMS)
def test_without_a_bound_every_repetition_hits(keys: list[int]) -> None:
    repeated = len(keys) - len(set(keys))

    assert round(hit_rates(keys).unbounded * len(keys)) == repeated


@given(STREAMS, st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_the_smallest_bound_keeps_the_hit_rate_and_one_less_does_not(keys: list[int], keeps: float) -> None:
    rates = hit_rates(keys)
    bound = rates.smallest_bound(keeps)

    def loss(entries: int) -> float:
        return rates.unbounded - (hits_of_a_cache(keys, entries) / len(keys) if entries and keys else 0.0)

    assert loss(bound) <= keeps + 1e-9
    assert bound == 0 or loss(bound - 1) > keeps


def test_a_stream_by_hand() -> None:
    keys = ["a", "b", "c", "a", "a", "b", "d", "c"]

    assert stack_distances(keys) == [None, None, None, 3, 1, 3, None, 4]
    rates = hit_rates(keys)
    assert [rates.within(bound) for bound in range(6)] == [0, 1 / 8, 1 / 8, 3 / 8, 4 / 8, 4 / 8]
    assert rates.smallest_bound() == 4
    assert rates.smallest_bound(keeps=1 / 8) == 3


def test_queries_that_never_come_again_need_no_cache() -> None:
    rates = hit_rates(range(50))

    assert (rates.unbounded, rates.smallest_bound()) == (0.0, 0)


def test_one_query_again_and_again_needs_one_entry() -> None:
    rates = hit_rates([7] * 100)

    assert (rates.unbounded, rates.smallest_bound()) == (0.99, 1)


def test_a_cycle_needs_all_of_it() -> None:
    """One entry less, and a least-recently-used cache never hits."""
    rates = hit_rates([*range(20)] * 5)

    assert (rates.within(19), rates.within(20)) == (0.0, 0.8)
    assert rates.smallest_bound() == 20


def test_an_empty_stream_is_no_error() -> None:
    assert hit_rates([]).unbounded == 0.0
