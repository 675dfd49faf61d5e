"""What is known of a candidate index at one setting, and does another beat it in both recall and latency?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_perf.model import Metric, TrialRecord

if TYPE_CHECKING:
    from synapse_perf.analyze.tuning import Row as TuningRow

CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One index at one setting of its search parameters, on all of the vectors."""

    index: str
    parameters: str
    recall: float
    recall_low: float | None
    recall_high: float | None
    p95_s: float
    size_bytes: float | None = None
    cold_s: float | None = None
    build_s: float | None = None
    note: str = ""

    @classmethod
    def of_row(cls, row: TuningRow, note: str) -> Candidate:
        return cls(
            index=row.index,
            parameters=row.parameters,
            recall=row.recall,
            recall_low=row.recall_low,
            recall_high=row.recall_high,
            p95_s=row.p95.value,
            size_bytes=row.memory_bytes or row.file_bytes,
            cold_s=row.cold.value if row.cold else None,
            build_s=row.build_s,
            note=note,
        )

    def beats(self, other: Candidate) -> bool:
        """Whether it is at least as good in both, and better in one."""
        return (
            self.recall >= other.recall
            and self.p95_s <= other.p95_s
            and (self.recall > other.recall or self.p95_s < other.p95_s)
        )


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other beats."""
    return [one for one in candidates if not any(other.beats(one) for other in candidates)]


def candidates_of(metrics: Sequence[Metric]) -> tuple[list[Candidate], float]:
    """From the recall at each setting, as it was measured on all vectors; and how many those are."""
    whole = max((rows for metric in metrics for trial in metric.trials for rows in _numbers(trial, "rows")), default=0)
    # An index is built once for all settings of its search.
    times = ((metric.labels["index"], _middle(metric.trials, "build_s")) for metric in metrics)
    builds = {index: seconds for index, seconds in times if seconds is not None}
    found = [_candidate(metric, whole, builds.get(metric.labels["index"])) for metric in metrics]
    return [one for one in found if one], whole


def _candidate(metric: Metric, whole: float, build_s: float | None) -> Candidate | None:
    """None for one that was dropped before it had all vectors."""
    trials = [trial for trial in metric.trials if trial.samples and whole in (_numbers(trial, "rows") or [whole])]
    p95_s = _middle(trials, "p95_s")
    if p95_s is None:
        return None
    return Candidate(
        index=metric.labels["index"],
        parameters=metric.labels.get("parameters", ""),
        recall=statistics.mean(sample for trial in trials for sample in trial.samples),
        recall_low=_middle(trials, "recall_low"),
        recall_high=_middle(trials, "recall_high"),
        p95_s=p95_s,
        size_bytes=_middle(trials, "file_bytes"),
        build_s=build_s,
    )


def _numbers(trial: TrialRecord, name: str) -> list[float]:
    return [float(value) for value in trial.facts.get(name, ()) if isinstance(value, int | float)]


def _middle(trials: Iterable[TrialRecord], name: str) -> float | None:
    values = [value for trial in trials for value in _numbers(trial, name)]
    return statistics.median(values) if values else None
