"""Every way in which a worker can end becomes a trial, and nothing is left running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from synapse_perf.measure.events import Event, StageEntered
from synapse_perf.measure.register import Register, sweep
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Failure, Trial, TrialSpec

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    register = Register(tmp_path / "register")
    yield register
    register.end_all()


def spec_of(behaviour: str, **more: object) -> TrialSpec:
    return TrialSpec(
        benchmark="tests.measure.faulty",
        arm="planted",
        labels={"case": behaviour},
        workload={"behaviour": behaviour, **more},
        samples=3,
        timeout_s=60,
        cwd=str(PROJECT),
    )


def run(register: Register, behaviour: str, **more: object) -> Trial:
    return run_trial(spec_of(behaviour, **more), 1, register=register, observe=lambda event: None)


def failure_of(trial: Trial) -> Failure:
    assert trial.failure is not None
    return trial.failure


def test_samples_arrive_in_order_and_no_more_than_asked_for(register: Register) -> None:
    trial = run(register, "succeed")

    assert [sample.values[0].value for sample in trial.samples] == [1.0, 2.0, 3.0]
    assert trial.failure is None


def test_what_others_took_is_told_of_the_trial_and_not_of_each_sample(register: Register) -> None:
    trial = run(register, "succeed")

    assert {"cpu_pressure", "memory_pressure", "steal"} <= set(trial.contention)
    assert not any(set(sample.facts) & set(trial.contention) for sample in trial.samples)


def test_warm_ups_are_not_reported(register: Register) -> None:
    spec = TrialSpec(
        "tests.measure.faulty", "planted", {}, {"behaviour": "succeed"}, samples=2, warmups=5, cwd=str(PROJECT)
    )

    trial = run_trial(spec, 1, register=register, observe=lambda event: None)

    assert [sample.values[0].value for sample in trial.samples] == [6.0, 7.0]


def test_what_a_library_or_a_child_prints_cannot_corrupt_the_protocol(register: Register) -> None:
    trial = run(register, "print")

    assert (len(trial.samples), trial.failure) == (3, None)


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        ("raise", "error", "planted error"),
        ("no-memory", "out-of-memory", "no memory left"),
        ("exit", "crash", "last words"),
        ("abort", "crash", "GGML_ASSERT(planted)"),
        ("segfault", "crash", "SIGSEGV"),
        ("kill", "crash", "SIGKILL"),
    ],
)
def test_a_death_is_a_recorded_failure_that_keeps_the_samples_before_it(
    register: Register, behaviour: str, kind: str, words: str
) -> None:
    trial = run(register, behaviour)

    assert failure_of(trial).kind == kind
    assert words in failure_of(trial).message
    assert len(trial.samples) == 1


def test_a_failure_says_which_case_it_was(register: Register) -> None:
    failure = failure_of(run(register, "fail"))

    assert failure == Failure(
        "error", "planted failure", "planted remedy", "planted detail", arm="planted", labels={"case": "fail"}
    )


def test_a_worker_that_hangs_is_ended_when_its_time_is_over(register: Register) -> None:
    spec = TrialSpec(
        "tests.measure.faulty", "planted", {}, {"behaviour": "hang"}, samples=3, timeout_s=4, cwd=str(PROJECT)
    )

    failure = failure_of(run_trial(spec, 1, register=register, observe=lambda event: None))

    assert failure.kind == "time-out"
    assert "about to hang" in failure.message


def test_an_interpreter_without_the_library_is_named_with_the_remedy(register: Register) -> None:
    hidden = {"PYTHONPATH": str(PROJECT / "tests/measure/no_llama")}
    spec = TrialSpec("profile_load", "mmap", {}, {}, python=sys.executable, env=hidden)

    failure = failure_of(run_trial(spec, 1, register=register, observe=lambda event: None))

    assert "cannot import" in failure.message
    assert "--python" in failure.remedy


def test_an_interpreter_that_does_not_exist_is_a_failure_of_the_trial(register: Register) -> None:
    spec = TrialSpec("read_floor", "floor", {}, {"files": []}, python="/nowhere/python3")

    failure = failure_of(run_trial(spec, 1, register=register, observe=lambda event: None))

    assert "/nowhere/python3" in failure.message


def test_stages_are_told_while_the_trial_runs(register: Register) -> None:
    seen: list[Event] = []

    run_trial(spec_of("succeed"), 1, register=register, observe=seen.append)

    assert seen == [StageEntered("about to succeed")]


def test_children_that_a_worker_registered_end_with_it(register: Register) -> None:
    trial = run(register, "child")

    with contextlib.suppress(psutil.NoSuchProcess):  # a worker that was slow to end it leaves it to the register
        psutil.Process(trial.facts["child"]).wait(30)
    assert not psutil.pid_exists(trial.facts["child"])


def test_the_register_is_empty_after_a_run(register: Register, tmp_path: Path) -> None:
    run(register, "succeed")
    register.end_all()

    assert list((tmp_path / "register").iterdir()) == []


PARENT = """
import sys
from pathlib import Path
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from tests.measure.test_runner import spec_of
register = Register(Path(sys.argv[1]))
run_trial(spec_of("child", then_hang=True), 1, register=register, observe=lambda event: print(event.text, flush=True))
"""


def test_a_parent_killed_with_9_leaves_nothing_running(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "about to child\n"
        child = psutil.Process(int(parent.stdout.readline().split()[1]))
        workers = psutil.Process(parent.pid).children()

        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        _, alive = psutil.wait_procs([child, *workers], timeout=30)

        assert alive == []


def test_what_a_killed_run_left_behind_is_swept_at_the_next_start(tmp_path: Path) -> None:
    """The owner is gone, its child goes on: the next start ends it, and only it."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True) as orphan:
        created = psutil.Process(orphan.pid).create_time()
        register = {"owner": [2**22 - 1, 1.0], "processes": [[orphan.pid, created], [os.getpid(), 1.0]]}
        (tmp_path / "1.json").write_text(json.dumps(register))

        swept = sweep(tmp_path)

        assert swept == 1
        assert orphan.wait() == -signal.SIGKILL
        assert list(tmp_path.iterdir()) == []
