"""Which runs are marked as disturbed: slowing down beyond chance, throttled, or never steady."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from synapse_perf.analyze.latency_marks import speed_warnings
from synapse_perf.model import Json, Measurement, Sample, Trial, TrialSpec


def trials(changes: Sequence[float | None], arm: str = "fast", **facts: Json) -> list[Trial]:
    spec = TrialSpec("tier_latency", arm, {"tier": arm}, {})
    drifts: list[Json] = [
        None if change is None else {"change": change, "span_s": 20.0, "answers": 15} for change in changes
    ]
    return [
        Trial(spec, place + 1, (), 1.0, {"drift": drift, "throttle_events": 0, "steady": True, **facts})
        for place, drift in enumerate(drifts)
    ]


def test_a_run_that_kept_its_speed_is_not_marked() -> None:
    assert speed_warnings(trials([-0.02, 0.03, 0.0, -0.1, 0.1, 0.01]), 0.95) == []
    assert speed_warnings(trials([None] * 6), 0.95) == []
    assert speed_warnings([Trial(TrialSpec("x", "x", {}, {}), 1, (), 1.0)], 0.95) == []


def test_decoding_that_slows_in_every_process_is_told_by_tier() -> None:
    slower = trials([-0.2, -0.22, -0.25, -0.19, -0.3, -0.24], "deep")
    told = speed_warnings([*trials([0.0] * 6), *slower], 0.95)
    assert told == ["deep: decoding became 23 % slower within a process (heat, or others that began)"]


def test_one_process_alone_drifts_by_chance() -> None:
    assert speed_warnings(trials([-0.5]), 0.95) == []


def test_throttling_and_processes_that_never_settled_are_counted() -> None:
    told = speed_warnings([*trials([0.0]), *trials([0.0], throttle_events=3, steady=False)], 0.95)
    assert [text.split(":")[0] for text in told] == [
        "heat slowed the processor in 1 of 2 trials",
        "1 of 2 processes not steady after their warm-up queries",
    ]


# --- from the first processes of a run to the last -------------------------------------------------------------------

ARMS = {"fast": 500.0, "balanced": 190.0, "deep": 80.0}
STEADY: Callable[[float], float] = lambda at: 1.0  # noqa: E731


def run_of(
    speed: Callable[[float], float] = STEADY, *, seed: int = 1, processes: int = 6, state: str = ""
) -> list[Trial]:
    """Each arm once in each block; processes differ by 5 %, answers by 3 %; `speed` by how far the run has come."""
    draw = random.Random(seed)
    labels = {"state": state} if state else {}
    found = []
    for place in range(processes * len(ARMS)):
        arm = list(ARMS)[place % len(ARMS)]
        level = ARMS[arm] * speed(place / (processes * len(ARMS) - 1)) * draw.lognormvariate(0, 0.05)
        rates = [level * draw.lognormvariate(0, 0.03) for _ in range(8)]
        samples = tuple(Sample((Measurement("decode_rate", rate, labels),)) for rate in rates)
        found.append(Trial(TrialSpec("tier_latency", arm, {"tier": arm}, {}), place // len(ARMS) + 1, samples, 7.0))
    return found


def test_a_machine_that_becomes_slower_over_a_run_is_marked_with_its_size() -> None:
    """By a quarter, in a line: no process shows it, since each takes seconds of minutes."""
    (told,) = speed_warnings(run_of(lambda at: 1 - 0.25 * at), 0.95)
    assert told.startswith("decoding became 2")
    assert "from the first processes to the last" in told


def test_others_that_begin_in_the_middle_are_marked_as_well() -> None:
    assert speed_warnings(run_of(lambda at: 1.0 if at < 0.5 else 0.75), 0.95)


def test_planted_slowdowns_are_found_and_steady_runs_are_left_alone() -> None:
    """400 runs of each: a fifth slower in the end, and not; one in a hundred steady ones may be marked."""
    slower = sum(bool(speed_warnings(run_of(lambda at: 1 - 0.2 * at, seed=seed), 0.95)) for seed in range(400))
    steady = sum(bool(speed_warnings(run_of(seed=seed), 0.95)) for seed in range(400))

    assert slower >= 0.95 * 400
    assert steady <= 0.02 * 400


def test_a_machine_that_becomes_faster_or_hardly_slower_is_not_marked() -> None:
    assert speed_warnings(run_of(lambda at: 1 + 0.3 * at), 0.95) == []
    assert speed_warnings(run_of(lambda at: 1 - 0.02 * at, processes=60), 0.95) == []


def test_first_answers_and_single_processes_tell_nothing_about_the_run() -> None:
    assert speed_warnings(run_of(lambda at: 1 - 0.5 * at, state="first"), 0.95) == []
    assert speed_warnings(run_of(lambda at: 1 - 0.5 * at, processes=1), 0.95) == []


def test_tiers_of_different_speed_in_a_row_are_no_trend() -> None:
    """Arms one after the other, the slowest at the end."""
    assert speed_warnings(sorted(run_of(), key=lambda trial: list(ARMS).index(trial.spec.arm)), 0.95) == []
