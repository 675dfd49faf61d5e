"""Metrics of steps of load with known figures, for the tests of what is concluded from them."""

from __future__ import annotations

import heapq
import random
from collections.abc import Mapping, Sequence
from itertools import pairwise

from synapse_perf.analyze.summary import summarize
from synapse_perf.benchmarks.open_loop import Request, Step
from synapse_perf.model import Better, Fact, Labels, Metric, TrialRecord

PROCESSES = 6
SPREAD = (0.97, 0.98, 0.99, 1.01, 1.02, 1.03)  # six processes around the middle
SERVICE_S = 0.01


def made(
    name: str,
    groups: Sequence[Sequence[float]],
    labels: Labels,
    facts: Sequence[Mapping[str, Fact]] = (),
    unit: str = "s",
    better: Better = "lower",
) -> Metric:
    """A metric with one group of samples for each process, and facts of its first sample."""
    records = tuple(
        TrialRecord("load", process, tuple(group), {key: (fact,) for key, fact in (facts or [{}] * 99)[place].items()})
        for place, (process, group) in enumerate(enumerate(groups, start=1))
    )
    return Metric(name, labels, unit, better, records, summarize(groups))


def made_step(
    load: float,
    latencies_s: Sequence[Sequence[float]],
    *,
    strategy: str = "bounded",
    variant: str = "",
    lags_s: Sequence[Sequence[float]] | None = None,
    waits_s: Sequence[Sequence[float]] | None = None,
    completed_per_s: Sequence[float] | None = None,
    **facts: Fact,
) -> list[Metric]:
    """All metrics of one step; `facts` are those of each process."""
    labels = {"strategy": strategy, "load": f"{load:g}"} | ({"variant": variant} if variant else {})
    offered = load / SERVICE_S
    known: dict[str, Fact] = {
        "offered_per_s": offered,
        "requests": len(latencies_s[0]),
        "differing": 0,
        "errors": 0,
        "backlog_growth": 0.0,
        "lateness_p95_s": 0.0,
        "omp_main": 1,
        "omp_workers": 1,
        **facts,
    }
    completed = completed_per_s or [min(offered, 1 / SERVICE_S)] * len(latencies_s)
    loaded = {**labels, "state": "loaded"}
    return [
        made("throughput", [[one] for one in completed], labels, [known] * len(latencies_s), "1/s", "higher"),
        made("retrieval_latency", latencies_s, {**loaded, "stage": "total"}),
        made("retrieval_latency", waits_s or [[1e-6]] * len(latencies_s), {**loaded, "stage": "encoder_wait"}),
        made("event_loop_lag", lags_s or [[0.001] * 100] * len(latencies_s), labels),
    ]


def around(seconds: float, count: int = 40) -> list[list[float]]:
    """Six processes with samples close to a value."""
    return [[seconds * factor] * count for factor in SPREAD]


def simulated_step(load: float, count: int, seed: int, *, arrivals: str = "poisson", servers: int = 1) -> Step:
    """What an open loop would see of a queue whose service takes exactly SERVICE_S."""
    drawn, gap_s = random.Random(seed), SERVICE_S / load
    moments = [place * gap_s for place in range(count)]
    if arrivals == "poisson":
        moments = sorted(drawn.random() * count * gap_s for _ in range(count))
    free = [0.0] * servers
    requests = []
    for place, moment in enumerate(moments):
        began = max(moment, heapq.heappop(free))
        heapq.heappush(free, began + SERVICE_S)
        at_ns, ended_ns = round(moment * 1e9), round((began + SERVICE_S) * 1e9)
        requests.append(Request(place, at_ns, at_ns, at_ns, ended_ns, None, ""))
    assert all(one.intended_ns <= other.intended_ns for one, other in pairwise(requests))
    return Step(load, load / SERVICE_S, 0, tuple(requests), ())


def simulated(loads: Sequence[float], count: int = 60, **queue: object) -> list[Metric]:
    """The metrics of a simulated queue at each load, over six processes."""
    metrics = []
    for load in loads:
        steps = [simulated_step(load, count, seed, **queue) for seed in range(PROCESSES)]  # type: ignore[arg-type]
        latencies = [[request.latency_s for request in step.requests] for step in steps]
        found = made_step(load, latencies, completed_per_s=[step.completed_per_s for step in steps])
        growth = [
            {**_facts(found[0], place), "backlog_growth": step.backlog_growth()} for place, step in enumerate(steps)
        ]
        completed = [record.samples for record in found[0].trials]
        metrics += [made("throughput", completed, found[0].labels, growth, "1/s", "higher"), *found[1:]]
    return metrics


def _facts(metric: Metric, place: int) -> dict[str, Fact]:
    return {name: values[0] for name, values in metric.trials[place].facts.items()}
