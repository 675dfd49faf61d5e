"""The part of the report on load: a row for each level, what bounds it, and why a stall shows in one loop alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from synapse_perf.benchmarks.query_load_steps import LoadedStep
from synapse_perf.model import Metric, Result
from synapse_perf.report.document import Paragraph, Section, Table
from synapse_perf.report.render import render
from synapse_perf.report.sections import sections_of
from tests.analyze.made_latencies import SIMPLE, tier
from tests.analyze.made_query_loads import at_rate, failing, metrics, steady, with_stall, with_users
from tests.report.latency_examples import result


def shown(make: Callable[[float, int], Sequence[LoadedStep]], **options: float) -> Result:
    loaded: tuple[Metric, ...] = metrics(make, **options)  # type: ignore[arg-type]
    return result(*tier("fast", "simple", SIMPLE), *loaded)


def section(of: Result) -> Section:
    return next(one for one in sections_of(of) if one.title == "Under load")


def rows(of: Result) -> list[list[str]]:
    (table,) = (block for block in section(of).blocks if isinstance(block, Table))
    return [[cell.text for cell in row.cells] for row in table.rows]


def notes(of: Result) -> list[str]:
    (table,) = (block for block in section(of).blocks if isinstance(block, Table))
    return [row.note for row in table.rows]


def told(of: Result) -> str:
    return " ".join(block.text for block in section(of).blocks if isinstance(block, Paragraph))


def mixed(level: float, seed: int) -> list[LoadedStep]:
    service = steady(0.5 * level)
    return [
        with_users(1, 40, service),
        with_users(4, 40, service),
        at_rate(0.4, 40, service, seed=seed),
        at_rate(20, 40, service, seed=seed, patience_s=4.0),
    ]


def test_each_level_has_a_row_with_what_its_queries_waited_and_what_they_took() -> None:
    one, four, slow, flood = rows(shown(mixed))
    assert one[:2] == ["fast", "1 user"]
    assert four[1:] == ["4 users", "2.00", "48.0", "2.00 s", "2.06 s", "2.06 s", "1.50 s", "500 ms", "50.0%"]
    assert slow[1] == "0.4/s"
    assert slow[-1] == "100%"
    assert flood[1] == "20/s"


def test_what_was_not_answered_has_no_end_and_is_counted() -> None:
    of = shown(mixed)
    assert rows(of)[3][5].startswith(">")
    assert " without an answer; the queue grows; in time " in notes(of)[3]


def test_queries_that_failed_have_no_time_at_all() -> None:
    of = shown(lambda level, seed: [failing(at_rate(1, 40, steady(0.1 * level), seed=seed), 3)])
    assert notes(of)[0].startswith("84 of 240 without an answer (OSError: refused); in time ")


def test_it_says_what_bounds_the_rate_and_where_the_waiting_is_longest() -> None:
    text = told(shown(lambda level, _: [with_users(users, 40, steady(0.5 * level)) for users in (1, 4)]))
    assert "Fast answers one query at a time, at most 2.00 a second" in text
    assert "with 4 users waiting for it is 75.0 % of a response" in text


def test_a_load_that_nobody_waits_for_says_so() -> None:
    assert "none of these loads makes queries wait" in told(shown(lambda level, _: [with_users(1, 40, steady(level))]))


def test_a_late_sender_stands_at_its_row() -> None:
    of = shown(lambda level, seed: [at_rate(1, 40, steady(0.1 * level), seed=seed, late_s=0.2)])
    assert notes(of) == ["SENDER LATE by 200 ms: not this load"]


def stalled(_: float, seed: int) -> list[LoadedStep]:
    service = with_stall(0.01, at=200)
    return [with_users(1, 400, service), at_rate(30, 400, service, seed=seed)]


def test_one_stall_is_told_of_both_loops_with_the_reason_why_they_differ() -> None:
    text = told(shown(stalled))
    assert "with users who wait (fast, 1 user) one took 310 ms and 0 other queries waited for it" in text
    assert "at a rate (fast, 30/s) one took 310 ms and 1" in text
    assert "users who wait ask nothing meanwhile" in text


def test_without_a_stall_nothing_is_said_of_any() -> None:
    assert "Unusually long" not in told(shown(mixed))


def test_few_queries_have_no_percentile_that_they_cannot_support() -> None:
    of = shown(lambda level, seed: [at_rate(1, 5, steady(0.1 * level), seed=seed)])
    assert rows(of)[0][5] == "none"
    assert rows(of)[0][6] != "none"


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_as_a_table(width: int) -> None:
    text = render(shown(mixed), "console", width=width, color=False)
    assert max(map(len, text.splitlines())) <= width
    assert any(line.split()[:2] == ["tier", "load"] for line in text.splitlines())


def test_nothing_of_it_is_left_over() -> None:
    assert "Measurements" not in [one.title for one in sections_of(shown(mixed))]


# --- what has no row -------------------------------------------------------------------------------------------------


def with_load(of: Result, **told: object) -> Result:
    load = {"users": [1, 4], "offered_per_s": [], "goodput": {}, "left_out": [], "without_load": [], **told}
    return replace(of, workload={**of.workload, "load": load})


def test_levels_that_there_was_no_time_for_are_told_where_the_others_are() -> None:
    left_out = "no time was left for load on fast 4 users: allow about 10.0 s more"
    assert left_out[1:] in told(with_load(shown(mixed), left_out=[left_out]))


def test_that_no_load_is_put_on_two_stage_queries_is_told() -> None:
    assert "Two-stage queries are asked one at a time only" in told(with_load(shown(mixed), without_load=["two-stage"]))
    assert "one at a time only" not in told(with_load(shown(mixed)))


def test_where_there_was_no_time_for_any_level_the_section_says_so() -> None:
    plain = result(*tier("fast", "simple", SIMPLE))
    found = section(with_load(plain, left_out=["no time was left for load on fast 1 user"]))
    assert [type(block) for block in found.blocks] == [Paragraph]


def test_the_settings_tell_the_load_but_not_its_figures_again() -> None:
    goodput = {"goodput{tier=fast}": {"share": 1.0, "low": 0.9, "high": 1.0}}
    text = render(with_load(shown(mixed), goodput=goodput), "md")
    assert "load (users 1 4)" in text
    assert "share 1" not in text
