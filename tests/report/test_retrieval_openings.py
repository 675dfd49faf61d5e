"""Ways to open the index: opening and first search together, and the one that only looks fast."""

from __future__ import annotations

import pytest

from synapse_perf.model import Metric
from synapse_perf.report.retrieval_openings import openings_section
from tests.report.retrieval_blocks import measured, notes, tables, texts
from tests.report.retrieval_examples import metric, openings, spread


def way(mode: str, open_s: float, first_s: float, state: str = "cold", **labels: str) -> tuple[Metric, ...]:
    stages = {"open+search": open_s + first_s, "open": open_s, "first_search": first_s}
    return tuple(
        metric("retrieval_latency", {"state": state, "open": mode, "stage": stage, **labels}, groups, arm=mode)
        for stage, seconds in stages.items()
        for groups in [[[spread(seconds, i)] for i in range(6)]]
    )


def test_a_row_for_each_way_and_state_in_their_order() -> None:
    rows = tables(openings_section(measured(*reversed(openings()))))[0]
    assert [row[:2] for row in rows] == [
        ["read", "cold"], ["", "cached"], ["mmap", "cold"], ["", "cached"],
        ["ifc", "cold"], ["", "cached"], ["readahead", "cold"], ["", "cached"],
    ]  # fmt: skip
    assert rows[0][2:] == ["46.6 ms", "10.3 ms", "56.9 ms", "55.2–60.3 ms", "9.00 ms", "30.0 MiB"]


def test_a_way_that_opens_fast_and_pays_at_the_first_search_is_a_trap() -> None:
    assert notes(openings_section(measured(*openings()))) == [
        "a trap: opens soon, its first search pays: 7500 major page faults"
    ]


@pytest.mark.parametrize(
    ("mode", "open_s", "first_s"),
    [
        ("slower at both", 0.2, 0.2),
        ("faster at both", 0.01, 0.01),
        ("opens soon and is no later", 0.05, 0.152),
    ],
)
def test_no_other_way_is_a_trap(mode: str, open_s: float, first_s: float) -> None:
    assert notes(openings_section(measured(*way("read", 0.1, 0.1), *way(mode, open_s, first_s)))) == []


def test_the_soonest_is_named_with_those_that_overlap() -> None:
    alike = openings_section(measured(*way("read", 0.1, 0.1), *way("mmap", 0.1, 0.101), *way("ifc", 0.1, 0.5)))
    assert "First result soonest from a cold page cache: read, mmap (intervals overlap)." in texts(alike)
    apart = openings_section(measured(*way("read", 0.1, 0.1), *way("mmap", 0.1, 0.2)))
    assert "First result soonest from a cold page cache: read." in texts(apart)


def test_one_way_is_compared_with_nothing() -> None:
    assert "soonest" not in texts(openings_section(measured(*way("read", 0.1, 0.1))))


def test_an_index_that_was_not_proven_cold_says_so() -> None:
    rows = tables(openings_section(measured(*way("read", 0.1, 0.1, cache="uncertified"))))[0]
    assert rows[0][1] == "not certified cold"


def test_what_was_not_measured_has_no_section() -> None:
    assert openings_section(measured()) is None
