"""The answer to "does it fit", from plans with known figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.load_fit import ESTIMATED, Fit, LoadedCheck, fit_finding, matches, together_finding
from synapse_perf.llama.memory_pools import Plan, Pool
from synapse_perf.units import GIB, MIB


def plan(n_ctx: int) -> Plan:
    """64 KiB of cache a token, and buffers of 256 MiB whatever the context."""
    return Plan(n_ctx, n_ctx * 64 * 1024, {"CPU": 256 * MIB})


def fit(free_bytes: int, asked: int = 4096, largest: int | None = 32768, trained: int = 32768) -> Fit:
    pool = Pool("main memory", free_bytes, GIB, 4 * GIB)
    plans = tuple(plan(n_ctx) for n_ctx in sorted({512, asked, largest or asked, trained}))
    return Fit("tiny", plan(asked), plans, plan(largest) if largest else None, trained, (pool,))


def test_a_model_with_room_to_spare_is_for_information() -> None:
    """4 GiB of weights, 256 MiB of cache and 256 MiB of buffers are 4.5 GiB, 45 % of 10 GiB."""
    finding = fit_finding(fit(10 * GIB))
    assert (finding.id, finding.severity, finding.change) == ("memory-fit", "info", "")
    assert finding.evidence["need_bytes"] == 4.5 * GIB
    assert "fits at a context of 4096: 4.50 GiB" in finding.cause
    assert "45.0 % of the 10.0 GiB that are free in main memory" in finding.cause
    assert "the whole trained context of 32768 fits" in finding.cause


def test_more_than_nine_tenths_of_the_free_memory_is_severe() -> None:
    assert fit_finding(fit(5 * GIB)).severity == "info"
    crowded = fit_finding(fit(round(4.9 * GIB)))
    assert crowded.severity == "high"
    assert "n_ctx=2048" in crowded.change


def test_what_does_not_fit_is_severe_and_names_the_context_that_does() -> None:
    finding = fit_finding(fit(5 * GIB, asked=16384, largest=12032))
    assert finding.severity == "high"
    assert "does not fit at a context of 16384" in finding.cause
    assert "the largest context that fits is 12032 of 32768 trained" in finding.cause
    assert "n_ctx=8192" in finding.change
    assert finding.evidence["trained_context_fits"] is False


def test_where_no_context_fits_a_smaller_model_is_the_advice() -> None:
    finding = fit_finding(fit(4 * GIB, largest=None))
    assert "no context fits" in finding.cause
    assert "smaller model" in finding.change
    assert finding.evidence["largest_context"] is None


def test_growth_is_told_for_a_thousand_tokens() -> None:
    assert fit(10 * GIB).bytes_per_1000_tokens == 64 * 1024 * 1000


def test_the_fullest_memory_decides() -> None:
    card = Pool("CUDA0", 2 * GIB, 0, 3 * GIB, devices=("CUDA0",), is_rest=False)
    finding = fit_finding(replace(fit(10 * GIB), pools=(*fit(10 * GIB).pools, card)))
    assert finding.severity == "high"
    assert finding.evidence["memory"] == "CUDA0"


def test_a_load_that_took_what_was_computed_confirms_it() -> None:
    checked = LoadedCheck(32768, plan(32768).kv_bytes, plan(32768).compute_bytes)
    finding = fit_finding(replace(fit(10 * GIB), checked=checked))
    assert finding.evidence["checked_by_loading"] is True
    assert finding.evidence["kv_computed_and_loaded_bytes"] == [2 * GIB, 2 * GIB]
    assert "a load with a context of 32768 took what was computed" in finding.cause


def test_a_load_that_took_more_refutes_it() -> None:
    checked = LoadedCheck(32768, plan(32768).kv_bytes, plan(32768).compute_bytes + GIB)
    finding = fit_finding(replace(fit(10 * GIB), checked=checked))
    assert finding.severity == "high"
    assert "took 3.25 GiB for KV cache and compute instead of the 2.25 GiB computed" in finding.cause


def test_a_load_that_took_less_is_told_without_alarm() -> None:
    finding = fit_finding(replace(fit(10 * GIB), checked=LoadedCheck(32768, plan(32768).kv_bytes, 100 * MIB)))
    assert finding.severity == "info"
    assert "instead of" in finding.cause


def test_a_load_that_failed_checks_nothing() -> None:
    finding = fit_finding(replace(fit(10 * GIB), checked=LoadedCheck(32768, None, None, "no memory left")))
    assert finding.severity == "high"
    assert finding.evidence["checked_by_loading"] is False
    assert "failed: no memory left" in finding.cause


def test_without_a_load_it_says_so() -> None:
    finding = fit_finding(fit(10 * GIB))
    assert finding.evidence["checked_by_loading"] is False
    assert "checked_context" not in finding.evidence


def test_an_estimate_is_labelled() -> None:
    assert "estimated" in str(fit_finding(replace(fit(10 * GIB), how=ESTIMATED)).evidence["how"])


@pytest.mark.parametrize(("loaded", "same"), [(100 * MIB, True), (100 * MIB + 20_000, True), (101 * MIB, False)])
def test_two_logs_agree_but_for_their_rounding(loaded: int, same: bool) -> None:
    assert matches(100 * MIB, loaded) is same
    assert not matches(100 * MIB, None)


def test_several_models_are_added_up() -> None:
    found = together_finding([fit(10 * GIB), replace(fit(10 * GIB), model="other")])
    assert found is not None
    assert (found.severity, found.evidence["together_bytes"]) == ("info", 9 * GIB)
    assert "all 2 models at once fit: 9.00 GiB of 10.0 GiB free" in found.cause


def test_several_models_that_do_not_fit_together_are_told() -> None:
    found = together_finding([fit(8 * GIB), replace(fit(8 * GIB), model="other")])
    assert found is not None
    assert found.severity == "medium"
    assert "do not fit" in found.cause


def test_one_model_alone_has_no_sum() -> None:
    assert together_finding([fit(10 * GIB)]) is None
