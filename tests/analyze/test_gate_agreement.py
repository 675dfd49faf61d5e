"""Where others disturb the pairs: what counts as slower, what does not, and is the reason told in words?"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from synapse_perf.analyze.gate_agreement import agreement_of
from synapse_perf.analyze.gate_figures import EVERY_TIME, Figure, is_timed
from synapse_perf.analyze.gate_paired import Judgement, PairedRuns, Rules, confirm
from tests.analyze.made_pairs import NOISE, slower_by

RULES = Rules()
# As a busy machine shows it: slower by a third in the mean, in some pairs faster; p is 0.0017 over these twelve.
CLOCK = (1.9, 1.2, 0.93, 1.4, 1.6, 1.1, 0.97, 1.3, 1.25, 1.7, 1.15, 1.5)


def beside(
    clock: tuple[float, ...],
    processor: float | None,
    disturbed: int = 12,
    unit: str = "s",
    scatter: float = 1.0,
) -> list[PairedRuns]:
    """Pairs of these ratios on the clock, of a processor time with small noise around one ratio."""
    made = []
    for place, ratio in enumerate(clock):
        before, after = {"m": Figure(1.0, unit, "lower")}, {"m": Figure(ratio, unit, "lower")}
        if processor is not None:
            used = Figure(0.2, "s", "lower", is_principal=False, stands_for=EVERY_TIME)
            before["cpu"] = used
            after["cpu"] = replace(used, value=0.2 * processor * (1 + scatter * NOISE[place % 12]))
        made.append(PairedRuns(before, after, is_disturbed=place < disturbed))
    return made


def confirmed(pairs: list[PairedRuns], rules: Rules = RULES) -> Judgement:
    return confirm(["m"], pairs, rules, is_over=True)["m"]


def test_on_an_undisturbed_machine_the_clock_is_believed() -> None:
    """A slowdown by waiting is real there."""
    found = confirmed(beside(CLOCK, 1.0, disturbed=6))
    assert (found.status, found.pairs) == ("regressed", 12)
    assert found.reason == "slower by more than 3.00 %: p 0.0017 in 12 fresh pairs"


def test_beside_others_it_is_not_where_both_sides_compute_as_long() -> None:
    found = confirmed(beside(CLOCK, 1.0, disturbed=7))
    assert found.status == "inconclusive"
    assert found.slowdown == pytest.approx(math.log(1.31), abs=0.02)
    assert found.reason == (
        "slower here (p 0.0017), but others disturbed 7 of 12 fresh pairs, and the processor time of both sides "
        "(1.00×, 1.00 to 1.00) does not confirm it"
    )


def test_beside_others_it_is_where_the_change_computes_longer_too() -> None:
    found = confirmed(beside(CLOCK, 1.15))
    assert found.status == "regressed"
    assert found.reason == (
        "slower by more than 3.00 %: p 0.0017 in 12 fresh pairs, others disturbed most of them, and the processor "
        "time of both sides (1.15×, 1.15 to 1.15) confirms it"
    )


def test_a_little_more_processor_time_does_not_confirm_a_slowdown_by_a_third() -> None:
    assert confirmed(beside(CLOCK, 1.02)).status == "inconclusive"


def test_processor_time_that_is_noise_itself_confirms_nothing() -> None:
    assert confirmed(beside(CLOCK, 1.1, scatter=60)).status == "inconclusive"


@pytest.mark.parametrize("processor", [1.0, None])
def test_what_only_waits_longer_is_slower_where_every_pair_says_so(processor: float | None) -> None:
    """A chance of 1 in 4096 needs no second witness."""
    found = confirmed(beside((1.3,) * 12, processor))
    assert found.status == "regressed"
    assert found.reason.endswith("which is more than what others disturbed explains")


def test_without_any_processor_time_the_reason_says_so() -> None:
    found = confirmed(beside(CLOCK, None))
    assert found.status == "inconclusive"
    assert found.reason.endswith("and no processor time is known")


def test_counts_and_bytes_are_judged_as_ever() -> None:
    assert confirmed(beside(CLOCK, 1.0, unit="B")).status == "regressed"
    assert confirmed(beside(CLOCK, 1.0, unit="1/s")).status == "inconclusive"


def test_processor_time_itself_needs_no_other_witness() -> None:
    pairs = beside((1.0,) * 12, 1.15)
    assert confirm(["m", "cpu"], pairs, RULES, is_over=True)["cpu"].status == "regressed"
    assert not is_timed(pairs[0].after["cpu"])


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_processor_time_that_a_run_does_not_tell_confirms_nothing(value: float) -> None:
    pairs = beside(CLOCK, 1.2)
    broken = {**pairs[3].after, "cpu": replace(pairs[3].after["cpu"], value=value)}
    pairs[3] = replace(pairs[3], after=broken)
    assert agreement_of([(pair.before, pair.after) for pair in pairs]) is None
    assert confirmed(pairs).status == "inconclusive"


def test_what_is_said_of_processor_time_is_that_of_the_same_pairs() -> None:
    found = agreement_of([(pair.before, pair.after) for pair in beside(CLOCK, 1.2)])
    assert found is not None
    assert found.p == 2.0**-12
    assert found.more == pytest.approx(math.log(1.2), abs=0.01)
    assert agreement_of([(pair.before, pair.after) for pair in slower_by(1.0)]) is None
    assert agreement_of([(pair.before, pair.after) for pair in beside(CLOCK[:3], 1.2)]) is None
