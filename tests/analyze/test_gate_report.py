"""Which exit code follows from a gate, and nothing that was not compared ever passes?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from synapse_perf.analyze.gate_report import GateReport, GateRow
from synapse_perf.analyze.gate_waivers import with_waivers
from synapse_perf.baselines.waivers import Waiver
from synapse_perf.errors import ExitCode
from synapse_perf.model import Check, CheckStatus, Comparison, ComparisonStatus

TODAY = date(2026, 11, 23)


def row(
    status: ComparisonStatus = "unchanged",
    metric: str = "m",
    *,
    ratio: float | None = 1.1,
    unit: str = "s",
    better: str = "lower",
    before: float | None = 1.0,
    **more: object,
) -> GateRow:
    comparison = Comparison(metric, status, before, 1.0, unit, ratio, None, None, "a reason")
    return GateRow(comparison, better, 0.03, **more)  # type: ignore[arg-type]


def report(*rows: GateRow, **more: object) -> GateReport:
    known = {
        "method": "paired",
        "baseline": "main",
        "current": "HEAD",
        "effect": 0.1,
        "detects": "",
        "started_at": "2026-11-23T10:00:00.000Z",
        "duration_s": 1.0,
    }
    return GateReport(rows=rows, **{**known, **more})  # type: ignore[arg-type]


def check(status: CheckStatus) -> Check:
    return Check("websocket-latency", "m", "p95", 0.05, "s", 0.04, status, "")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("unchanged", ExitCode.PASS),
        ("improved", ExitCode.PASS),
        ("regressed", ExitCode.FAIL),
        ("inconclusive", ExitCode.INCONCLUSIVE),
        ("not-comparable", ExitCode.NOT_COMPARABLE),
        ("missing", ExitCode.NOT_COMPARABLE),
    ],
)
def test_each_status_has_its_exit_code(status: ComparisonStatus, code: ExitCode) -> None:
    assert report(row(), row(status)).exit_code == code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("pass", ExitCode.PASS),
        ("fail", ExitCode.FAIL),
        ("inconclusive", ExitCode.INCONCLUSIVE),
        ("not-measured", ExitCode.PASS),
    ],
)
def test_targets_are_judged_together_with_regressions(status: CheckStatus, code: ExitCode) -> None:
    assert report(row(), checks=(check(status),)).exit_code == code


def test_nothing_compared_and_nothing_measured_are_no_pass() -> None:
    assert report().exit_code == ExitCode.NOT_COMPARABLE
    assert report(row("missing", before=None)).exit_code == ExitCode.NOT_COMPARABLE
    assert report(has_samples=False).exit_code == ExitCode.MEASUREMENT_FAILED
    assert report(created="baselines/x.json").exit_code == ExitCode.PASS


def test_precedence_is_that_of_the_contract() -> None:
    everything = report(row("regressed"), row("inconclusive"), row("missing"), is_interrupted=True)
    assert everything.exit_code == ExitCode.INTERRUPTED
    assert replace(everything, is_interrupted=False).exit_code == ExitCode.NOT_COMPARABLE
    assert report(row("regressed"), row("inconclusive")).exit_code == ExitCode.FAIL


def test_a_new_metric_beside_compared_ones_is_no_fault() -> None:
    assert report(row(), row("missing", before=None)).exit_code == ExitCode.PASS


def test_an_undecided_metric_that_is_not_principal_changes_nothing_and_a_regressed_one_fails() -> None:
    assert report(row(), row("inconclusive", is_principal=False)).exit_code == ExitCode.PASS
    assert report(row(), row("regressed", is_principal=False)).exit_code == ExitCode.FAIL


def test_processor_time_speaks_only_where_a_time_is_undecided() -> None:
    companion = row("regressed", "command_cpu_time", stands_for="every time")
    assert report(row("unchanged"), companion).exit_code == ExitCode.PASS
    assert report(row("inconclusive"), companion).exit_code == ExitCode.FAIL
    assert report(row("inconclusive", unit="B"), companion).exit_code == ExitCode.INCONCLUSIVE
    assert report(companion).exit_code == ExitCode.NOT_COMPARABLE


def test_the_fastest_samples_speak_for_their_own_metric_alone() -> None:
    fastest = row("regressed", "m (fastest)", stands_for="m")
    assert report(row("inconclusive", "m"), fastest).exit_code == ExitCode.FAIL
    assert report(row("inconclusive", "n"), fastest).exit_code == ExitCode.INCONCLUSIVE
    assert report(row("unchanged", "m"), fastest).exit_code == ExitCode.PASS
    assert report(row("inconclusive", "m"), replace(fastest, comparison=row("inconclusive").comparison)).exit_code == 3


# --- waivers ---------------------------------------------------------------------------------------------------------


def waived(*rows: GateRow, **waiver: object) -> GateReport:
    known = {"metric": "m", "reason": "meant", "expires": "2026-12-31"}
    return with_waivers(report(*rows), [Waiver(**{**known, **waiver})], TODAY)  # type: ignore[arg-type]


def test_a_waived_regression_passes_and_says_why() -> None:
    found = waived(row("regressed"), row("unchanged", "n"))
    assert found.exit_code == ExitCode.PASS
    assert found.rows[0].waived == "meant (through 2026-12-31)"
    assert found.rows[0].comparison.status == "regressed"


def test_a_waiver_covers_its_metric_alone_and_never_a_missing_one() -> None:
    assert waived(row("regressed", "n")).exit_code == ExitCode.FAIL
    assert waived(row("missing")).exit_code == ExitCode.NOT_COMPARABLE


@pytest.mark.parametrize(
    ("ratio", "better", "code"),
    [
        (1.14, "lower", ExitCode.PASS),
        (1.16, "lower", ExitCode.FAIL),
        (0.88, "higher", ExitCode.PASS),
        (0.86, "higher", ExitCode.FAIL),
        (None, "exact", ExitCode.FAIL),
    ],
)
def test_a_waiver_ends_where_the_slowdown_goes_beyond_what_was_agreed(
    ratio: float | None, better: str, code: ExitCode
) -> None:
    assert waived(row("regressed", ratio=ratio, better=better), row(metric="n"), up_to=0.15).exit_code == code


def test_an_undecided_metric_is_waived_as_far_as_its_interval_goes() -> None:
    open_row = row("inconclusive")
    within, beyond = (replace(open_row, comparison=replace(open_row.comparison, high=high)) for high in (1.14, 1.3))
    assert waived(within, row(metric="n"), up_to=0.15).exit_code == ExitCode.PASS
    found = waived(beyond, row(metric="n"), up_to=0.15)
    assert found.exit_code == ExitCode.INCONCLUSIVE
    assert found.rows[0].comparison.reason.endswith("it may be beyond the 15.0 % that were waived")
    assert waived(beyond, row(metric="n")).exit_code == ExitCode.PASS


def test_a_waiver_holds_through_its_day_and_fails_loudly_from_the_next() -> None:
    assert waived(row("regressed"), row(metric="n"), expires="2026-11-23").exit_code == ExitCode.PASS
    ran_out = waived(row("unchanged"), expires="2026-11-22")
    assert ran_out.exit_code == ExitCode.FAIL
    assert "ran out on 2026-11-22 (meant)" in ran_out.faults[0]
    assert waived(row("unchanged", "n"), expires="2026-11-22").exit_code == ExitCode.PASS


def test_a_waiver_of_no_metric_here_is_told_where_it_ran_out_or_could_be_missed() -> None:
    """It may be misspelt, or of another gate."""
    told = ("the waiver of m is of no metric here",)
    assert waived(row("unchanged", "n")).warnings == ()
    assert waived(row("regressed", "n")).warnings == told
    assert waived(row("unchanged", "n"), expires="2026-11-22").warnings == (f"{told[0]}, and ran out on 2026-11-22",)
