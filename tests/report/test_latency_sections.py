"""The report of tier-latency: its order, its figures beside their lengths, and that nothing measured is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.model import Check, Metric, Result
from synapse_perf.report.document import Paragraph, Section, Table, Waterfall
from synapse_perf.report.latency_histogram import bars_of
from synapse_perf.report.render import render
from synapse_perf.report.sections import sections_of
from tests.analyze.made_latencies import Answer, apis, first_answers, metric, tier, two_stage, warm_prefix
from tests.report.latency_examples import EXAMPLES, every_tier_every_query, full, result, sample


def section(shown: Result, title: str) -> Section:
    return next(one for one in sections_of(shown) if one.title == title)


def rows(shown: Result, title: str) -> list[list[str]]:
    tables = [block for block in section(shown, title).blocks if isinstance(block, Table)]
    return [[cell.text for cell in row.cells] for table in tables for row in table.rows]


def lanes(shown: Result, title: str) -> dict[str, list[tuple[str, str]]]:
    drawn = [lane for block in section(shown, title).blocks if isinstance(block, Waterfall) for lane in block.lanes]
    return {lane.title: [(bar.label, bar.value) for bar in lane.bars] for lane in drawn}


def opening(shown: Result) -> list[str]:
    return [block.text for block in sections_of(shown)[0].blocks if isinstance(block, Paragraph)]


def test_the_order_is_verdict_tiers_and_then_what_lies_apart() -> None:
    assert [one.title for one in sections_of(replace(full(), warnings=("w",)))] == [
        "", "Latency of a query", "Distribution", "Where the time of the median query goes", "Apart from these",
        "How each figure is computed", "Findings", "Targets", "Settings", "Warnings",
    ]  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_complete_report_leaves_nothing_over(name: str) -> None:
    assert "Measurements" not in [one.title for one in sections_of(EXAMPLES[name]())]


def test_what_no_section_knows_is_in_the_last_table() -> None:
    unknown = metric("peak_rss", {"tier": "fast"}, [[1e9]] * 6, arm="fast", unit="B")
    strange = [replace(one, labels={**one.labels, "variant": "odd"}) for one in tier("fast", "simple", Answer(1, 1))]
    shown = rows(result(*tier("fast", "simple", Answer(1, 1)), unknown, strange[0]), "Measurements")
    assert [row[0] for row in shown] == [
        "peak_rss tier=fast",
        "query_latency complexity=simple prefix=cold tier=fast variant=odd",
    ]


def test_the_verdict_names_each_tier_with_its_limit_and_what_it_is_made_of() -> None:
    told = opening(full())
    assert "Fast: p90 1.68 s (limit 2.00 s); prefill 26 %, decode 72 %, the rest 1 %." in told
    staged = next(text for text in told if text.startswith("Two-stage"))
    assert staged.endswith("generation 34 %, prefill 26 %, loading models 22 %, the draft 13 %, retrieval 5 %.")


def test_too_few_queries_for_a_percentile_are_told_by_the_median_and_the_worst() -> None:
    told = next(text for text in opening(sample()) if text.startswith("Two-stage"))
    assert "worst" in told
    assert "(too few for a p90; limit 15.0 s)" in told


def test_a_sample_says_so() -> None:
    assert opening(sample())[0] == "NOT MEASURED: works here (sample, not your system)"


def test_tiers_are_in_their_order_with_lengths_and_context_beside_their_rates() -> None:
    shown = rows(full(), "Latency of a query")
    assert [row[:2] for row in shown[:4]] == [
        ["fast", "simple"], ["balanced", "moderate"], ["deep", "complex"], ["two-stage", "all"],
    ]  # fmt: skip
    assert shown[6][-3:] == ["900", "64", "4096"]


def test_the_longest_gaps_between_tokens_are_told() -> None:
    made = tier("fast", "simple", Answer(0.5, 0.5), processes=2)
    gaps = {"gap_p95_s": (0.02, 0.04) * 8, "gap_max_s": (0.05, 0.3) * 8}
    trials = tuple(replace(one, facts={**one.facts, **gaps}) for one in made[0].trials)
    shown = rows(result(replace(made[0], trials=trials), *made[1:]), "Latency of a query")
    assert shown[1][4:6] == ["30.0 ms", "300 ms"]


def test_a_tier_that_got_every_query_has_a_row_for_each_complexity() -> None:
    assert [row[1] for row in rows(every_tier_every_query(), "Latency of a query")][:3] == [
        "simple", "moderate", "complex",
    ]  # fmt: skip


def test_a_histogram_counts_every_query_once_in_at_most_eight_bars() -> None:
    samples = [1.0, 1.0, 1.5, 2.0, 9.0, *[3.0] * 400]
    bars = bars_of(samples)
    assert len(bars) == 8
    assert sum(int(bar.value) for bar in bars) == len(samples)
    assert [int(bar.value) for bar in bars] == [3, 1, 400, 0, 0, 0, 0, 1]  # a second a bar, from 1 s on
    assert max(bar.length for bar in bars) == 1.0
    assert [bar.value for bar in bars_of([2.0] * 9)] == ["9"]


def test_an_empty_span_draws_nothing_and_the_bars_need_no_more_than_ascii() -> None:
    shown = render(full(), "md", ascii_only=True)
    assert shown.isascii()
    empty = next(line for line in shown.splitlines() if line.split()[-3:] == ["0", "0.00", "%"])
    assert "#" not in empty


def test_the_parts_of_the_median_query_add_up_to_it() -> None:
    title = "Where the time of the median query goes"
    drawn = next(block for block in section(full(), title).blocks if isinstance(block, Waterfall))
    for lane in drawn.lanes:
        assert sum(bar.length for bar in lane.bars if bar.kind != "part") == pytest.approx(1.0, abs=1e-3)
    assert [name for name, _ in lanes(full(), title)["two-stage"]] == [
        "load fast model", "draft", "  prefill", "  generation", "retrieval", "load second model", "prefill",
        "generation",
    ]  # fmt: skip


def test_small_neighbours_share_a_line() -> None:
    drawn = lanes(full(), "Where the time of the median query goes")
    assert [name for name, _ in drawn["fast"]] == ["template, tokenise", "prefill", "decode", "sampling, detokenise"]


def apart(*metrics: Metric) -> list[list[str]]:
    return rows(result(*tier("fast", "simple", Answer(0.5, 0.5)), *metrics), "Apart from these")


def test_a_warm_prefix_stands_beside_the_cold_one_with_the_tokens_reused() -> None:
    row = apart(*warm_prefix("fast", "simple", Answer(0.05, 0.5, reused_tokens=59)))[0]
    assert row[0] == "fast"
    assert row[-1] == "59 of 60"
    assert row[2].startswith("9.82× (")


def test_the_high_level_api_stands_beside_the_own_loop() -> None:
    assert apart(*apis("fast", "simple", Answer(0.5, 0.5), 1.5))[0][-1].startswith("1.50× (")


def test_the_first_query_stands_apart_from_the_steady_ones() -> None:
    row = apart(*first_answers("fast", "simple", 2.0, 0.5))[0]
    assert row[1:3] == ["2.00 s", "1.02 s"]
    assert row[-1] == "2.50 s"


def test_few_processes_get_a_marked_ratio_without_an_interval() -> None:
    few = result(*two_stage(processes=2), *two_stage("overlap=load", processes=2, swap__refinement=1.0))
    assert rows(few, "Apart from these")[0][-1] == "~0.91×"


def test_no_bound_of_a_latency_lies_below_zero() -> None:
    """Processes that differ as much as these leave the level of a process open."""
    groups = [[0.3] * 15, [0.3] * 15, [0.4] * 15, [0.4] * 15, [5.0] * 15, [9.0] * 15]
    shown = result(metric("query_latency", {"tier": "fast", "complexity": "simple"}, groups, arm="fast"))
    (table, *_) = (block for block in section(shown, "Latency of a query").blocks if isinstance(block, Table))
    place = [column.title for column in table.columns].index("95 % bounds")
    assert "-" not in table.rows[0].cells[place].text.replace("none", "")


def test_two_stage_queries_are_told_by_the_tier_that_refines_them() -> None:
    latency, *others = two_stage(queries=4)
    tiers = {"second_tier": ("balanced", "balanced", "deep", "deep")}
    trials = tuple(replace(one, facts={**one.facts, **tiers}) for one in latency.trials)
    shown = result(replace(latency, trials=trials), *others)
    (table, *_) = (block for block in section(shown, "Latency of a query").blocks if isinstance(block, Table))
    assert table.rows[0].note.startswith("median by refining tier: balanced 11.")
    assert table.rows[0].note.endswith("(n=12)")


@pytest.mark.parametrize(("queries", "shown"), [(1, "p90 ~1.00 s"), (8, "p90 1.00 s")])
def test_a_percentile_of_too_few_queries_is_marked_among_the_targets(queries: int, shown: str) -> None:
    latency = metric("query_latency", {"tier": "fast"}, [[1.0] * queries] * 6, arm="fast")
    check = Check("query-fast", latency.key, "p90", 2.0, "s", 1.0, "inconclusive", "too few")
    assert rows(result(latency, checks=(check,)), "Targets")[0][2] == shown
