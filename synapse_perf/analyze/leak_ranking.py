"""What leaves most behind, over all hunts of a run? Bytes before counts, the fastest growth first.

A hunt's memory has one row: what is in use lies in anonymous pages, so to add both would count it twice. So has what
it leaves of sockets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from synapse_perf.host.leak_probes import ANONYMOUS, HEAP
from synapse_perf.host.process_tree_probes import CLOSE_WAIT
from synapse_perf.model import Leak, LeakStatus, Result

_SAME_MEMORY = frozenset({HEAP, ANONYMOUS})
_WORST_FIRST: tuple[LeakStatus, ...] = ("leak", "inconclusive", "retained", "clean")


@dataclass(frozen=True, slots=True)
class Ranked:
    """One row of the ranking."""

    hunt: str
    probe: str
    leak: Leak

    @property
    def is_flat(self) -> bool:
        """Whether nothing is to be seen of it: clean, without any growth."""
        return self.leak.status == "clean" and not self.leak.growth


def ranking(result: Result) -> list[Ranked]:
    """Every judged row of every hunt."""
    labels = {metric.key: metric.labels for metric in result.metrics}
    rows = [
        Ranked(labels[leak.metric].get("hunt", ""), labels[leak.metric].get("probe", ""), leak)
        for leak in result.leaks
        if leak.metric in labels and leak.status != "retained"
    ]
    return sorted(_without_same_sockets(list(_without_same_memory(rows))), key=_rank)


def _rank(row: Ranked) -> tuple[bool, float]:
    return row.leak.unit != "B", -(row.leak.growth or 0.0)


def _without_same_memory(rows: Sequence[Ranked]) -> Iterator[Ranked]:
    """Of the rows on one hunt's memory the one that matters: the worse verdict, or else what is in use."""
    for row in rows:
        if row.probe not in _SAME_MEMORY or row is _chosen(one for one in rows if one.hunt == row.hunt):
            yield row


def _without_same_sockets(rows: Sequence[Ranked]) -> Iterator[Ranked]:
    """A socket in CLOSE_WAIT is a socket and a descriptor as well."""
    waiting = {row.hunt: row.leak.growth for row in rows if row.probe == CLOSE_WAIT and row.leak.growth}
    for row in rows:
        if row.probe not in ("sockets", "descriptors") or waiting.get(row.hunt) != row.leak.growth:
            yield row


def _chosen(rows: Iterable[Ranked]) -> Ranked | None:
    memory = [row for row in rows if row.probe in _SAME_MEMORY]
    return min(memory, key=lambda row: (_WORST_FIRST.index(row.leak.status), row.probe != HEAP), default=None)
