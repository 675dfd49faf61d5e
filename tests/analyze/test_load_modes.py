from __future__ import annotations

import pytest

from synapse_perf.analyze.load_modes import best_variants
from synapse_perf.analyze.load_starts import starts_of
from synapse_perf.model import Finding, Metric
from tests.analyze.made_starts import made_start


def findings(*metrics: list[Metric]) -> list[Finding]:
    return best_variants(starts_of([one for each in metrics for one in each]), 0.95)


def variant(total_s: float, arm: str, **more: object) -> list[Metric]:
    return made_start(total_s, {}, variant=f"load_mode={arm}", arm=arm, **more)  # type: ignore[arg-type]


def test_a_clearly_faster_way_wins_with_its_gain_and_the_settings() -> None:
    found = findings(made_start(2.0, {}), variant(1.5, "read"))[0]

    assert found.evidence["best"] == "read"
    assert found.gain is not None
    assert found.gain.value == pytest.approx(0.5)
    assert found.gain.low is not None
    assert found.gain.low > 0
    assert "use_mmap=False" in found.change
    assert "--load-mode none" in found.change


def test_ways_that_differ_by_less_than_their_noise_cannot_be_told_apart() -> None:
    found = findings(made_start(2.0, {}), variant(1.99, "read"))[0]

    assert "cannot be told apart" in found.cause
    assert found.gain is None


def test_the_reference_that_wins_asks_for_no_change() -> None:
    found = findings(made_start(1.5, {}), variant(2.0, "read"))[0]

    assert "as it is set" in found.cause
    assert found.change == ""


def test_five_processes_are_too_few_for_a_winner() -> None:
    five = (0.97, 0.98, 1.0, 1.02, 1.03)

    found = findings(made_start(2.0, {}), variant(1.0, "read", spread=five))[0]

    assert "cannot be told apart" in found.cause


def test_a_way_that_llama_cpp_did_not_honour_is_named_and_never_wins() -> None:
    facts = {"load_mode_effective": False, "load_mode_problem": "mlock failed: Cannot allocate memory"}

    found = findings(made_start(2.0, {}), variant(1.0, "mlock", facts=facts), variant(1.5, "read"))

    assert [one.id for one in found] == ["load-mode-not-effective", "best-load-mode"]
    assert "Cannot allocate memory" in found[0].cause
    assert found[1].evidence["best"] == "read"


def test_the_claim_to_be_the_best_of_three_is_corrected_for_two_comparisons() -> None:
    found = findings(made_start(2.0, {}), variant(1.5, "read"), variant(2.2, "direct"))[0]

    assert found.evidence["confidence"] == pytest.approx(0.975)


def test_cold_and_warm_are_judged_apart() -> None:
    warm = variant(2.0, "read", cache="warm")

    found = findings(made_start(2.0, {}), variant(1.5, "read"), made_start(1.5, {}, cache="warm"), warm)

    assert [(one.evidence["cache"], one.evidence["best"]) for one in found] == [("cold", "read"), ("warm", "mmap")]
