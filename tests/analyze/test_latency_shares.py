"""Who gets what of the time that is left? Worked out by hand for a few cases."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.analyze.latency_shares import Demand, share_out

# A process takes 2 s to get ready, a query 1 s: so six processes of 7 queries take 54 s, of 15 queries 102 s.
FAST = Demand("fast", is_judged=True, finished=0, asked=0, wanted=6, ready_s=2.0, query_s=1.0, most=15, least=7)
DEEP = replace(FAST, name="deep", ready_s=4.0, query_s=10.0)  # six processes of 7 queries: 444 s
WARM = replace(FAST, name="warm", is_judged=False)  # asks three queries, in 5 s


def plan(left_s: float, *demands: Demand) -> dict[str, tuple[int, int]]:
    """Processes in the end and queries of the next one."""
    share = share_out(demands, left_s, minimum=6)
    return {name: (count, share.queries[name]) for name, count in share.processes.items() if count}


def test_with_time_for_everything_everything_is_done() -> None:
    """102 s for the one and 30 s for the other, and a seventh of the time is kept."""
    assert plan(160, FAST, WARM) == {"fast": (6, 15), "warm": (6, 3)}


def test_with_less_time_what_is_compared_gets_two_processes_or_one_or_none() -> None:
    """At ten queries and two comparisons 82 s, at the least and one 59 s, alone 54 s; 15 % more are kept."""
    assert plan(97, FAST, WARM) == {"fast": (6, 10), "warm": (2, 3)}
    assert plan(70, FAST, WARM)["warm"] == (1, 3)
    assert "warm" not in plan(65, FAST, WARM)


def test_what_is_left_over_goes_into_more_queries() -> None:
    """85 % of 90 s are 76.5 s: six processes of 2 s and 10 queries."""
    assert plan(90, FAST) == {"fast": (6, 10)}


def test_the_reserve_is_for_what_decides() -> None:
    assert plan(54, FAST) == {"fast": (6, 7)}


def test_without_time_for_a_decision_there_are_fewer_queries_in_each_process() -> None:
    """6 times 2 s and 4 queries are 36 s."""
    assert plan(36, FAST) == {"fast": (6, 4)}


def test_a_cheap_case_gets_its_decision_before_a_dear_one() -> None:
    """Both have a median, in one process of six queries more: 8 s and 64 s; then 54 s instead of 8 for the one."""
    assert plan(60, FAST, DEEP)["fast"] == (6, 7)
    assert plan(120, FAST, DEEP) == {"fast": (6, 7), "deep": (1, 6)}


def test_a_median_for_everyone_comes_before_any_decision() -> None:
    """8 s and 64 s leave 15 s, enough for six processes of one query instead of one of six: 18 s."""
    assert plan(87, FAST, DEEP) == {"fast": (6, 1), "deep": (1, 6)}


def test_what_was_asked_too_little_before_is_made_up_for() -> None:
    """2 queries in the first of six processes: 42 less 2 in five."""
    begun = replace(FAST, finished=1, asked=2)
    assert plan(54, begun) == {"fast": (6, 8)}


def test_each_kind_of_query_has_its_own_count() -> None:
    three = replace(FAST, most=45, kinds=3)
    assert plan(1000, three) == {"fast": (6, 45)}
    assert plan(6 * (2 + 21), three) == {"fast": (6, 21)}


def test_a_tier_that_fails_clearly_needs_one_query_in_each_process() -> None:
    assert plan(6 * 3, replace(FAST, least=1)) == {"fast": (6, 1)}


def test_an_undecided_tier_goes_on_and_what_its_decision_needs_is_kept_for_it() -> None:
    """Three more of 7 queries take 27 s, and 85 % of 35 s are there for them; the comparison has to wait."""
    open_case = replace(FAST, finished=6, asked=90, wanted=9)
    assert plan(35, open_case, WARM) == {"fast": (9, 7)}
    assert plan(200, open_case, WARM) == {"fast": (9, 15), "warm": (6, 3)}


def test_an_undecided_tier_that_time_cannot_settle_takes_one_process_at_a_time() -> None:
    hopeless = replace(FAST, finished=6, asked=90, wanted=60)
    assert plan(60, hopeless, WARM) == {"fast": (7, 15), "warm": (6, 3)}


def test_when_all_is_decided_what_is_compared_gets_the_rest() -> None:
    decided = replace(FAST, finished=6, asked=90)
    assert plan(4, decided, WARM) == {"fast": (6, 15), "warm": (6, 3)}
