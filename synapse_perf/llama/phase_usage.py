"""What did each phase of a load use: processor, run queue, disk, page faults?"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from synapse_perf.host.counters import Counters, Usage, difference
from synapse_perf.samples import Fact

TOLD = ("on_cpu_s", "system_s", "run_queue_s", "blocked_s", "read_bytes", "minor_faults", "major_faults")
# A snapshot belongs to the line beside which it was taken. A loaded machine delays it: by so much it may be off, and by
# this share of the phase, or the figures would be those of the neighbours.
NEAR_NS = 3_000_000
NEAR_SHARE = 0.2


def phase_usage(spans: Iterable[tuple[str, int, int]], snapshots: Iterable[Counters]) -> dict[str, Fact]:
    """Facts ``PHASE.on_cpu_s`` and so on for phases with a snapshot at both ends, and the totals by name alone.

    The counters of a process start at zero with it, so the last snapshot is the total of the whole start, the
    interpreter's own included.
    """
    ordered = sorted(snapshots, key=lambda counters: counters.at_ns)
    facts: dict[str, Fact] = {}
    for name, start_ns, end_ns in spans:
        near_ns = min(NEAR_NS, NEAR_SHARE * (end_ns - start_ns))
        start, end = _near(ordered, start_ns, near_ns), _near(ordered, end_ns, near_ns)
        if start is not None and end is not None and start is not end:
            facts |= _facts(difference(start, end), f"{name}.")
    return facts | _totals(ordered[-1]) if ordered else facts


def _facts(usage: Usage, prefix: str) -> dict[str, Fact]:
    return {prefix + name: getattr(usage, name) for name in TOLD}


def _totals(last: Counters) -> dict[str, Fact]:
    """What the process has used since it began; the caller knows when that was, so how long it was blocked as well."""
    return {
        "on_cpu_s": last.thread_cpu_s,
        "run_queue_s": last.run_queue_s,
        "process_cpu_s": last.process_cpu_s,
        "read_bytes": last.read_bytes,
        "minor_faults": last.minor_faults,
        "major_faults": last.major_faults,
    }


def _near(ordered: Sequence[Counters], stamp_ns: int, near_ns: float) -> Counters | None:
    index = bisect_left([counters.at_ns for counters in ordered], stamp_ns)
    candidates = ordered[max(0, index - 1) : index + 1]
    nearest = min(candidates, key=lambda counters: abs(counters.at_ns - stamp_ns), default=None)
    return nearest if nearest is not None and abs(nearest.at_ns - stamp_ns) <= near_ns else None
