"""How often is a gate wrong, over a thousand whole gates of each kind, and what does deciding cost?

What a kind has given is kept under build/, so that a run that was cut off goes on; remove the folder to begin anew.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.analyze.gate_files import rows_between
from synapse_perf.analyze.gate_paired import Rules, screen
from synapse_perf.results import dumps
from tests.analyze.gate_simulation import BAD, MACHINES, SLOWED, Machine, gates, peer_rates, variants
from tests.analyze.made_pairs import merged, slower_by
from tests.analyze.trials import metric
from tests.made_results import made_result

GATES = 1000
MOST_WRONG = 4  # of a thousand: the 95 % upper bound of the true rate is then 0.91 %
KEPT = Path(__file__).parents[2] / "build" / "gate-simulation"
EVERY = [each for one in MACHINES for each in variants(one)]
SEEN_CLEARLY = [each for one in MACHINES[:2] for each in variants(one) if each.classes == 1]


def outcomes(machine: Machine, slowdown: float) -> Counter[str]:
    """Alarms of metrics that did not change, and what became of the slowed one, over all gates."""
    kept = KEPT / f"{machine.name.replace(' ', '-')}-{slowdown:g}.json"
    if kept.exists():
        return Counter(json.loads(kept.read_text()))
    found: Counter[str] = Counter()
    for outcome in gates(machine, GATES, seed=11, slowdown=slowdown):
        found["false alarms"] += any(name != SLOWED or slowdown == 0 for name in outcome.alarms)
        found[outcome.status_of(SLOWED)] += 1
        found["pairs"] += outcome.pairs
    KEPT.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
    return found


@pytest.mark.parametrize("machine", EVERY, ids=lambda one: one.name)
def test_false_alarms_of_a_thousand_gates(benchmark: BenchmarkFixture, machine: Machine) -> None:
    found = benchmark.pedantic(outcomes, args=(machine, 0.0), rounds=1)
    print(f"\n{machine.name}, identical code: {dict(found)}")  # noqa: T201
    assert found["false alarms"] <= MOST_WRONG


@pytest.mark.parametrize("machine", SEEN_CLEARLY, ids=lambda one: one.name)
def test_a_tenth_slower_in_a_thousand_gates(benchmark: BenchmarkFixture, machine: Machine) -> None:
    found = benchmark.pedantic(outcomes, args=(machine, 0.10), rounds=1)
    print(f"\n{machine.name}, one metric 10 % slower: {dict(found)}")  # noqa: T201
    assert GATES - found["regressed"] <= MOST_WRONG
    # Where builds differ by themselves, a tenth slower may truly be less than a tenth.
    assert found["unchanged"] == 0 or machine.bias > 0


@pytest.mark.parametrize("machine", variants(BAD), ids=lambda one: one.name)
def test_a_tenth_slower_on_a_bad_machine_is_told_or_undecided(benchmark: BenchmarkFixture, machine: Machine) -> None:
    found = benchmark.pedantic(outcomes, args=(machine, 0.10), rounds=1)
    print(f"\n{machine.name}, one metric 10 % slower: {dict(found)}")  # noqa: T201
    assert found["unchanged"] <= MOST_WRONG or machine.bias > 0
    assert found["false alarms"] <= MOST_WRONG


@pytest.mark.parametrize("machine", MACHINES, ids=lambda one: one.name)
def test_rules_of_other_tools_on_the_same_noise(benchmark: BenchmarkFixture, machine: Machine) -> None:
    rates = benchmark.pedantic(peer_rates, args=(machine, GATES, 11), rounds=1)
    for name, (alarms, found) in rates.items():
        print(f"\n{machine.name}, {name}: {alarms:.1%} of gates with a false alarm, {found:.1%} found")  # noqa: T201
    assert len(rates) == 3


def test_compare_two_files_of_a_megabyte(benchmark: BenchmarkFixture) -> None:
    groups = [[1.0 + 1e-6 * place for place in range(10_000)] for _ in range(6)]
    result = replace(made_result(), metrics=(metric(*groups),), checks=())
    assert len(dumps(result)) > 500_000

    (row,) = benchmark(rows_between, result, result)
    assert row.comparison.status == "unchanged"


def test_judge_a_screen_of_twelve_metrics(benchmark: BenchmarkFixture) -> None:
    pairs = merged(*([slower_by(1.0)] * 12))

    found = benchmark(screen, pairs, Rules())
    assert {one.status for one in found.values()} == {"unchanged"}
