"""A leak that a change brings is a regression, one that was there is none, and what a hunt cannot tell is no pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from synapse_perf.analyze.gate_figures import figures_of
from synapse_perf.analyze.gate_files import rows_between
from synapse_perf.analyze.gate_paired import PairedRuns, Rules, screen
from synapse_perf.analyze.gate_stored import judge_stored
from synapse_perf.model import Leak, LeakStatus, Result, Suite
from tests.analyze.trials import single
from tests.made_results import made_result

KEY = "memory_growth_per_iteration{hunt=app:call,probe=live heap}"


def hunt(status: LeakStatus = "clean", growth: float = 0.0, spread: float = 0.01, metric: str = KEY) -> Result:
    bounds = (growth * (1 - spread), growth * (1 + spread))
    leak = Leak(metric, status, growth, *bounds, 0.95, "B", 100.0, 80, None, "as it was")
    series = single(*[growth] * 6, name="memory_growth_per_iteration", labels={"probe": "live heap"}, unit="B")
    return replace(made_result("leak-hunt"), metrics=(series,), checks=(), leaks=(leak,))


CLEAN, UNCLEAR = hunt(), hunt("inconclusive", 50.0)


def leaking(growth: float) -> Result:
    return hunt("leak", growth)


def paired(before: Sequence[Result], after: Sequence[Result]) -> str:
    pairs = [PairedRuns(figures_of(one), figures_of(two)) for one, two in zip(before, after, strict=True)]
    found = screen(pairs, Rules())
    assert list(found) == [KEY]  # the hunt's verdict, and not its series again
    return found[KEY].status


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (CLEAN, CLEAN, "unchanged"),
        (CLEAN, leaking(1000.0), "regressed"),
        (leaking(1000.0), CLEAN, "improved"),
        (CLEAN, UNCLEAR, "inconclusive"),
        (UNCLEAR, CLEAN, "inconclusive"),
    ],
)
def test_a_leak_that_comes_or_goes_is_told_by_every_way_to_compare(before: Result, after: Result, status: str) -> None:
    assert paired([before] * 12, [after] * 12) == status
    (row,) = rows_between(before, after)
    assert row.comparison.status == status
    (stored,) = judge_stored(after, [before, before], Rules()).rows
    assert stored.comparison.status == status


def test_a_leak_in_some_runs_only_needs_enough_of_them() -> None:
    leaky = leaking(1000.0)
    assert paired([CLEAN] * 12, [leaky] * 5 + [CLEAN] * 7) == "inconclusive"
    assert paired([CLEAN] * 12, [leaky] * 9 + [CLEAN] * 3) == "inconclusive"  # 2 ** -9 is no one in a thousand
    assert paired([CLEAN] * 12, [leaky] * 10 + [CLEAN] * 2) == "regressed"
    assert paired([leaky] * 11 + [CLEAN], [CLEAN] * 12) == "improved"


def test_a_leak_on_both_sides_is_compared_by_its_size() -> None:
    same = [leaking(1000.0 + place) for place in range(12)]
    assert paired(same, same) == "unchanged"
    assert paired(same, [leaking(2000.0 + place) for place in range(12)]) == "inconclusive"  # fresh pairs confirm it


@pytest.mark.parametrize(("growth", "status"), [(1000.0, "unchanged"), (1500.0, "regressed"), (500.0, "improved")])
def test_two_files_tell_sizes_apart_by_their_intervals(growth: float, status: str) -> None:
    (row,) = rows_between(leaking(1000.0), leaking(growth))
    assert row.comparison.status == status
    assert row.comparison.ratio == pytest.approx(growth / 1000)
    (unsure,) = rows_between(leaking(1000.0), hunt("leak", max(growth, 1000.0), spread=0.9))
    assert unsure.comparison.status == "inconclusive"


def test_a_probe_that_is_gone_and_another_machine_are_no_pass() -> None:
    (gone,) = rows_between(CLEAN, replace(CLEAN, leaks=()))
    assert gone.comparison.status == "missing"
    other = replace(CLEAN, environment=replace(CLEAN.environment, hardware_class={"digest": "h2"}))
    (row,) = rows_between(other, CLEAN)
    assert row.comparison.status == "not-comparable"


def test_what_the_allocator_keeps_is_no_row_that_could_go_missing() -> None:
    kept = Leak(KEY.replace("live heap", "resident memory"), "retained", 9.0, 8.0, 10.0, 0.95, "B", None, 80, None, "")
    assert list(figures_of(replace(CLEAN, leaks=(*CLEAN.leaks, kept)))) == [KEY]


def test_beside_another_command_a_leak_has_its_commands_name_and_can_be_chosen() -> None:
    both = Suite((CLEAN, replace(made_result(), checks=())), (), "pass")
    assert f"leak-hunt: {KEY}" in figures_of(both)
    assert list(figures_of(both, ["memory_growth_per_iteration"])) == [f"leak-hunt: {KEY}"]
    assert f"leak-hunt: {KEY}" not in figures_of(both, ["model_startup_time"])
