"""Which runs are marked as disturbed: slowing down beyond chance, throttled, or never steady."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.analyze.latency_marks import speed_warnings
from synapse_perf.model import Json, Trial, TrialSpec


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
        "1 of 2 processes were not steady after their warm-up queries",
    ]
