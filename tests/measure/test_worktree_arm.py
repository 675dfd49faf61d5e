"""One run of a command: what it took, what others took, and nothing of it is left afterwards."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from synapse_perf.host.pressure import Contention
from synapse_perf.measure.register import Register
from synapse_perf.measure.worktree_arm import ArmRun, disturbances_by_others, run_arm


def run(tmp_path: Path, command: str, timeout_s: float = 60.0) -> ArmRun:
    register = Register(tmp_path / "processes")
    return run_arm(command, tmp_path, os.environ, timeout_s=timeout_s, log=tmp_path / "log", register=register)


def test_status_time_and_output_of_a_command(tmp_path: Path) -> None:
    done = run(tmp_path, "echo out; echo err >&2; exit 3")
    assert (done.status, done.output, done.is_timeout) == (3, "out\nerr\n", False)
    assert done.wall_s > 0


def test_processor_time_is_that_of_all_that_it_waited_for(tmp_path: Path) -> None:
    busy = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
    assert run(tmp_path, f"sh -c '{busy}'; sh -c '{busy}'").cpu_s > run(tmp_path, "true").cpu_s


def test_a_signal_is_told_as_a_negative_status(tmp_path: Path) -> None:
    assert run(tmp_path, "kill -9 $$").status == -9


@pytest.mark.parametrize(
    ("command", "timeout_s"),
    [("sleep 300 & sleep 300 & echo $! > pid; wait", 2.0), ("sleep 300 & echo $! > pid", 60.0)],
)
def test_nothing_that_it_started_outlives_it(tmp_path: Path, command: str, timeout_s: float) -> None:
    done = run(tmp_path, command, timeout_s)
    assert done.is_timeout == command.endswith("wait")
    with suppress(psutil.NoSuchProcess):
        left = psutil.Process(int((tmp_path / "pid").read_text()))
        while left.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


def contention(**shares: float | None) -> Contention:
    known: dict[str, float | None] = {"cpu_some": 0.0, "io_some": 0.0, "memory_some": 0.0, "steal": 0.0, **shares}
    return Contention(wall_s=10.0, involuntary_switches=0, **known)


def test_waiting_for_the_processor_counts_only_where_others_used_it() -> None:
    own_doing, others = 0.0, 5.0 * (os.cpu_count() or 1)
    assert disturbances_by_others(contention(cpu_some=0.9), own_doing) == ()
    (told,) = disturbances_by_others(contention(cpu_some=0.9), others)
    assert told == "tasks waited for the processor 90% of the time, others used 50% of it"
    assert disturbances_by_others(contention(cpu_some=0.05), others) == ()
    assert disturbances_by_others(contention(cpu_some=0.9), None) == ("tasks waited for the processor 90% of the time",)


def test_memory_and_the_hypervisor_count_by_themselves_and_what_is_not_known_does_not() -> None:
    assert len(disturbances_by_others(contention(memory_some=0.2, steal=0.3), 0.0)) == 2
    assert disturbances_by_others(contention(cpu_some=None, memory_some=None, steal=None), None) == ()
