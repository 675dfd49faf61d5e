"""What an engine tells of itself stands beside what was measured from outside, and nothing measured is missing."""

from __future__ import annotations

from synapse_perf.model import Metric
from synapse_perf.report.document import Paragraph, Section, Table
from synapse_perf.report.sections import sections_of
from tests.analyze.made_engines import cached, connections, healths, polled, simple, staged
from tests.analyze.made_latencies import Answer, tier
from tests.report.latency_examples import result

TITLE = "The engine around its models"
FREE, BLOCKED = [0.002, 0.003, 0.004], [0.002, 0.003, 0.4]


def sections(*metrics: Metric) -> dict[str, Section]:
    return {one.title: one for one in sections_of(result(*metrics))}


def table(section: Section, place: int) -> list[list[str]]:
    tables = [block for block in section.blocks if isinstance(block, Table)]
    return [[cell.text for cell in row.cells] for row in tables[place].rows]


def test_its_own_figures_stand_beside_those_from_outside() -> None:
    shown = sections(*simple(), *staged())[TITLE]
    assert table(shown, 0) == [
        ["fast", "simple", "1.00 s", "800 ms", "", "", "200 ms", "20.0 %", "13"],
        ["two-stage", "all", "3.50 s", "3.00 s", "1.00 s", "2.00 s", "500 ms", "14.3 %", ""],
    ]
    told = " ".join(block.text for block in shown.blocks if isinstance(block, Paragraph))
    assert "always 0" in told and "cannot be seen from outside" in told


def test_health_during_a_query_stands_beside_idle_and_new_connections_beside_kept_ones() -> None:
    shown = sections(*simple(), *healths(FREE, BLOCKED), *connections(0.001, 0.003))[TITLE]
    assert table(shown, 1) == [
        ["health URL, idle", "18 in 6", "3.00 ms", "", "4.00 ms (most 4.00 ms)"],
        ["health URL, during a query", "18 in 6", "3.00 ms", "1.00×", "400 ms (most 400 ms)"],
        ["on a kept connection", "18 in 6", "1.00 ms", "", "1.00 ms (most 1.00 ms)"],
        ["on a new one", "18 in 6", "3.00 ms", "3.00×", "3.00 ms (most 3.00 ms)"],
    ]


def test_lost_queries_and_cached_ones_are_told() -> None:
    shown = sections(*simple(lost=2), *cached())[TITLE]
    (figures,) = [block for block in shown.blocks if isinstance(block, Table)]
    assert "2 of these were lost" in figures.rows[0].note
    assert any(
        isinstance(block, Paragraph) and "cache" in block.text and "10.0 ms" in block.text for block in shown.blocks
    )


def test_nothing_measured_is_left_over() -> None:
    every = [*simple(), *staged(), *cached(), *polled(), *healths(FREE, FREE), *connections(0.001, 0.003)]
    assert "Measurements" not in sections(*every)


def test_without_an_engine_there_is_no_such_section() -> None:
    assert TITLE not in sections(*tier("fast", "simple", Answer(1, 1)))
