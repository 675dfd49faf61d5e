from __future__ import annotations

import re
import threading
from pathlib import Path

from synapse_perf.llama.settings import LoadSettings
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.measure.stack_sampler import StackSampler
from synapse_perf.model import TrialSpec
from tests.llama.starts import make


def work_until_seen(sampler: StackSampler) -> None:
    """At work here: what was seen before may be how the sampler was started."""
    while not any(stack.rpartition(";")[2].startswith("work_until_seen ") for stack in list(sampler._counts)):
        sum(range(1000))


def test_what_the_thread_did_is_counted_by_its_stack() -> None:
    sampler = StackSampler()
    sampler.start()
    work_until_seen(sampler)

    stacks = sampler.stop()

    assert any(re.search(r";work_until_seen \(test_stack_sampler\.py:\d+\) \d+$", stack) for stack in stacks)


def test_other_threads_are_not_counted() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait, name="other")
    other.start()
    sampler = StackSampler()
    sampler.start()
    work_until_seen(sampler)

    stacks = sampler.stop()
    done.set()
    other.join()

    assert all(" (test_stack_sampler.py:" in stack for stack in stacks)


def test_a_worker_that_samples_itself_reports_its_stacks(tmp_path: Path) -> None:
    settings = LoadSettings(str(make(tmp_path)), n_ctx=256, n_threads=1).as_workload()
    spec = TrialSpec("profile_load", "mmap", {}, {"settings": settings}, timeout_s=60, watch_inside=True)
    register = Register(tmp_path / "register")

    trial = run_trial(spec, 1, register=register, observe=lambda event: None)
    register.end_all()

    assert trial.failure is None
    assert any("low_level_api (loading.py:" in stack for stack in trial.facts["stacks"])
