"""Metrics of profile-load with known figures, for the tests of what is concluded from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synapse_perf.analyze.summary import summarize
from synapse_perf.model import Fact, Metric, TrialRecord

SPREAD = (0.97, 0.98, 0.99, 1.01, 1.02, 1.03)  # six processes around the middle


def made_metric(
    name: str,
    values: Sequence[float],
    labels: Mapping[str, str],
    facts: Mapping[str, Fact] | None = None,
    arm: str = "mmap",
) -> Metric:
    """A metric with one sample a process, each with the same facts."""
    records = tuple(
        TrialRecord(arm, process, (value,), {key: (fact,) for key, fact in (facts or {}).items()})
        for process, value in enumerate(values, start=1)
    )
    return Metric(name, labels, "s", "lower", records, summarize([record.samples for record in records]))


def made_start(
    total_s: float,
    phases: Mapping[str, float],
    *,
    model: str = "fast",
    cache: str = "cold",
    variant: str = "",
    arm: str = "mmap",
    facts: Mapping[str, Fact] | None = None,
    spread: Sequence[float] = SPREAD,
) -> list[Metric]:
    """All metrics of one kind of start."""
    labels = {"model": model, "cache": cache, "device": "cpu"}
    if variant:
        labels["variant"] = variant
    metrics = [made_metric("model_startup_time", [total_s * factor for factor in spread], labels, facts, arm)]
    for phase, seconds in phases.items():
        values = [seconds * factor for factor in spread]
        metrics.append(made_metric("phase_time", values, {**labels, "phase": phase}, arm=arm))
    return metrics


def made_floor(seconds: float, *, model: str = "fast", cache: str = "cold") -> Metric:
    labels = {"model": model, "cache": cache, "device": "cpu", "phase": "floor"}
    return made_metric("phase_time", [seconds * factor for factor in SPREAD], labels, arm="floor")
