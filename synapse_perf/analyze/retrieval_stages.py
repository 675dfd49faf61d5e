"""The stages of a retrieval in one state, out of the metrics of a run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from synapse_perf.analyze.verdict import UNCERTIFIED
from synapse_perf.model import Metric

LATENCY = "retrieval_latency"
_ASIDE = ("stage", "cache", "subject")  # labels that tell no two rows of one run apart


def measured(metrics: Sequence[Metric]) -> list[Metric]:
    """The latencies that have samples; those that were not proven cold come behind all that were."""
    found = [metric for metric in metrics if metric.name == LATENCY and metric.summary.count]
    return sorted(found, key=lambda metric: metric.labels.get("cache") == UNCERTIFIED)


def find_stage(metrics: Sequence[Metric], **labels: str) -> Metric | None:
    """The latency metric with exactly these labels, if it has samples."""
    return next((metric for metric in measured(metrics) if _without(metric, ("cache", "subject")) == labels), None)


def stages_of(metrics: Sequence[Metric], state: str, variant: str = "") -> dict[str, Metric]:
    """The metrics of a state by stage, the total among them, in the order measured."""
    labels = {"state": state} | ({"variant": variant} if variant else {})
    stages: dict[str, Metric] = {}
    for metric in measured(metrics):
        if "stage" in metric.labels and _without(metric, _ASIDE) == labels:
            stages.setdefault(metric.labels["stage"], metric)
    return stages


def _without(metric: Metric, names: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in metric.labels.items() if name not in names}


def per_process(metric: Metric) -> list[float]:
    """The median of each process that has samples."""
    return [statistics.median(trial.samples) for trial in metric.trials if trial.samples]


def sum_per_process(parts: Sequence[Metric]) -> list[float]:
    """The sum of the parts in each process; the parts were measured together, one sample a process."""
    together = zip(*([trial.samples[0] for trial in part.trials if trial.samples] for part in parts), strict=False)
    return [sum(values) for values in together]


def median_s(metric: Metric) -> float:
    """The median over all samples, in seconds."""
    if metric.summary.median is not None:
        return metric.summary.median
    return statistics.median(sample for trial in metric.trials for sample in trial.samples)
