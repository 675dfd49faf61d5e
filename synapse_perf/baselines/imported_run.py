"""What does a run of another tool become? A result whose environment nobody noted."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.model import Better, Environment, Labels, Metric, Result, Summary, TrialRecord


def measured_metric(name: str, labels: Labels, unit: str, better: Better, groups: Sequence[Sequence[float]]) -> Metric:
    """One group of samples for each process that they came from."""
    trials = tuple(TrialRecord("", number, tuple(group)) for number, group in enumerate(groups, 1))
    count = sum(map(len, groups))
    return Metric(name, labels, unit, better, trials, Summary(count, len(groups), None, None, None, None, None))


def imported_result(tool: str, metrics: Sequence[Metric], started_at: str = "") -> Result:
    return Result(
        benchmark=tool,
        subject="real",
        profile="",
        started_at=started_at,
        duration_s=0.0,
        workload={},
        plan={},
        environment=Environment({}, {}, {}, {}),
        metrics=tuple(metrics),
        checks=(),
        comparisons=(),
        warnings=(),
        failures=(),
        verdict="not-measured",
        findings=(),
    )
