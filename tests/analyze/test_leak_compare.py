"""How does a run of leak-hunt compare with a baseline, whose growth may be none?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.leak_compare import compare_runs
from synapse_perf.analyze.verdict import overall_verdict
from synapse_perf.model import ComparisonStatus, Leak, LeakStatus, Result
from synapse_perf.report.render import render
from tests.report.leak_examples import EXAMPLES

KEY = "memory_growth_per_iteration{hunt=app:work,probe=heap}"


def row(status: LeakStatus, growth: float | None = 0.0, spread: float = 10.0) -> Leak:
    low, high = (None, None) if growth is None else (growth - spread, growth + spread)
    return Leak(KEY, status, growth, low, high, 0.95, "B", 4500.0, 40, None, "told")


def result(*rows: Leak) -> Result:
    return replace(EXAMPLES["leak_clean"](), leaks=rows, metrics=())


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        (row("clean"), row("clean", 0.4), "unchanged"),
        (row("clean", 0.0), row("leak", 100_000), "regressed"),
        (row("leak", 100_000), row("clean", 0.0), "improved"),
        (row("leak", 100_000), row("leak", 100_001), "unchanged"),
        (row("leak", 100_000), row("leak", 200_000), "regressed"),
        (row("clean"), row("inconclusive", None), "inconclusive"),
    ],
)
def test_growth_of_nothing_gives_a_status_and_no_division(before: Leak, now: Leak, status: ComparisonStatus) -> None:
    (comparison,) = compare_runs(result(now), result(before))

    assert comparison.status == status
    assert comparison.ratio is None or before.growth
    assert (comparison.baseline, comparison.current) == (before.growth, now.growth)


def test_two_clean_runs_pass_and_a_new_leak_fails() -> None:
    clean, leak = result(row("clean")), result(row("leak", 5000.0))

    assert overall_verdict((), compare_runs(clean, clean), leaks=clean.leaks) == "pass"
    assert overall_verdict((), compare_runs(leak, clean), leaks=leak.leaks) == "fail"


@pytest.mark.parametrize("gone", [row("clean", None), row("inconclusive", None), row("leak", 5000.0)])
def test_a_probe_that_is_gone_is_no_new_one_whatever_it_told(gone: Leak) -> None:
    (comparison,) = compare_runs(result(), result(gone))
    assert (comparison.status, comparison.is_new) == ("missing", False)
    (came,) = compare_runs(result(gone), result())
    assert came.status == ("inconclusive" if gone.status == "inconclusive" else "missing")
    assert came.is_new == (came.status == "missing")


def test_what_the_allocator_merely_keeps_is_not_missed() -> None:
    rss = replace(row("retained", 1e6), metric=KEY.replace("heap", "rss"))

    assert [one.metric for one in compare_runs(result(row("clean")), result(row("clean"), rss))] == [KEY]


def test_the_report_shows_what_changed() -> None:
    now = result(row("leak", 5000.0))
    now = replace(now, comparisons=compare_runs(now, result(row("clean"))))

    text = render(now, "console", width=120, color=False, ascii_only=False)
    assert "a leak that was not there before" in text
    assert "REGRESSED" in text
