from __future__ import annotations

import json
from dataclasses import replace

import pytest

from synapse_perf.analyze.tuning import CURRENT, Budget, Floors, format_count
from synapse_perf.analyze.tuning_plan import races
from tests.analyze.made_tuning import Machine, Truth, request

CLUSTERED: dict[tuple[str, float], Truth] = {
    ("Flat", 0): Truth(6e-3, recall=1.0, growth=1.0, file_bytes=154_000_000, build_s=0.1),
    ("SQ8", 0): Truth(4e-3, recall=0.985, growth=1.0, file_bytes=38_000_000),
    ("RaBitQ", 0): Truth(7e-4, growth=0.9, file_bytes=82_000_000),
    ("IVF", 0.5): Truth(1.1e-4),
    ("IVF", 1): Truth(9e-5),
    ("IVF", 2): Truth(8e-5),
    ("IVF", 4): Truth(1.3e-4, build_s=20),
    ("IVF,RaBitQ", 0.5): Truth(5e-5, growth=0.4),
    ("IVF,RaBitQ", 1): Truth(6.2e-5, growth=0.4),
    ("IVF,RaBitQ", 2): Truth(9e-5, growth=0.4),
    ("IVF,RaBitQ", 4): Truth(1.4e-4, growth=0.4),
    ("HNSW", 16): Truth(4e-4, growth=0.7, build_s=30),
    ("HNSW", 32): Truth(2e-4, growth=0.7, build_s=60),
}
UNIFORM: dict[tuple[str, float], Truth] = {
    ("Flat", 0): Truth(6e-3, recall=1.0, growth=1.0, file_bytes=154_000_000),
    ("SQfp16", 0): Truth(4e-3, recall=0.999, growth=1.0, file_bytes=77_000_000),
    ("RaBitQ", 0): Truth(2.5e-3, growth=0.9, file_bytes=82_000_000),
    ("IVF", 1): Truth(6.5e-3, growth=1.0),
    ("IVF,RaBitQ", 1): Truth(5e-3, growth=1.0),
    ("HNSW", 32): Truth(9e-3, recall=0.80, growth=0.9, build_s=60),
}


def _fastest(machine: Machine, recall: float = 0.95) -> float:
    return min(
        truth.p50_s for (family, _), truth in machine.truths.items() if truth.recall > recall and family != CURRENT
    )


@pytest.mark.parametrize("truths", [CLUSTERED, UNIFORM])
@pytest.mark.parametrize("seed", range(10))
def test_the_fastest_index_with_enough_recall_is_chosen_in_a_known_landscape(
    truths: dict[tuple[str, float], Truth], seed: int
) -> None:
    machine = Machine(truths, seed=seed)
    tuning = machine.tune(request(machine))
    assert tuning.advice == "change"
    assert tuning.winner is not None
    assert tuning.winner.p50_s <= 1.1 * _fastest(machine)
    assert not tuning.winner.dropped
    assert tuning.winner.on_front


def test_what_cannot_win_is_not_built_in_full_and_the_reason_is_told() -> None:
    machine = Machine(CLUSTERED)
    tuning = machine.tune(request(machine))
    full = {(family, size) for family, size, rows in machine.built if rows == machine.count}
    assert not {family for family, _ in full} & {"Flat", "SQ8", "RaBitQ", "HNSW"}
    assert ("IVF,RaBitQ", 4) not in full
    reasons = dict(tuning.left_out)
    assert reasons["HNSW"].endswith("too slow")
    assert "12 500 vectors" in reasons["HNSW"]


def test_the_recall_that_is_wanted_decides() -> None:
    machine = Machine({**CLUSTERED, ("IVF,RaBitQ", 0.5): Truth(5e-5, recall=0.90), ("IVF", 2): Truth(8e-5, 0.999)})
    tuning = machine.tune(request(machine, Budget(0.99)))
    assert tuning.winner is not None
    assert tuning.winner.recall_low >= 0.99


def test_an_index_that_has_to_compare_most_vectors_is_not_built_in_full() -> None:
    machine = Machine({**UNIFORM, ("IVF", 1): Truth(2e-3, compared_share=0.9)})
    options = tuple(replace(one, growth=0.5) if one.family == "IVF" else one for one in request(machine).options)
    tuning = machine.tune(request(machine, options=options))
    assert ("IVF", 1, machine.count) not in machine.built
    assert dict(tuning.left_out)["IVF"].startswith("compares 90.0 % of the vectors")


def test_projections_that_were_too_dark_are_corrected_by_what_was_built() -> None:
    """All three grow far less than expected, and the best of them no better than the others in the race."""
    truths: dict[tuple[str, float], Truth] = {
        ("IVF", 1): Truth(1.0e-4, growth=0.2),
        ("HNSW", 32): Truth(9e-5, growth=0.2),
        ("HNSW,SQ8", 32): Truth(6e-5, growth=-0.05),
    }
    machine = Machine(truths)
    options = tuple(replace(one, growth=0.7) for one in request(machine).options)
    tuning = machine.tune(request(machine, options=options))
    assert tuning.winner is not None
    assert tuning.winner.family == "HNSW,SQ8"


def test_a_family_that_crashes_costs_only_itself() -> None:
    machine = Machine({**CLUSTERED, ("IVF,RaBitQ", 2): Truth(5e-5, fails="the process crashed: SIGSEGV")})
    tuning = machine.tune(request(machine))
    assert tuning.winner is not None
    assert tuning.winner.family == "IVF"
    assert dict(tuning.left_out)["IVF,RaBitQ"] == "the process crashed: SIGSEGV"


def test_few_vectors_are_not_raced() -> None:
    machine = Machine(CLUSTERED, count=8000)
    tuning = machine.tune(request(machine))
    assert {rows for _, _, rows in machine.built} == {8000}
    assert len(machine.built) == len(CLUSTERED)
    assert tuning.winner is not None
    assert tuning.winner.p50_s <= 1.1 * _fastest(machine)


def test_races_grow_by_the_same_factor_and_start_small() -> None:
    assert races(10_000) == ()
    assert races(20_000) == (5000,)
    assert races(100_000) == (12_500,)
    assert races(1_000_000) == (15_625, 125_000)


# --- the current index ---------------------------------------------------------------------------------------------


def test_an_index_that_is_as_fast_as_the_best_is_kept() -> None:
    machine = Machine({**CLUSTERED, (CURRENT, 0): Truth(5.01e-5)}, noise=0.05)
    tuning = machine.tune(request(machine))
    assert tuning.advice == "keep"
    assert tuning.finding().change == ""
    assert tuning.code == "" or "cannot be told apart" in tuning.reason


def test_an_index_that_keeps_to_the_budget_is_kept_however_fast_others_are() -> None:
    machine = Machine({**CLUSTERED, (CURRENT, 0): Truth(5e-3, recall=1.0)})
    tuning = machine.tune(request(machine, Budget(0.95, latency_s=0.05)))
    assert tuning.advice == "keep"
    assert "keeps to the budget" in tuning.reason
    assert tuning.gain is not None
    assert tuning.gain.low is not None
    assert tuning.gain.low > 0


def test_a_slow_index_is_to_be_changed_with_the_gain_that_was_measured() -> None:
    machine = Machine({**CLUSTERED, (CURRENT, 0): Truth(6e-3, recall=1.0)})
    tuning = machine.tune(request(machine, Budget(0.95, latency_s=1e-3)))
    finding = tuning.finding()
    assert tuning.advice == "change"
    assert tuning.current is not None
    assert finding.gain is not None
    assert finding.gain.measured
    assert finding.gain.value == pytest.approx(1.5 * (6e-3 - 5e-5), rel=0.15)
    assert finding.gain.low is not None
    assert finding.gain.low < finding.gain.value < (finding.gain.high or 0)
    assert finding.change == tuning.code != ""
    assert finding.severity == "medium"


def test_an_index_that_finds_too_little_is_to_be_changed_even_if_it_is_faster() -> None:
    machine = Machine({**CLUSTERED, (CURRENT, 0): Truth(2e-5, recall=0.55)})
    tuning = machine.tune(request(machine, Budget(0.95, latency_s=0.05)))
    assert tuning.advice == "change"
    assert "55.0 %" in tuning.reason
    assert tuning.finding().severity == "high"


def test_an_index_without_a_rival_is_kept() -> None:
    machine = Machine({**CLUSTERED, (CURRENT, 0): Truth(1e-5)})
    tuning = machine.tune(request(machine))
    assert tuning.advice == "keep"
    assert tuning.winner is not None
    assert tuning.winner.family == CURRENT


@pytest.mark.parametrize("seed", range(20))
def test_equals_are_seldom_told_apart(seed: int) -> None:
    """Twenty ties: at 95 % confidence one false difference is expected at most, on the better side half of that."""
    machine = Machine({("IVF", 1): Truth(1e-4), (CURRENT, 0): Truth(1e-4)}, noise=0.1, seed=seed)
    tuning = machine.tune(request(machine))
    assert tuning.advice == "keep", tuning.reason


# --- budgets that cannot be kept -----------------------------------------------------------------------------------


def test_nothing_keeps_to_the_budget_and_the_closest_is_named() -> None:
    machine = Machine(CLUSTERED)
    tuning = machine.tune(request(machine, Budget(0.95, latency_s=1e-6)))
    assert tuning.advice == "none"
    assert tuning.winner is None
    assert "IVF,RaBitQ" in tuning.reason
    assert "p95 1.00 µs" in tuning.reason


def test_no_recall_is_high_enough() -> None:
    machine = Machine({key: replace(truth, recall=0.9) for key, truth in CLUSTERED.items()})
    tuning = machine.tune(request(machine, Budget(0.99)))
    assert tuning.advice == "none"
    assert not machine.asked("tune_compare")


def test_memory_leaves_out_what_is_too_large_before_it_is_built_in_full() -> None:
    small = {**CLUSTERED, ("SQ8", 0): Truth(4e-3, recall=0.985, growth=1.0, file_bytes=5_000_000)}
    machine = Machine(small)
    tuning = machine.tune(request(machine, Budget(0.95, memory_bytes=10_000_000)))
    assert tuning.winner is not None
    assert tuning.winner.family == "SQ8"
    assert {family for family, _, rows in machine.built if rows == machine.count} == {"SQ8"}


def test_an_index_that_takes_more_memory_than_its_file_is_judged_by_what_it_takes() -> None:
    machine = Machine({("IVF", 1): Truth(1e-4, file_bytes=95_000_000), ("SQ8", 0): Truth(4e-3, file_bytes=50_000_000)})
    tuning = machine.tune(request(machine, Budget(0.95, memory_bytes=100_000_000)))
    assert tuning.winner is not None
    assert tuning.winner.family == "SQ8"


def test_few_queries_are_judged_by_the_estimate_and_that_is_told() -> None:
    machine = Machine(CLUSTERED)
    tuning = machine.tune(request(machine, queries=40))
    assert any("40 queries are too few" in warning for warning in tuning.warnings)
    assert not machine.trials[-1].spec.workload.get("shown")


def test_when_time_runs_short_what_was_found_is_compared() -> None:
    machine = Machine(CLUSTERED)
    tuning = machine.tune(request(machine, max_time_s=10))
    assert len(machine.asked("tune_compare")) >= 2
    assert tuning.advice == "change"


def test_out_of_time_ends_with_what_is_known() -> None:
    machine = Machine(CLUSTERED)
    tuning = machine.tune(request(machine, max_time_s=0.5))
    assert len(machine.trials) == 1
    assert tuning.advice == "unfinished"


# --- what the report shows -----------------------------------------------------------------------------------------


def test_the_finalists_are_compared_in_enough_processes_and_opened_cold() -> None:
    machine = Machine({**CLUSTERED, (CURRENT, 0): Truth(6e-3, recall=1.0)})
    tuning = machine.tune(request(machine, processes=7))
    assert len(machine.asked("tune_compare")) == 7
    cold = machine.asked("tune_cold")
    assert {spec.page_cache for spec in cold} == {"cold"}
    assert {len([one for one in cold if one.files == spec.files]) for spec in cold} == {7}
    for row in (tuning.winner, tuning.runner_up, tuning.current):
        assert row is not None
        assert row.cold is not None
        assert row.memory_bytes is not None
        assert row.p95.low is not None
        assert row.p95.low < row.p95.value < (row.p95.high or 0)


def test_the_difference_of_winner_and_runner_up_has_an_interval_that_holds_the_truth() -> None:
    machine = Machine(CLUSTERED)
    tuning = machine.tune(request(machine))
    assert tuning.winner is not None
    assert tuning.runner_up is not None
    truths = {f"{family}/{size:g}": truth.p50_s for (family, size), truth in CLUSTERED.items()}
    true_difference = 1.5 * (truths[tuning.runner_up.index] - truths[tuning.winner.index])
    assert tuning.difference is not None
    assert tuning.difference.low is not None
    assert tuning.difference.low <= true_difference <= (tuning.difference.high or 0)


def test_only_what_nothing_beats_in_both_is_on_the_front() -> None:
    machine = Machine(CLUSTERED)
    points = machine.tune(request(machine)).points
    front = [point for point in points if point.on_front]
    assert front
    assert all(
        any(
            (one.recall >= point.recall and one.p95_s < point.p95_s)
            or (one.recall > point.recall and one.p95_s <= point.p95_s)
            for one in points
        )
        != point.on_front
        for point in points
    )


def test_growth_is_measured_only_where_a_latency_budget_asks_at_what_size_it_breaks() -> None:
    machine = Machine(CLUSTERED)
    assert machine.tune(request(machine)).capacity is None
    machine = Machine(CLUSTERED, noise=0.001)
    tuning = machine.tune(request(machine, Budget(0.95, latency_s=1.5e-4)))
    assert tuning.capacity is not None
    assert [size for size, _ in tuning.capacity.sizes] == [6250, 25_000, 100_000]
    assert tuning.capacity.vectors is not None
    true_vectors = 100_000 * (1.5e-4 / 7.5e-5) ** (1 / 0.4)
    assert (tuning.capacity.low or 0) < true_vectors < (tuning.capacity.high or 0)
    assert f"{format_count(tuning.capacity.low or 0)} vectors" in tuning.finding().alert


@pytest.mark.parametrize(
    ("floors", "bound"),
    [
        (Floors(1e6, 1e10, 1e-6, 0, 1e-7), "memory"),  # 100 of 120 µs
        (Floors(1e5, 1e10, 1e-6, 0, 1e-7), "compute"),
        (Floors(1e5, 1e10, 9e-5, 0, 1e-7), "Python"),
        (Floors(1e5, 1e10, 1e-6, 800, 1e-7), "faults"),
    ],
)
def test_what_takes_the_largest_part_of_a_query_bounds_it(floors: Floors, bound: str) -> None:
    assert floors.bound(1.2e-4) == bound
    assert sum(floors.shares(1.2e-4).values()) == pytest.approx(1)


def test_the_outcome_can_be_kept_as_json() -> None:
    machine = Machine(CLUSTERED)
    tuning = machine.tune(request(machine, Budget(0.95, latency_s=1e-3)))
    kept = json.loads(json.dumps(tuning.as_json(), allow_nan=False))
    assert kept["winner"]["index"] == "IVF,RaBitQ/0.5"
    assert json.dumps(dict(tuning.finding().evidence), allow_nan=False)
