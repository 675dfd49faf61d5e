"""Where does the time of one process go? Stages with the clock and the system's counters at both ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import Context
from synapse_perf.host.counters import Counters, snapshot
from synapse_perf.samples import Fact

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNTED = ("major_faults", "minor_faults", "read_bytes")


class Ledger:
    """The stages of one process in their order; a stage that is met twice adds up."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Counters, Counters]] = []

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = snapshot()
        yield
        self.spans.append((name, started, snapshot()))

    def durations_s(self, names: Iterable[str] | None = None) -> dict[str, float]:
        """Seconds by stage: of all, or of those named that there are."""
        sums: dict[str, float] = {}
        for name, start, end in self.spans:
            sums[name] = sums.get(name, 0.0) + (end.at_ns - start.at_ns) * 1e-9
        return sums if names is None else {name: sums[name] for name in names if name in sums}

    def counts(self) -> dict[str, Fact]:
        """Page faults and bytes from the disk by stage (``open.major_faults``), where the platform counts them."""
        sums: dict[str, int] = {}
        for name, start, end in self.spans:
            for counter in COUNTED:
                before, after = getattr(start, counter), getattr(end, counter)
                if before is not None and after is not None:
                    key = f"{name}.{counter}"
                    sums[key] = sums.get(key, 0) + after - before
        return {**sums}


def before_the_benchmark(context: Context, ledger: Ledger) -> dict[str, float]:
    """Seconds of the interpreter's start, of the import that came first, and of the worker until the first stage."""
    started, ended = context.first_import
    return {
        "interpreter": (context.started_ns - context.spawned_ns) * 1e-9,
        "first_import": (ended[0] - started[0]) * 1e-9,
        "harness": (ledger.spans[0][1].at_ns - ended[0]) * 1e-9,
    }
