"""What a run tells of its progress: which trial, and how long it goes on, never longer than it may."""

from __future__ import annotations

from pathlib import Path

from synapse_perf.analyze.sampling import fixed
from synapse_perf.measure.events import Event, TrialStarted
from synapse_perf.measure.session import run_trials
from tests.measure.test_runner import spec_of


def left(folder: Path, planned: int, max_time_s: float | None) -> list[float | None]:
    """What each of two trials is told to be left."""
    seen: list[Event] = []
    specs = [spec_of("succeed")] * 2
    run_trials(fixed(specs), planned=planned, register_directory=folder, observe=seen.append, max_time_s=max_time_s)
    return [event.expected_left_s for event in seen if isinstance(event, TrialStarted)]


def test_the_first_trial_tells_nothing_and_the_next_goes_by_it(tmp_path: Path) -> None:
    first, second = left(tmp_path, 10**6, None)
    assert first is None
    assert second is not None
    assert second > 10_000  # a million processes take longer than hours


def test_no_more_is_left_than_the_run_may_take(tmp_path: Path) -> None:
    _, second = left(tmp_path, 10**6, 60.0)
    assert second is not None
    assert 0 < second < 60


def test_time_that_is_spent_is_never_below_nothing(tmp_path: Path) -> None:
    assert left(tmp_path, 10**6, 1e-6)[1] == 0.0
