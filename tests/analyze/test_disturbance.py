from __future__ import annotations

from synapse_perf.analyze.disturbance import disturbance_warnings, excuse_disturbed
from synapse_perf.model import Check, CheckStatus, Fact, Metric, Trial, TrialSpec
from tests.analyze.made_starts import made_start

CROWDED: dict[str, Fact] = {"cpu_pressure": 0.6, "memory_pressure": 0.0, "steal": 0.0}
QUIET: dict[str, Fact] = {"cpu_pressure": 0.01, "memory_pressure": 0.0, "steal": None}


def checked(status: CheckStatus, facts: dict[str, Fact]) -> CheckStatus:
    metric: Metric = made_start(20.0, {}, facts=facts)[0]
    check = Check("model-startup-cpu", metric.key, "median", 15.0, "s", 20.0, status, "")
    return excuse_disturbed([check], [metric])[0].status


def test_a_miss_on_a_crowded_machine_is_inconclusive() -> None:
    assert checked("fail", CROWDED) == "inconclusive"


def test_a_miss_on_a_quiet_machine_stays_one() -> None:
    assert checked("fail", QUIET) == "fail"


def test_a_pass_on_a_crowded_machine_stays_one() -> None:
    assert checked("pass", CROWDED) == "pass"


def test_the_run_tells_how_many_trials_were_disturbed_and_by_what() -> None:
    spec = TrialSpec("profile_load", "mmap", {}, {})
    quiet = Trial(spec, 1, (), 1.0)
    crowded = Trial(spec, 2, (), 1.0, warnings=("tasks waited for the processor 35% of the trial",))

    told = disturbance_warnings([quiet, crowded, quiet])

    assert len(told) == 1
    assert told[0].startswith("1 of 3 trials were disturbed (tasks waited for the processor):")


def test_a_quiet_run_has_nothing_to_tell() -> None:
    assert disturbance_warnings([Trial(TrialSpec("profile_load", "mmap", {}, {}), 1, (), 1.0)]) == []
