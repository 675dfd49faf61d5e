"""The memory that is free here lies between nothing and all of it."""

from __future__ import annotations

from synapse_perf.host.free_memory import main_memory


def test_available_memory_is_part_of_the_total() -> None:
    memory = main_memory()
    assert memory.total_bytes is not None
    assert 0 < memory.available_bytes <= memory.total_bytes
