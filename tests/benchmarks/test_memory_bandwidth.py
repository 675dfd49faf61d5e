"""Is every byte of the array read by some thread, once in a pass, and the pass timed as a whole?"""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from synapse_perf.benchmarks.memory_bandwidth import HELD, Readers
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec


def trial(folder: Path, threads: int) -> Trial:
    workload = {"threads": threads, "bytes": 8 << 20}
    spec = TrialSpec("memory_bandwidth", "memory bandwidth", {"threads": str(threads)}, workload, samples=5)
    return run_trial(spec, 1, register=Register(folder / "register"), observe=lambda event: None)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_process_gives_as_many_figures_as_were_asked_for(tmp_path: Path, threads: int) -> None:
    found = trial(tmp_path, threads)

    assert found.failure is None, found.failure
    values = [one.value for sample in found.samples for one in sample.values]
    assert len(values) == 5
    assert all(value > 0 for value in values)


@pytest.mark.parametrize("place", [0, 1, 333, 334, 665, 666, 998, 999])
def test_no_byte_is_left_out(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that is searched for is found wherever it lies, so every byte was looked at."""
    array = (ctypes.c_char * 1000).from_buffer(bytearray([HELD] * 1000))
    readers = Readers(ctypes.addressof(array), 1000, 3)
    readers.pass_s()
    found: list[int] = []
    search = readers._memchr
    monkeypatch.setattr(readers, "_memchr", lambda *part: found.append(search(*part)))
    array[place] = b"\0"
    readers.pass_s()

    assert [one for one in found if one is not None] == [ctypes.addressof(array) + place]


def test_an_array_that_the_machine_cannot_hold_is_told(tmp_path: Path) -> None:
    spec = TrialSpec("memory_bandwidth", "memory bandwidth", {}, {"threads": 1, "bytes": 1 << 60}, samples=1)
    failure = run_trial(spec, 1, register=Register(tmp_path / "register"), observe=lambda event: None).failure

    assert failure is not None
    assert (failure.kind, failure.remedy) == ("out-of-memory", "close other programs")
