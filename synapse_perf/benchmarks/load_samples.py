"""What does a step of load tell? Its throughput with all that is known of the step, its latencies, the loop's lags.

Standard library only, as it runs in the user's own environment as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.load_plan import LoadPlan
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.context import Context
    from synapse_perf.benchmarks.open_loop import Request, Step

METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("retrieval_latency", "s", "lower", "time that a request was due to its answer"),
        MetricDefinition("event_loop_lag", "s", "lower", "what anything else on the event loop waits"),
        MetricDefinition("throughput", "1/s", "higher", "answers per second while so many requests are offered"),
    )
}

Parts = Callable[[Any], Mapping[str, float]]


def drawn_plan(context: Context) -> LoadPlan:
    """The plan with arrivals of this process's own: those of one seed may happen to come in a bunch."""
    plan = LoadPlan.from_workload(context.workload["load"])
    return plan._replace(seed=(plan.seed + context.spawned_ns // 1000) % 2**31)


def samples_of(
    strategy: str, step: Step, unlike: int, known: Mapping[str, Fact], parts: Parts = lambda _: {}
) -> Iterator[Sample]:
    """First the throughput with the facts; `parts` are stages of a latency that its answer tells, in seconds."""
    labels = {"strategy": strategy, "load": f"{step.load:g}"}
    if step.requests:
        yield Sample((Measurement("throughput", step.completed_per_s, labels),), {**step_facts(step, unlike), **known})
        for request in step.answered:
            yield Sample(_latencies(request, parts, labels))
    yield Sample(tuple(Measurement("event_loop_lag", lag_s, labels) for lag_s in step.lags_s))


def _latencies(request: Request, parts: Parts, labels: Mapping[str, str]) -> tuple[Measurement, ...]:
    stages = {"total": request.latency_s, **parts(request.answer)}
    return tuple(
        Measurement("retrieval_latency", seconds, {**labels, "state": "loaded", "stage": stage})
        for stage, seconds in stages.items()
    )


def step_facts(step: Step, unlike: int) -> dict[str, Fact]:
    """What is known of a step beside its latencies."""
    return {
        "offered_per_s": step.offered_per_s,
        "requests": len(step.requests),
        "differing": unlike,
        "errors": len(step.errors),
        "first_error": step.errors[0] if step.errors else None,
        "backlog_growth": step.backlog_growth(),
        "lateness_p95_s": highest_but_few(step.lateness_s),
    }


def highest_but_few(values: Sequence[float]) -> float:
    """The value that 95 % are not above."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
