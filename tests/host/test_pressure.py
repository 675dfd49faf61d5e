from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf.host.pressure import (
    Contention,
    ContentionMeter,
    Pressure,
    contended,
    disturbances,
    facts,
    parse_psi,
    parse_stat,
    pressure,
)

PSI = """\
some avg10=21.50 avg60=1.31 avg300=5.14 total=143110877
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
"""
STAT = """\
cpu  55528 12 6673 137642 718 3 51 84 40 0
cpu0 26627 0 3097 70563 16 0 7 42 0 0
"""
QUIET = Pressure(cpu_some=0.01, io_some=0.02, memory_some=0.0, load_1m=0.2)


def test_psi_gives_the_share_and_the_total_in_seconds() -> None:
    share, total_s = parse_psi(PSI)
    assert (share, total_s) == (0.215, 143.110877)


@pytest.mark.parametrize("text", ["", "full avg10=0.00 total=0\n", "some avg60=1.0\n"])
def test_psi_that_is_switched_off_or_other_is_unknown(text: str) -> None:
    assert parse_psi(text) == (None, None)


def test_stolen_ticks_and_all_ticks_without_counting_guests_twice() -> None:
    assert parse_stat(STAT) == (84, 55528 + 12 + 6673 + 137642 + 718 + 3 + 51 + 84)
    assert parse_stat("") is None


def test_a_quiet_machine_is_not_contended() -> None:
    assert contended(QUIET) == ()


def test_what_is_unknown_is_not_contended() -> None:
    assert contended(Pressure(None, None, None, None)) == ()


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (Pressure(0.43, 0.0, 0.0, 0.1), "waited for it 43% of the last 10 s"),
        (Pressure(0.0, 0.5, 0.0, 0.1), "others use the disk"),
        (Pressure(0.0, 0.0, 0.11, 0.1), "memory is short"),
        (Pressure(None, None, None, 512.0), "load average 512.0"),
        (Pressure(None, None, None, 0.1, macos_memory_level=2), "memory is short"),
    ],
)
def test_each_kind_of_contention_is_named(now: Pressure, words: str) -> None:
    ((reason, remedy),) = contended(now)
    assert words in reason
    assert remedy


def test_the_meter_gives_shares_of_its_own_time() -> None:
    with ContentionMeter() as meter:
        subprocess.run([sys.executable, "-I", "-S", "-c", "sum(range(2_000_000))"], check=True)
    found = meter.result
    assert found is not None
    assert found.wall_s > 0
    for share in (found.cpu_some, found.io_some, found.memory_some, found.steal):
        assert share is None or 0 <= share <= 1


def test_a_quiet_trial_is_not_disturbed() -> None:
    assert disturbances(Contention(2.0, 0.05, 0.9, 0.0, 0.01, 3)) == ()
    assert disturbances(Contention(2.0, None, None, None, None, 3)) == ()


def test_each_disturbance_of_a_trial_is_named() -> None:
    assert disturbances(Contention(2.0, 0.5, 0.0, 0.2, 0.07, 3)) == (
        "tasks waited for the processor 50% of the trial",
        "tasks waited for memory 20% of the trial",
        "the hypervisor gave the processor to others 7% of the trial",
    )


def test_what_the_meter_saw_becomes_facts() -> None:
    assert facts(Contention(2.0, 0.5, None, 0.0, 0.07, 3)) == {
        "cpu_pressure": 0.5,
        "io_pressure": None,
        "memory_pressure": 0.0,
        "steal": 0.07,
        "involuntary_switches": 3,
    }


@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="this system has no pressure information")
def test_the_meter_sees_more_tasks_than_cores() -> None:
    """Planted: two busy children bound to one core wait for it about half of the time."""
    busy = "import os, time; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); end = time.process_time() + 0.15"
    program = f"{busy}\nwhile time.process_time() < end: pass"
    with ContentionMeter() as meter:
        children = [subprocess.Popen([sys.executable, "-I", "-S", "-c", program]) for _ in range(2)]
        for child in children:
            child.wait()
    assert meter.result is not None
    assert meter.result.cpu_some is not None
    assert meter.result.cpu_some > 0.2
    assert meter.result.involuntary_switches > 0


def test_this_machine_can_be_asked() -> None:
    assert isinstance(pressure(), Pressure)
