"""Whole gates on machines whose truth is known: no alarm where nothing changed, none missed where it did.

A few of each here; a thousand of each in ``make bench`` (tests/bench/test_gate.py).
"""

from __future__ import annotations

import pytest

from synapse_perf.analyze.gate_paired import Rules
from tests.analyze.gate_simulation import (
    BAD,
    LOADED,
    LOADED_WAITING,
    MACHINES,
    QUIET,
    SHARED,
    SLOWED,
    Machine,
    gates,
    peer_rates,
    variants,
)

COUNT = 15


@pytest.mark.parametrize("machine", [each for one in MACHINES for each in variants(one)], ids=lambda one: one.name)
def test_identical_code_raises_no_alarm(machine: Machine) -> None:
    assert [outcome.alarms for outcome in gates(machine, COUNT, seed=1) if outcome.alarms] == []


@pytest.mark.parametrize("machine", [QUIET, SHARED], ids=lambda one: one.name)
def test_identical_code_is_called_unchanged_and_not_merely_undecided(machine: Machine) -> None:
    statuses = {one.status for outcome in gates(machine, COUNT, seed=2) for one in outcome.judgements}
    assert statuses == {"unchanged"}


@pytest.mark.parametrize("machine", [*variants(QUIET)[:3], *variants(SHARED)[:3]], ids=lambda one: one.name)
def test_one_metric_slower_by_a_tenth_is_found_and_no_other(machine: Machine) -> None:
    assert [outcome.alarms for outcome in gates(machine, COUNT, seed=3, slowdown=0.10)] == [[SLOWED]] * COUNT


@pytest.mark.parametrize("machine", variants(BAD), ids=lambda one: one.name)
def test_where_noise_hides_a_slowdown_it_is_not_called_unchanged(machine: Machine) -> None:
    found = [outcome.status_of(SLOWED) for outcome in gates(machine, COUNT, seed=4, slowdown=0.12)]
    assert set(found) <= {"regressed", "inconclusive"}


def test_a_slowdown_below_the_floor_is_no_alarm() -> None:
    assert [outcome.alarms for outcome in gates(QUIET, COUNT, seed=5, slowdown=0.01) if outcome.alarms] == []


def test_the_usual_rules_raise_alarms_on_the_same_noise() -> None:
    """The simulation is no easy one: tests that take samples of one session for independent alarm where nothing is."""
    rates = peer_rates(SHARED, COUNT, seed=6)
    assert min(rates[name][0] for name in ("Mann-Whitney, 5 %", "t test, 5 %")) > 0.5


# --- beside others, who disturb every pair ---------------------------------------------------------------------------


def red(machine: Machine, slowdown: float, rules: Rules, count: int) -> int:
    return sum(outcome.is_red for outcome in gates(machine, count, seed=7, slowdown=slowdown, rules=rules))


def test_the_processor_time_halves_the_alarms_at_least_and_finds_as_much() -> None:
    """At twenty times the usual levels, so that few gates show it; thousands at the true ones in ``make bench``."""
    asked, not_asked = (Rules(alarm=0.4, alone=alone, confirm_pairs=(12, 30)) for alone in (0.04, 0.4))
    assert 0 < red(LOADED, 0.0, asked, 120) <= red(LOADED, 0.0, not_asked, 120) / 2
    asked, not_asked = Rules(), Rules(alone=Rules().alarm)
    assert red(LOADED, 0.2, asked, 60) >= 0.9 * red(LOADED, 0.2, not_asked, 60) > 0


def test_what_only_waits_longer_is_found_beside_others_by_stronger_evidence() -> None:
    assert red(LOADED_WAITING, 0.5, Rules(), 15) >= 10
