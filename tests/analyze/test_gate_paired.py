"""Does the decision over pairs find what it has to, stay silent otherwise, and never pass what it cannot judge?"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_perf.analyze.gate_figures import Figure
from synapse_perf.analyze.gate_paired import Judgement, PairedRuns, Rules, confirm, screen
from synapse_perf.analyze.gate_signed_rank import p_value
from synapse_perf.model import Better
from tests.analyze.made_pairs import merged, paired, slower_by, time

RULES = Rules()
RATIOS = st.lists(st.floats(0.7, 1.5), min_size=12, max_size=12)
untimed = settings(deadline=None, max_examples=40)


def screened(pairs: list[PairedRuns]) -> Judgement:
    return screen(pairs, RULES)["m"]


def confirmed(pairs: list[PairedRuns], rules: Rules = RULES) -> Judgement:
    return confirm(["m"], pairs, rules, is_over=True)["m"]


@pytest.mark.parametrize(
    ("factor", "better", "status", "is_open"),
    [
        (1.0, "lower", "unchanged", False),
        (1.02, "lower", "unchanged", False),
        (0.98, "higher", "unchanged", False),
        (0.8, "lower", "improved", False),
        (1.25, "higher", "improved", False),
        (1.1, "lower", "inconclusive", True),  # a suspect: the screen alone never fails a gate
        (0.9, "higher", "inconclusive", True),
        (1.05, "lower", "inconclusive", True),
    ],
)
def test_the_screen_clears_or_suspects(factor: float, better: Better, status: str, is_open: bool) -> None:
    found = screened(slower_by(factor, better=better))
    assert (found.status, found.is_open) == (status, is_open)


@pytest.mark.parametrize(
    ("factor", "better", "status"),
    [
        (1.1, "lower", "regressed"),
        (1.05, "lower", "regressed"),
        (0.9, "higher", "regressed"),
        (1.02, "lower", "unchanged"),
        (0.8, "lower", "improved"),
    ],
)
def test_fresh_pairs_confirm_or_clear(factor: float, better: Better, status: str) -> None:
    found = confirmed(slower_by(factor, better=better))
    assert found.status == status
    assert found.slowdown == pytest.approx(abs(math.log(factor)) * (1 if status != "improved" else -1), abs=0.01) or (
        status == "unchanged"
    )


def test_noise_alone_is_inconclusive_and_tells_how_many_pairs_would_decide() -> None:
    pairs = slower_by(1.0, noise=30)
    found = screened(pairs)
    assert (found.status, found.is_open) == ("inconclusive", True)
    assert found.needs is not None
    many = screened(pairs * math.ceil((found.needs + 12) * 1.5 / 12))
    assert many.status == "unchanged"


def test_the_floor_may_be_higher_for_a_metric_whose_noise_asks_for_it() -> None:
    noisy = Rules(floors={"m": 0.12})
    assert confirmed(slower_by(1.1)).status == "regressed"
    assert confirmed(slower_by(1.1), noisy).status == "unchanged"
    assert confirmed(slower_by(1.2), noisy).status == "regressed"


def test_one_of_many_metrics_is_found_and_the_others_raise_no_alarm() -> None:
    columns = [slower_by(1.1), *(slower_by(1.0, noise=2) for _ in range(11))]
    names = [f"m{place}" for place in range(12)]
    found = confirm(names, merged(*columns), RULES, is_over=True)
    assert [name for name in names if found[name].status == "regressed"] == ["m0"]


def test_a_family_needs_stronger_evidence_than_one_metric() -> None:
    """The same pairs: alone they suffice, among a hundred suspects they do not (Holm)."""
    weak = [paired(10, 10 * (1.10 if place < 9 else 1.03)) for place in range(10)] + [paired(10, 10.2)] * 2
    p = p_value([math.log(pair.after["m"].value / pair.before["m"].value) - math.log1p(0.03) for pair in weak])
    at_look = RULES.alarm / len(RULES.confirm_pairs)
    assert at_look / 100 < p < at_look
    assert confirmed(weak).status == "regressed"
    family = merged(weak, *([slower_by(1.0)] * 99))
    names = [f"m{place}" for place in range(100)]
    assert confirm(names, family * 2, RULES, is_over=False)["m0"].status != "regressed"


def test_a_metric_that_is_not_principal_fails_only_when_it_is_surely_slower() -> None:
    def aside(pairs: list[PairedRuns]) -> list[PairedRuns]:
        return [
            PairedRuns(*({"m": replace(side["m"], is_principal=False)} for side in (pair.before, pair.after)))
            for pair in pairs
        ]

    assert not screened(aside(slower_by(1.0, noise=30))).is_open
    assert screened(aside(slower_by(1.1))).is_open


# --- silent passes that are none -------------------------------------------------------------------------------------


def test_a_metric_that_disappeared_is_missing_and_a_new_one_too() -> None:
    gone = [PairedRuns({"m": time(1)}, {})] * 12
    new = [PairedRuns({}, {"m": time(1)})] * 12
    assert (screened(gone).status, screened(gone).reason) == ("missing", "the change has no such metric")
    assert (screened(new).status, screened(new).reason) == ("missing", "new: there is nothing to compare it with")


def test_a_metric_that_some_runs_lack_is_inconclusive() -> None:
    pairs = [*slower_by(1.0, 11), PairedRuns({"m": time(1)}, {})]
    assert (screened(pairs).status, screened(pairs).reason) == ("inconclusive", "measured in 11 of 12 pairs only")
    assert not screened(pairs).is_open


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_inconclusive(value: float) -> None:
    found = screened([*slower_by(1.0, 11), paired(1, value)])
    assert (found.status, found.is_open, found.slowdown) == ("inconclusive", False, None)


def test_what_has_no_sample_in_any_run_of_the_change_is_missing() -> None:
    found = screened([paired(1, math.nan)] * 12)
    assert (found.status, found.reason) == ("missing", "no sample of it, or one that is not a number")
    assert screened([paired(1, math.nan), *slower_by(1.0, 11)]).is_incomplete


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_ratio_of_what_is_not_above_zero_is_inconclusive(value: float) -> None:
    assert screened([*slower_by(1.0, 11), paired(1, value)]).status == "inconclusive"


def test_zero_everywhere_is_unchanged() -> None:
    assert screened([paired(0, 0)] * 12).status == "unchanged"


@pytest.mark.parametrize("count", range(1, 11))
def test_too_few_pairs_to_ever_reject_pass_nothing(count: int) -> None:
    """Fewer than eleven pairs bound nothing at one in two thousand, and confirm nothing among many."""
    assert screened(slower_by(1.0, count)).status == "inconclusive"
    assert screened(slower_by(1.0, count)).needs is None
    assert confirmed(slower_by(1.5, count)).status == "inconclusive"


def test_another_unit_or_direction_is_not_comparable() -> None:
    pairs = [PairedRuns({"m": time(1)}, {"m": Figure(1, "B", "higher")})] * 12
    assert (screened(pairs).status, screened(pairs).reason) == (
        "not-comparable",
        "differing: unit (s, now B), better (lower, now higher)",
    )


# --- exact metrics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [([7], [7], "unchanged"), ([7], [8], "regressed"), ([7, 8], [7], "inconclusive"), ([7], [8, 7], "inconclusive")],
)
def test_exact_metrics_are_compared_exactly(before: list[float], after: list[float], status: str) -> None:
    pairs = [
        paired(before[place % len(before)], after[place % len(after)], better="exact", unit="1") for place in range(12)
    ]
    assert screened(pairs).status == status


def test_an_exact_metric_that_differs_between_processes_of_one_run_is_inconclusive() -> None:
    wavering = Figure(7, "1", "exact", is_steady=False)
    assert screened([PairedRuns({"m": wavering}, {"m": wavering})] * 12).status == "inconclusive"


# --- properties ------------------------------------------------------------------------------------------------------


def runs_of(ratios: list[float], unit: float = 1.0) -> list[PairedRuns]:
    return [paired(unit, unit * ratio) for ratio in ratios]


@untimed
@given(RATIOS, st.sampled_from([0.001, 3.7, 1e9]), st.randoms())
def test_neither_the_unit_nor_the_order_of_pairs_matters(ratios: list[float], unit: float, random: object) -> None:
    before = confirmed(runs_of(ratios))
    random.shuffle(ratios)  # type: ignore[attr-defined]
    after = confirmed(runs_of(ratios, unit))
    assert after.status == before.status
    assert after.slowdown == pytest.approx(before.slowdown, abs=1e-9)


@untimed
@given(RATIOS, st.floats(1.0, 1.5))
def test_what_is_slower_still_is_no_less_regressed(ratios: list[float], more: float) -> None:
    if confirmed(runs_of(ratios)).status == "regressed":
        assert confirmed(runs_of([ratio * more for ratio in ratios])).status == "regressed"


@untimed
@given(RATIOS)
def test_swapping_the_sides_never_leaves_a_regression_a_regression(ratios: list[float]) -> None:
    found, mirrored = confirmed(runs_of(ratios)), confirmed(runs_of([1 / ratio for ratio in ratios]))
    assert "regressed" not in (found.status, mirrored.status) or found.status != mirrored.status
    assert mirrored.slowdown == pytest.approx(-(found.slowdown or 0), abs=1e-9)


@untimed
@given(RATIOS)
def test_a_constant_metric_beside_it_changes_no_status_to_an_alarm(ratios: list[float]) -> None:
    alone = confirmed(runs_of(ratios))
    both = confirm(["m0", "m1"], merged(runs_of(ratios), runs_of([1.0] * 12)), RULES, is_over=True)
    assert both["m1"].status == "unchanged"
    assert not (both["m0"].status == "regressed" and alone.status != "regressed")
