"""The finals of a tuning: who is in them, what each is asked, and when a kind of trial is given up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from synapse_perf.analyze.tuning import CURRENT, Budget
from synapse_perf.analyze.tuning_finals import FINALISTS, finalists, next_final, quickest
from synapse_perf.analyze.tuning_plan import TuningRequest
from synapse_perf.model import Failure, Trial, TrialSpec
from tests.analyze.made_tuning import Machine, Truth, request

Times = dict[tuple[str, float], float]
TIMES: Times = {("A", 0): 1e-4, ("B", 0): 1.1e-4, ("C", 0): 1.2e-4, ("D", 0): 1.3e-4, ("E", 0): 1.4e-4, ("F", 0): 9e-4}


def measured_alone(times: Times, **changes: object) -> tuple[TuningRequest, Machine]:
    """All of them on all vectors, too few to be raced, and the finals not begun."""
    truths = {key: Truth(p50_s) for key, p50_s in times.items()}
    machine = Machine(truths, count=2000, noise=0.0)
    asked = request(machine, **changes)  # type: ignore[arg-type]
    machine.tune(asked)
    machine.trials = tuple(trial for trial in machine.trials if trial.spec.benchmark == "tune_index")
    return asked, machine


def ended(spec: TrialSpec, process: int, message: str) -> Trial:
    return Trial(spec, process, (), 1.0, failure=Failure("crash", message))


def test_finalists_are_the_few_that_are_about_as_fast_as_the_fastest() -> None:
    asked, machine = measured_alone(TIMES)
    names = [one.family for one in finalists(asked, machine.trials)]
    assert names == ["A", "B", "C", "D"]
    assert len(names) == FINALISTS


def test_the_fastest_has_a_rival_however_far_behind_that_is() -> None:
    asked, machine = measured_alone({("A", 0): 1e-4, ("F", 0): 9e-4})
    assert [one.family for one in finalists(asked, machine.trials)] == ["A", "F"]


def test_the_current_index_is_in_the_finals_however_slow_it_is() -> None:
    asked, machine = measured_alone({**TIMES, (CURRENT, 0): 1e-1})
    assert [one.family for one in finalists(asked, machine.trials)] == [CURRENT, "A", "B", "C", "D"]


def test_all_are_asked_side_by_side_and_the_two_fastest_and_the_current_one_are_opened_cold() -> None:
    machine = Machine({key: Truth(p50_s) for key, p50_s in {**TIMES, (CURRENT, 0): 2e-3}.items()}, count=2000)
    machine.tune(request(machine, processes=6))
    (together,) = {str(spec.workload["finalists"]) for spec in machine.asked("tune_compare")}
    assert len(machine.asked("tune_compare")) == 6
    assert together.count("'file'") == 5
    opened = Counter(spec.workload["labels"]["family"] for spec in machine.asked("tune_cold"))
    assert opened[CURRENT] == 6
    assert sorted(opened.values()) == [6, 6, 6]
    assert all(spec.page_cache == "cold" and spec.files for spec in machine.asked("tune_cold"))


def test_the_trials_of_several_indexes_out_of_cold_files_take_turns() -> None:
    machine = Machine({key: Truth(p50_s) for key, p50_s in TIMES.items()}, count=2000)
    machine.tune(request(machine, processes=3))
    order = [spec.workload["labels"]["family"] for spec in machine.asked("tune_cold")]
    assert all(len(set(order[place : place + 2])) == 2 for place in range(0, len(order), 2))


def test_a_comparison_that_keeps_failing_is_given_up_and_the_rest_goes_on() -> None:
    asked, machine = measured_alone(TIMES)
    trials = machine.trials
    for process in (1, 2):
        spec = next_final(asked, trials)
        assert spec is not None
        assert spec.benchmark == "tune_compare"
        trials = (*trials, ended(spec, process, "the machine is out of memory"))
    following = next_final(asked, trials)
    assert following is not None
    assert following.benchmark == "tune_cold"


def test_a_file_that_cannot_be_shown_to_be_cold_is_not_opened_for_ever() -> None:
    """Its trials come back with another label, and count all the same."""
    asked, machine = measured_alone({("A", 0): 1e-4}, processes=2)
    trials, opened = machine.trials, 0
    while (spec := next_final(asked, trials)) is not None and opened < 20:
        came_back = replace(spec, labels={**spec.labels, "cache": "uncertified"})
        trials = (*trials, Trial(came_back, 1, (), 1.0))
        opened += spec.benchmark == "tune_cold"
    assert opened == 2


@pytest.mark.parametrize(("processes", "wanted"), [(2, 2), (6, 6)])
def test_as_many_processes_as_the_run_has(processes: int, wanted: int) -> None:
    machine = Machine({key: Truth(p50_s) for key, p50_s in TIMES.items()}, count=2000)
    machine.tune(request(machine, processes=processes))
    assert len(machine.asked("tune_compare")) == wanted


def test_memory_that_an_open_index_takes_decides_over_its_file() -> None:
    truths: dict[tuple[str, float], Truth] = {
        ("A", 0): Truth(1e-4, file_bytes=95_000_000),
        ("B", 0): Truth(2e-4, file_bytes=20_000_000),
    }
    machine = Machine(truths, count=2000, noise=0.0)
    asked = request(machine, Budget(0.95, memory_bytes=100_000_000))
    tuning = machine.tune(asked)  # an open one takes 1.1 times its file
    assert [one.family for one in quickest(asked, machine.trials)] == ["B"]
    assert tuning.winner is not None
    assert tuning.winner.family == "B"


def test_nobody_is_in_the_finals_where_nothing_was_measured() -> None:
    machine = Machine({("A", 0): Truth(1e-4, fails="cannot build")}, count=2000)
    tuning = machine.tune(request(machine))
    assert machine.asked("tune_compare") == []
    assert tuning.advice == "unfinished"
