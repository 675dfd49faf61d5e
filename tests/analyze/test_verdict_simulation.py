"""Is the verdict of a whole run of tier-latency right as often as it says, and there soon where it is clear?

40 runs of each kind with ten processes at most, so that this takes seconds; `tests/bench/test_latency_verdicts.py` has
more. The decision itself is simulated 10,000 times in `test_decision_simulation`.
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.analyze.verdict_simulation import SHAPES, Row, format_rows, simulate_rows

RUNS = 40
PROCESSES = 10  # of 15 queries: 150


@cache
def rows() -> tuple[Row, ...]:
    found = simulate_rows(RUNS, scales=(0.5, 0.95, 1.05, 2.0), processes=PROCESSES)
    print(f"\n{format_rows(found)}")  # noqa: T201
    return tuple(found)


def test_a_verdict_is_wrong_at_most_as_often_as_stated() -> None:
    assert [row for row in rows() if row.wrong > 0.05 * RUNS] == []


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_half_and_twice_the_limit_are_decided_within_150_queries(scale: float) -> None:
    assert [row.soon for row in rows() if row.scale == scale] == [RUNS] * len(SHAPES)
