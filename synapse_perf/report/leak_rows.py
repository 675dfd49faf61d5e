"""What is shown of each probe that was judged? Its name, its verdict, and its figures as words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synapse_perf.benchmarks.leak_loop import ENTRIES
from synapse_perf.host.leak_probes import ANONYMOUS, HEAP
from synapse_perf.host.process_tree_probes import CLOSE_WAIT
from synapse_perf.model import Leak, Metric, Result
from synapse_perf.report.document import Tone
from synapse_perf.report.figures import labels_of
from synapse_perf.report.leak_figures import (
    STATUS_WORDS,
    WORST_FIRST,
    format_bounds,
    format_full,
    format_growth,
    iteration_of,
    plural,
    probe_name,
)

SAME_MEMORY = 1.5  # times what the heap grew by: pages hold more than what is in use
# What may be the same seen otherwise: what the live heap holds lies in pages and in entries, a socket is a descriptor.
_TELLERS = {ANONYMOUS: HEAP, ENTRIES: HEAP, "sockets": CLOSE_WAIT, "descriptors": CLOSE_WAIT}


@dataclass(frozen=True, slots=True)
class LeakRow:
    """One probe of one hunt."""

    leak: Leak
    metric: Metric | None
    hunt: str
    probe: str
    iteration: str  # what one is called

    @property
    def name(self) -> str:
        return probe_name(self.probe)

    @property
    def word(self) -> str:
        return STATUS_WORDS[self.leak.status][0]

    @property
    def tone(self) -> Tone:
        return STATUS_WORDS[self.leak.status][1]

    @property
    def is_known(self) -> bool:
        """Whether there were iterations enough to tell how much it grows."""
        return self.leak.growth is not None

    @property
    def growth(self) -> str:
        return format_growth(self.leak)

    @property
    def bounds(self) -> str:
        """With their confidence: ``95 % 1.00–1.10 MiB``."""
        return f"{self.leak.confidence * 100:g} % {format_bounds(self.leak)}"

    @property
    def full(self) -> str:
        """When memory is full; empty where it never is, or that cannot be told."""
        told = format_full(self.leak, self.metric, plural(self.iteration))
        return f"memory is full after {told}" if told else ""


def rows_of(result: Result) -> list[LeakRow]:
    """In the order of the hunts."""
    metrics = {metric.key: metric for metric in result.metrics}
    rows = []
    for leak in result.leaks:
        labels = labels_of(leak.metric, metrics)
        hunt = labels.get("hunt", "")
        iteration = iteration_of(hunt, result)
        rows.append(LeakRow(leak, metrics.get(leak.metric), hunt, labels.get("probe", ""), iteration))
    return rows


def ranked(rows: Iterable[LeakRow]) -> list[LeakRow]:
    """The worst status first, bytes before counts, then the fastest growth."""
    return sorted(rows, key=lambda row: (WORST_FIRST.index(row.leak.status), row.leak.unit != "B", -_growth(row)))


def teller_of(row: LeakRow, rows: Sequence[LeakRow]) -> LeakRow | None:
    """The row of the same hunt that tells the same growth, and more of it."""
    teller = next((one for one in rows if one.probe == _TELLERS.get(row.probe) and one.hunt == row.hunt), None)
    if teller is None or teller.leak.status == "clean":
        return None
    if teller.leak.unit != row.leak.unit:
        return teller if teller.leak.status == row.leak.status else None
    most = SAME_MEMORY * _growth(teller) if row.leak.unit == "B" else _growth(teller)
    return teller if _growth(row) <= most else None


def _growth(row: LeakRow) -> float:
    return row.leak.growth or 0.0
