"""Trials and metrics for the tests of the analysis, as workers would have reported them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synapse_perf.analyze.summary import summarize
from synapse_perf.model import (
    Better,
    Failure,
    FailureKind,
    Measurement,
    Metric,
    MetricDefinition,
    Sample,
    Trial,
    TrialRecord,
    TrialSpec,
)

STARTUP = MetricDefinition("model_startup_time", "s", "lower", "spawn to first token")
PHASE = MetricDefinition("phase_time", "s", "lower", "one part of a start")
DEFINITIONS = {STARTUP.name: STARTUP, PHASE.name: PHASE}
COLD_CPU = {"model": "tiny", "cache": "cold", "device": "cpu"}


def spec(arm: str = "mmap", **labels: str) -> TrialSpec:
    return TrialSpec("profile_load", arm, labels or {"model": "tiny", "cache": "cold"}, {"arm": arm})


def trial(
    of: TrialSpec, *values: float, process: int = 1, wall_s: float = 1.0, failure: Failure | None = None
) -> Trial:
    samples = tuple(Sample((Measurement("model_startup_time", value, {"device": "cpu"}),)) for value in values)
    return Trial(of, process, samples, wall_s, failure=failure)


def failed(of: TrialSpec, message: str = "aborted", kind: FailureKind = "crash", wall_s: float = 1.0) -> Trial:
    return trial(of, failure=Failure(kind, message), wall_s=wall_s)


def metric(
    *groups: Sequence[float],
    name: str = "model_startup_time",
    labels: Mapping[str, str] | None = None,
    unit: str = "s",
    better: Better = "lower",
) -> Metric:
    """One group of samples for each process."""
    records = tuple(TrialRecord("mmap", number, tuple(group)) for number, group in enumerate(groups, 1))
    return Metric(name, COLD_CPU if labels is None else labels, unit, better, records, summarize(groups))


def single(*values: float, **other: object) -> Metric:
    """One sample for each process."""
    return metric(*([value] for value in values), **other)  # type: ignore[arg-type]
