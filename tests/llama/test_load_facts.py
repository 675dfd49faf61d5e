from __future__ import annotations

import pytest

from synapse_perf.llama import load_facts
from synapse_perf.llama.load_facts import log_facts
from synapse_perf.llama.load_log import read_load, read_text
from synapse_perf.samples import Fact
from synapse_perf.units import MIB

BUFFERS = """load_tensors: offloaded 9/9 layers to GPU
load_tensors:   CPU_Mapped model buffer size =   10.00 MiB
load_tensors:  MTL0_Mapped model buffer size =   30.00 MiB
llama_kv_cache:       MTL0 KV buffer size =     8.00 MiB
llama_kv_cache:        CPU KV buffer size =     2.00 MiB
sched_reserve:       MTL0 compute buffer size =     4.00 MiB
"""
MLOCK_FAILED = "warning: failed to mlock 4096-byte buffer (after previously locking 0 bytes): Cannot allocate memory\n"
FELL_BACK = "llama_model_loader: Falling back to buffered IO due to Invalid argument\n"
NEW, OLD = "load_mode = {}", "mmap = true"


def facts(mode_words: str, asked: str | None, more: str = "") -> dict[str, Fact]:
    begin = f"load_tensors: loading model tensors, this can take a while... ({mode_words})\n"
    return log_facts(read_load(read_text(begin + BUFFERS + more)), asked)


@pytest.mark.parametrize(("asked", "native"), [("mmap", "mmap"), ("read", "none"), ("mlock", "mmap+mlock")])
def test_the_mode_that_was_asked_for_and_taken_is_effective(asked: str, native: str) -> None:
    assert facts(NEW.format(native), asked)["load_mode_effective"] is True


def test_another_mode_than_the_one_asked_for_is_not_effective() -> None:
    assert facts(NEW.format("none"), "mmap")["load_mode_effective"] is False


def test_a_lock_that_failed_is_not_effective_and_says_why() -> None:
    found = facts(NEW.format("mmap+mlock"), "mlock", MLOCK_FAILED)

    assert found["load_mode_effective"] is False
    assert found["load_mode_problem"] == "mlock failed: Cannot allocate memory"


def test_an_older_log_that_does_not_name_a_lock_does_not_deny_it() -> None:
    """Before mid-2026 it said "mmap = true" for both, and of the lock only when it failed."""
    assert facts(OLD, "mlock")["load_mode_effective"] is True
    assert facts(OLD, "mlock", MLOCK_FAILED)["load_mode_effective"] is False


def test_direct_reads_that_fell_back_are_not_effective(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_facts, "HAS_DIRECT_IO", True)

    found = facts(NEW.format("dio"), "direct", FELL_BACK)

    assert facts(NEW.format("dio"), "direct")["load_mode_effective"] is True
    assert found["load_mode_effective"] is False
    assert found["load_mode_problem"] == "direct I/O fell back to buffered reads"


def test_direct_reads_where_llama_cpp_has_none_are_not_effective_whatever_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_facts, "HAS_DIRECT_IO", False)

    found = facts(NEW.format("dio"), "direct")

    assert found["load_mode_effective"] is False
    assert "on Linux only" in str(found["load_mode_problem"])


def test_of_a_load_that_nobody_asked_for_nothing_is_said_about_its_mode() -> None:
    assert facts(NEW.format("mmap"), None)["load_mode_effective"] is None


def test_the_device_is_the_one_that_holds_the_weights() -> None:
    found = facts(NEW.format("mmap"), "mmap")

    assert (found["device"], found["layers_offloaded"], found["layers"]) == ("metal", 9, 9)


def test_buffers_are_told_by_device_and_kind_and_summed_by_kind() -> None:
    found = facts(NEW.format("mmap"), "mmap")

    assert found["buffer.MTL0.model"] == 30 * MIB
    assert found["buffer.CPU.KV"] == 2 * MIB
    assert (found["kv_bytes"], found["compute_bytes"]) == (10 * MIB, 4 * MIB)


def test_what_the_log_does_not_say_is_none() -> None:
    found = log_facts(read_load([]), "mmap")

    assert found["load_mode_effective"] is None
    assert found["kv_bytes"] is None
    assert found["layers"] is None
