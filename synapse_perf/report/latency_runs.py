"""Which metrics of tier-latency has no section shown yet? Hands the queries out, and keeps what is left."""

from __future__ import annotations

from collections.abc import Iterable

from synapse_perf.analyze.latency_rows import Queries, groups_of, name_of, references
from synapse_perf.model import Metric, Result


class Asked:
    """The queries of a result by their labels."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.metrics = tuple(metric for metric in result.metrics if metric.summary.count)
        self.groups = groups_of(self.metrics)
        self.references = references(self.groups)
        self._shown: set[str] = set()

    def name(self, group: Queries) -> str:
        return name_of(group, self.groups)

    def mark(self, metrics: Iterable[Metric | None]) -> None:
        """These are shown."""
        self._shown.update(metric.key for metric in metrics if metric)

    def mark_group(self, group: Queries) -> None:
        """What is told of these queries stands for all that was measured of them."""
        self.mark([*group.metrics.values(), *group.phases.values()])

    def left(self) -> list[Metric]:
        return [metric for metric in self.metrics if metric.key not in self._shown]
