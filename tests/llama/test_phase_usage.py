from __future__ import annotations

import pytest

from synapse_perf.host.counters import Counters
from synapse_perf.llama.phase_usage import NEAR_NS, phase_usage

SECOND = 1_000_000_000


def counters(at_s: float, cpu_s: float = 0.0, *, queued_s: float | None = 0.0, read: int | None = 0) -> Counters:
    return Counters(
        at_ns=round(at_s * SECOND),
        thread_cpu_s=cpu_s,
        thread_user_s=cpu_s,
        thread_system_s=0.0,
        process_cpu_s=cpu_s,
        run_queue_s=queued_s,
        minor_faults=0,
        major_faults=0,
        read_bytes=read,
        read_chars=0,
        voluntary_switches=0,
        involuntary_switches=0,
    )


def span(name: str, start_s: float, end_s: float) -> tuple[str, int, int]:
    return name, round(start_s * SECOND), round(end_s * SECOND)


def test_a_phase_between_two_snapshots_has_what_happened_there() -> None:
    """Two of three seconds on a processor, half a second ready but waiting for one, the rest blocked."""
    snapshots = [counters(1.0, 1.0), counters(4.0, 3.0, queued_s=0.5, read=4096)]

    facts = phase_usage([span("tensors", 1.0, 4.0)], snapshots)

    assert facts["tensors.on_cpu_s"] == pytest.approx(2.0)
    assert facts["tensors.run_queue_s"] == pytest.approx(0.5)
    assert facts["tensors.blocked_s"] == pytest.approx(0.5)
    assert facts["tensors.read_bytes"] == 4096


def test_the_totals_are_those_of_the_last_snapshot() -> None:
    facts = phase_usage([], [counters(2.0, 0.75, read=10), counters(1.0, 0.25)])

    assert (facts["on_cpu_s"], facts["read_bytes"]) == (0.75, 10)


def test_a_phase_without_a_snapshot_at_one_end_has_no_figures() -> None:
    facts = phase_usage([span("vocabulary", 1.0, 3.0)], [counters(1.0), counters(2.0)])

    assert not any(name.startswith("vocabulary.") for name in facts)


def test_a_snapshot_a_moment_beside_the_line_is_the_lines() -> None:
    late_s = NEAR_NS * 1e-9 * 0.9

    assert "context.on_cpu_s" in phase_usage([span("context", 1.0, 2.0)], [counters(1.0 + late_s), counters(2.0)])


def test_a_snapshot_that_was_held_up_is_not_taken_for_the_lines() -> None:
    late_s = NEAR_NS * 1e-9 * 1.1

    assert "context.on_cpu_s" not in phase_usage([span("context", 1.0, 2.0)], [counters(1.0 + late_s), counters(2.0)])


def test_a_short_phase_is_not_given_its_neighbours_figures() -> None:
    """Off by a millisecond is nothing in a second, and half of two milliseconds."""
    facts = phase_usage([span("metadata", 1.0, 1.002)], [counters(0.999), counters(1.002, 0.003)])

    assert "metadata.on_cpu_s" not in facts


def test_one_snapshot_alone_is_no_phase() -> None:
    assert "context.on_cpu_s" not in phase_usage([span("context", 1.0, 1.0)], [counters(1.0)])


def test_what_the_platform_does_not_count_is_none() -> None:
    snapshots = [counters(1.0, queued_s=None, read=None), counters(2.0, 0.5, queued_s=None, read=None)]

    facts = phase_usage([span("tensors", 1.0, 2.0)], snapshots)

    assert facts["tensors.blocked_s"] is None
    assert facts["tensors.read_bytes"] is None
    assert facts["tensors.on_cpu_s"] == 0.5


def test_without_snapshots_there_are_no_facts() -> None:
    assert phase_usage([span("tensors", 1.0, 2.0)], []) == {}
