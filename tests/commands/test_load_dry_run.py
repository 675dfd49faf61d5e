"""What a dry run tells about time: from an earlier run of the same models, else guessed and called so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.load_plan import LoadRequest, ModelUnderTest, plan_load
from synapse_perf.commands.load_dry_run import ASSUMED_NOTE, MEASURED_NOTE, plan_steps
from synapse_perf.model import Result
from tests.analyze.made_starts import made_floor, made_start
from tests.made_results import made_result

MODEL = ModelUnderTest("fast", "/m/fast.gguf", ("/m/fast.gguf",), 1_000_000_000, "d1", "qwen3", is_sample=False)
CASES = plan_load([MODEL], LoadRequest(caches=("cold",)))


def earlier(digest: str) -> Result:
    metrics = (*made_start(3.0, {}), made_floor(2.0))
    return replace(made_result(), metrics=metrics, workload={"models": {"fast": {"digest": digest}}})


def test_without_an_earlier_run_times_are_guessed_from_sizes_and_called_so() -> None:
    steps, note = plan_steps(CASES, [MODEL], 6, [])

    assert note == ASSUMED_NOTE
    assert [step.seconds_each for step in steps] == [pytest.approx(3.0), pytest.approx(3.0)]
    assert [step.bytes_read_each for step in steps] == [1_000_000_000, 1_000_000_000]


def test_an_earlier_run_of_the_same_file_tells_the_times() -> None:
    steps, note = plan_steps(CASES, [MODEL], 6, [earlier("d1")])

    assert note == MEASURED_NOTE
    assert [step.seconds_each for step in steps] == [pytest.approx(3.0), pytest.approx(2.0)]


def test_a_run_of_another_file_under_the_same_name_tells_nothing() -> None:
    _, note = plan_steps(CASES, [MODEL], 6, [earlier("other")])

    assert note == ASSUMED_NOTE


def test_each_step_is_named_as_people_say_it() -> None:
    steps, _ = plan_steps(CASES, [MODEL], 6, [])

    assert [step.name for step in steps] == ["fast, cold, mmap", "fast, cold, floor"]
