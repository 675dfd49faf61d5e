"""Lazy against preloaded: the cost with its interval, and no cost where none is shown."""

from __future__ import annotations

from synapse_perf.model import Metric
from synapse_perf.report.document import Paragraph, Table
from synapse_perf.report.retrieval_preloading import preloading_blocks, ratio_bounds
from tests.report.retrieval_blocks import fewer, measured
from tests.report.retrieval_examples import first_retrieval, metric


def told(*metrics: Metric) -> str:
    return " ".join(block.text for block in preloading_blocks(measured(*metrics)) if isinstance(block, Paragraph))


def noisy(state: str, factor: float) -> Metric:
    groups = [[factor * seconds] for seconds in (0.01, 0.02, 0.03, 0.04, 0.06, 0.09)]
    return metric("retrieval_latency", {"state": state, "stage": "total"}, groups)


def test_the_cost_is_the_difference_of_the_first_queries() -> None:
    lazy = first_retrieval("cold", {"open": 0.3, "search": 0.1})
    text = told(*lazy, *first_retrieval("preloaded", {"search": 0.1, "preload": 0.35}))
    assert "Lazy loading costs the first query 300 ms (95 % " in text
    assert "The opening itself takes 300 ms (291–318 ms); preloading adds 350 ms to the start." in text


def test_where_the_interval_holds_no_difference_none_is_claimed() -> None:
    text = told(noisy("cold", 1.2), noisy("preloaded", 1.0))
    assert "cannot be told apart" in text
    assert "costs" not in text


def test_preloading_that_made_it_slower_is_told_as_that() -> None:
    lazy = first_retrieval("cold", {"search": 0.1})
    assert "Preloading made the first query slower here, by 100 ms" in told(
        *lazy, *first_retrieval("preloaded", {"search": 0.2})
    )


def test_few_processes_give_a_cost_without_an_interval() -> None:
    lazy = first_retrieval("cold", {"open": 0.3}, count=3)
    assert "too few processes for an interval" in told(*lazy, *first_retrieval("preloaded", {"open": 0.1}, count=3))


def test_one_state_alone_is_no_pair_and_stays_for_another_table() -> None:
    found = measured(*first_retrieval("preloaded", {"search": 0.1}))
    assert preloading_blocks(found) == []
    assert len(found.left()) == 2


def test_the_rows_are_lazy_and_preloaded_with_their_ratio() -> None:
    lazy, preloaded = first_retrieval("cold", {"open": 0.4}), first_retrieval("preloaded", {"search": 0.1})
    table = preloading_blocks(measured(*lazy, *preloaded))[1]
    assert isinstance(table, Table)
    assert [[cell.text for cell in row.cells][:2] for row in table.rows] == [
        ["by the first query (lazy)", "400 ms"],
        ["before it (preloaded)", "100 ms"],
    ]
    assert table.rows[1].cells[-1].text == "0.25× (0.24–0.26)"


def test_bounds_of_several_comparisons_are_wider_and_need_six_processes() -> None:
    one, other = noisy("cold", 1.0), noisy("warm", 1.5)
    alone, several = ratio_bounds(one, other), ratio_bounds(one, other, 5)
    assert alone is not None
    assert several is not None
    assert several[0] < alone[0] < alone[1] < several[1]
    assert ratio_bounds(fewer(one, 5), other) is None
