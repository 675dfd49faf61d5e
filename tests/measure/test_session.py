"""What a run tells of its progress: which trial, and how long it goes on, never longer than it may."""

from __future__ import annotations

from pathlib import Path

from synapse_perf.analyze.sampling import fixed
from synapse_perf.measure.events import Event, TrialStarted
from synapse_perf.measure.session import run_trials
from tests.measure.test_runner import spec_of


def starts(folder: Path, planned: int, max_time_s: float | None) -> list[TrialStarted]:
    """What is told of each of two trials."""
    seen: list[Event] = []
    specs = [spec_of("succeed")] * 2
    run_trials(fixed(specs), planned=planned, register_directory=folder, observe=seen.append, max_time_s=max_time_s)
    return [event for event in seen if isinstance(event, TrialStarted)]


def test_the_first_trial_tells_nothing_and_the_next_goes_by_it(tmp_path: Path) -> None:
    first, second = starts(tmp_path, 10**6, None)
    assert (first.expected_left_s, second.is_short) == (None, False)
    assert second.expected_left_s is not None
    assert second.expected_left_s > 10_000  # a million processes take longer than hours


def test_no_more_is_left_than_the_run_may_take(tmp_path: Path) -> None:
    _, second = starts(tmp_path, 10**6, 60.0)
    assert second.expected_left_s is not None
    assert 0 < second.expected_left_s < 60
    assert second.is_short


def test_time_that_is_spent_is_never_below_nothing(tmp_path: Path) -> None:
    assert starts(tmp_path, 10**6, 1e-6)[1].expected_left_s == 0.0


def test_the_last_that_is_planned_begins_however_little_time_is_left(tmp_path: Path) -> None:
    assert not starts(tmp_path, 2, 1e-6)[1].is_short
    assert not starts(tmp_path, 1, 1e-6)[1].is_short  # beyond the plan
