"""Which trials answer what was asked of a running engine?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synapse_perf.analyze.latency_plan import TWO_STAGE, LatencyCase
from synapse_perf.analyze.query_set import Query
from synapse_perf.analyze.targets import VARIANT
from synapse_perf.model import Json, TrialSpec

SIMPLE = "simple"
SERVICE_QUERIES = 2  # that are polled beside, in one process
_WORK = {SIMPLE: 1.0, TWO_STAGE: 3.0}  # a draft as long as an answer, and an answer over more prompt
_SAMPLES_PER_PAIR_SET, _SAMPLES_PER_POLLED = 10, 4


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What is asked of the engine, and for how long; its own defaults where nothing is said."""

    url: str
    timeout_s: float = 90.0  # that its front end waits for a two-stage query
    env: Mapping[str, str] = field(default_factory=dict)  # of its clients: the key
    max_tokens: int = 256
    temperature: float = 0.7
    use_context: bool = True
    queries_per_process: int = 15
    wants_two_stage: bool = True
    wants_service: bool = True
    limit_s: float = 0.0  # the largest of the targets: a query that is lost counts as no less


def plan_engine(queries: Sequence[Query], request: EngineRequest) -> list[LatencyCase]:
    """Simple mode, two-stage mode, and what the service costs around them, which no target judges."""
    workload: dict[str, Json] = {
        "url": request.url,
        "timeout_s": request.timeout_s,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "use_context": request.use_context,
        "limit_s": request.limit_s,
        "queries": [query.as_workload() for query in queries],
    }
    cases = [_case("engine_query", SIMPLE, workload, request)]
    if request.wants_two_stage:
        cases.append(_case("engine_query", TWO_STAGE, workload, request))
    if request.wants_service:
        cases.append(_service(workload, request))
    return cases


def _case(benchmark: str, mode: str, workload: dict[str, Json], request: EngineRequest) -> LatencyCase:
    kinds = 1 if mode == TWO_STAGE else len({query["complexity"] for query in workload["queries"]})
    count = request.queries_per_process * kinds
    spec = TrialSpec(
        benchmark=benchmark,
        arm=mode,
        labels={},  # the tier is that which answers
        workload={**workload, "mode": mode, "count": count, "asking_s": None},
        samples=count + 2,  # more than there are: the worker itself tells when it is done
        timeout_s=_patience_s(request, 2),  # the first one, and one that is begun in time
        env=request.env,
    )
    return LatencyCase(mode, spec, is_judged=True, work=_WORK[mode], queries=count, kinds=kinds)


def _service(workload: dict[str, Json], request: EngineRequest) -> LatencyCase:
    spec = TrialSpec(
        benchmark="engine_service",
        arm="service",
        labels={VARIANT: "service"},
        workload={**workload, "mode": SIMPLE, "count": SERVICE_QUERIES, "asking_s": None},
        samples=_SAMPLES_PER_PAIR_SET + _SAMPLES_PER_POLLED * SERVICE_QUERIES,
        timeout_s=_patience_s(request, 2 * SERVICE_QUERIES),
        env=request.env,
    )
    return LatencyCase("service", spec, is_judged=False, work=_WORK[SIMPLE], queries=SERVICE_QUERIES, kinds=1)


def _patience_s(request: EngineRequest, queries: int) -> float:
    """Of the worker without the time that it asks: each query ends by itself."""
    return 30.0 + queries * request.timeout_s
