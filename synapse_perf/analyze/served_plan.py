"""Which trials tell how a running server meets the targets of the tiers?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from synapse_perf.analyze.latency_plan import LatencyCase, LatencyRequest, plan_latency
from synapse_perf.analyze.load_plan import LEAST_PATIENCE_S, ModelUnderTest
from synapse_perf.analyze.query_set import Query
from synapse_perf.analyze.targets import VARIANT
from synapse_perf.model import Json, TrialSpec

IN_PROCESS = "in-process"  # the variant that stands beside the server
_MARK = "qzvkxwpj"  # like the line that makes a query to a server new, so that both read prompts of the same length


@dataclass(frozen=True, slots=True)
class ServedTier:
    """Where a tier's queries go, and by which model they are answered there; None leaves it to the server."""

    url: str
    model: str | None = None


def plan_served(
    tiers: Mapping[str, ServedTier],
    queries: Sequence[Query],
    request: LatencyRequest,
    *,
    query_timeout_s: float,
    limits: Mapping[str, float],
    env: Mapping[str, str],
) -> list[LatencyCase]:
    """Every case once, those that are judged first; a tier that no query is routed to has none."""
    asked = {tier: [one for one in queries if request.asked == "every" or one.tier == tier] for tier in tiers}
    cases = []
    for prefix in request.prefixes:
        for tier, served in tiers.items():
            if not asked[tier]:
                continue
            workload: dict[str, Json] = {
                "url": served.url,
                "model": served.model,
                "prefix": prefix,
                "timeout_s": query_timeout_s,
                "limit_s": limits.get(tier),
                "queries": [query.as_workload() for query in asked[tier]],
                "system": request.system,
                "max_tokens": request.max_tokens,
                "is_fixed_length": request.is_fixed_length,
                "temperature": request.temperature,
                "seed": request.seed,
            }
            variant = "" if prefix == request.prefixes[0] else f"prefix={prefix}"
            cases.append(_case(tier, variant, workload, request, env))
    return cases


def plan_beside(
    models: Mapping[str, ModelUnderTest], queries: Sequence[Query], request: LatencyRequest
) -> list[LatencyCase]:
    """The same queries of the tiers' models in processes of our own, compared with the server and never judged."""
    alone = replace(request, prefixes=request.prefixes[:1], wants_high_level=False, overlaps=(), resident="one")
    if request.system:
        alone = replace(alone, system=f"{_MARK}\n{request.system}")
    else:
        queries = [replace(query, prompt=f"{_MARK}\n{query.prompt}") for query in queries]
    cases = []
    for case in plan_latency(models, queries, alone):
        name = f"{case.name} {IN_PROCESS}"
        spec = replace(case.spec, arm=name, labels={**case.spec.labels, VARIANT: IN_PROCESS})
        cases.append(replace(case, name=name, spec=spec, is_judged=False, work=float(request.max_tokens)))
    return cases


def _case(
    tier: str, variant: str, workload: Mapping[str, Json], request: LatencyRequest, env: Mapping[str, str]
) -> LatencyCase:
    kinds = len({query["complexity"] for query in workload["queries"]})
    count = request.queries_per_process * kinds
    labels = {"tier": tier, "prefix": workload["prefix"]}
    spec = TrialSpec(
        benchmark="served_query",
        arm=f"{tier} {variant}".strip(),
        labels={**labels, VARIANT: variant} if variant else labels,
        workload={**workload, "count": count, "asking_s": None},
        samples=count + 2,  # more than there are: the worker itself tells when it is done
        timeout_s=LEAST_PATIENCE_S + 2 * workload["timeout_s"],  # of the first query, and of one past its share
        env=env,
    )
    return LatencyCase(spec.arm, spec, not variant, float(request.max_tokens), count, kinds)
