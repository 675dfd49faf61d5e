"""What was measured beside the judged trials of tier-latency: tuning, load, whatever is asked for after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from synapse_perf.commands.latency_run import LatencyRun
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Check, Failure, Finding, Json, Metric


@dataclass(frozen=True, slots=True)
class Beside:
    """What it adds to the result; `facts` are told in the workload."""

    metrics: tuple[Metric, ...] = ()
    checks: tuple[Check, ...] = ()
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)
    is_interrupted: bool = False


# Called once the judged trials are done, in turn; the next one is not where one was interrupted.
MeasureBeside: TypeAlias = "Callable[[LatencyRun, Outcome], Beside]"
