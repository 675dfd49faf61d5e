"""Which trials answer what was asked of tier-latency?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from synapse_perf.analyze.load_plan import LoadRequest, ModelUnderTest, variants
from synapse_perf.analyze.query_set import Query
from synapse_perf.analyze.retrieval_plan import RetrievalRequest, RetrievalSet
from synapse_perf.analyze.sampling import Arm
from synapse_perf.analyze.targets import VARIANT
from synapse_perf.model import Json, TrialSpec

Resident = Literal["one", "all"]
Asked = Literal["routed", "every"]  # a tier gets the queries that are routed to it, or every one
DRAFTING = "fast"
TWO_STAGE = "two-stage"
OVERLAPS = ("load", "retrieval")
READ_PER_WRITTEN = 4.0  # prompt tokens in the time of one that is generated: on a CPU, more on a GPU
TOKENS_PER_WORD = 1.3


@dataclass(frozen=True, slots=True)
class LatencyRequest:
    """What the profile and the options ask for; the engine's own lengths where nothing is said."""

    load: LoadRequest = field(default_factory=LoadRequest)
    resident: Resident = "one"
    asked: Asked = "routed"
    max_tokens: int = 256
    draft_tokens: int = 500
    is_fixed_length: bool = False  # past the model's own end, so that every answer is as long as another
    temperature: float = 0.0
    seed: int = 0
    system: str | None = None
    context_tokens: int = 2048  # of what retrieval finds, in the refining model's own tokens
    queries_per_process: int = 15
    prefixes: tuple[Literal["cold", "warm"], ...] = ("cold", "warm")  # the first one is judged
    wants_high_level: bool = True
    overlaps: tuple[tuple[str, ...], ...] = ((), ("load",), ("retrieval",))  # the first one is judged


@dataclass(frozen=True, slots=True)
class LatencyCase:
    """One kind of trial; a target is judged by those that are.

    `work` is about what one query costs: the bytes of weights that are read for it.
    """

    name: str
    spec: TrialSpec
    is_judged: bool
    work: float
    queries: int  # in one process, at most
    kinds: int  # of queries, each of which has figures of its own

    def arm(self, unjudged: int) -> Arm:
        """What is not judged runs in so many processes, and no more."""
        return Arm(self.name, self.spec, None if self.is_judged else unjudged)


def plan_latency(
    tiers: Mapping[str, ModelUnderTest],
    queries: Sequence[Query],
    request: LatencyRequest,
    retrieval: Mapping[str, Json] | None = None,
) -> list[LatencyCase]:
    """Every case once: each tier, then the two-stage query, then what is only compared with these.

    A tier that no query is routed to has no case, nor has a two-stage query without a model for each of its stages;
    `retrieval` is `retrieval_workload` of a prepared set, or ``{"factory": "package.module:name", "paths": [...]}``.
    """
    asked = {tier: _asked(queries, tier, request) for tier in tiers}
    judged = [_tier(tiers, tier, asked[tier], request, request.prefixes[0]) for tier in tiers if asked[tier]]
    compared = [
        _tier(tiers, tier, asked[tier], request, prefix)
        for prefix in request.prefixes[1:]
        for tier in tiers
        if asked[tier]
    ]
    if request.wants_high_level:
        compared += [_high_level(tiers[tier], tier, asked[tier], request) for tier in tiers if asked[tier]]
    refined = [query for query in queries if query.second_tier in tiers]
    if DRAFTING in tiers and refined and request.overlaps:
        two_stage = _two_stage_cases(tiers, refined, request, retrieval)
        judged += two_stage[:1]
        compared += two_stage[1:]
    return [*judged, *compared]


def missing_for_two_stage(tiers: Mapping[str, ModelUnderTest], queries: Sequence[Query]) -> tuple[str, ...]:
    """The tiers that two-stage queries want and that have no model."""
    wanted = dict.fromkeys([DRAFTING, *(query.second_tier for query in queries)])
    return tuple(tier for tier in wanted if tier not in tiers)


def retrieval_workload(subject: RetrievalSet, request: RetrievalRequest) -> dict[str, Json]:
    """The part of a two-stage workload that is the built-in retrieval's, over a prepared set with an encoder."""
    encoder = subject.encoder
    if encoder is None:
        raise ValueError("vectors alone hold no text that could be retrieved")
    return {
        "index": subject.index,
        "metadata": subject.metadata,
        "open": request.open_modes[0],
        "omp_threads": request.omp_threads[0],
        "encoder": {
            "path": encoder.path,
            "label": encoder.label,
            "max_tokens": encoder.max_tokens,
            "threads": request.encoder_threads[0] or encoder.threads,
        },
        "parameters": request.parameters(),
    }


def _asked(queries: Sequence[Query], tier: str, request: LatencyRequest) -> Sequence[Query]:
    return queries if request.asked == "every" else [query for query in queries if query.tier == tier]


def _tier(
    tiers: Mapping[str, ModelUnderTest], tier: str, queries: Sequence[Query], request: LatencyRequest, prefix: str
) -> LatencyCase:
    is_judged = prefix == request.prefixes[0]
    neighbours = [other for other in tiers if other != tier] if request.resident == "all" else []
    workload = {
        "tier": tier,
        "settings": _settings(tiers[tier], request),
        "neighbours": [{"tier": other, "settings": _settings(tiers[other], request)} for other in neighbours],
        "prefix": prefix,
        **_asking(queries, request),
    }
    files = tuple(file for one in (tier, *neighbours) for file in tiers[one].files)
    labels = {"tier": tier, "prefix": prefix}
    work = _work(tiers[tier], request.max_tokens, _read(queries))
    return _case("tier_latency", tier, labels, workload, request, files, "" if is_judged else f"prefix={prefix}", work)


def _high_level(model: ModelUnderTest, tier: str, queries: Sequence[Query], request: LatencyRequest) -> LatencyCase:
    workload = {"tier": tier, "settings": _settings(model, request), **_asking(queries, request)}
    labels = {"tier": tier, "prefix": "cold"}
    work = 2 * _work(model, request.max_tokens, _read(queries))
    return _case("high_level_chat", tier, labels, workload, request, model.files, "api=high-level", work)


def _two_stage_cases(
    tiers: Mapping[str, ModelUnderTest],
    queries: Sequence[Query],
    request: LatencyRequest,
    retrieval: Mapping[str, Json] | None,
) -> list[LatencyCase]:
    """The flow as it is asked for, then with what can overlap: nothing is loaded where all models stay resident."""
    used = list(dict.fromkeys([DRAFTING, *(query.second_tier for query in queries)]))
    workload = {
        "models": {tier: _settings(tiers[tier], request) for tier in used},
        "resident": request.resident,
        "draft_tokens": request.draft_tokens,
        "context_tokens": request.context_tokens,
        **_asking(queries, request),
        **(retrieval or {}),
    }
    files = tuple(file for tier in used for file in tiers[tier].files)
    work = _work(tiers[DRAFTING], request.draft_tokens, _read(queries))
    read = _read(queries) + request.draft_tokens + (request.context_tokens if retrieval else 0)
    work += max(_work(tiers[tier], request.max_tokens, read) for tier in used[1:] or used)
    cases: list[LatencyCase] = []
    for overlap in request.overlaps:
        has_nothing = ("load" in overlap and request.resident == "all") or ("retrieval" in overlap and not retrieval)
        if has_nothing and cases:
            continue
        variant = f"overlap={'+'.join(overlap) or 'none'}" if cases else ""
        labels = {"tier": TWO_STAGE}
        case = {**workload, "overlap": list(overlap), "variant": variant}
        cases.append(_case("two_stage_query", TWO_STAGE, labels, case, request, files, variant, work))
    return cases


def _case(
    benchmark: str,
    tier: str,
    labels: Mapping[str, str],
    workload: Mapping[str, Json],
    request: LatencyRequest,
    files: tuple[str, ...],
    variant: str,
    work: float,
) -> LatencyCase:
    kinds = 1 if tier == TWO_STAGE else len({query["complexity"] for query in workload["queries"]})
    queries = request.queries_per_process * kinds
    spec = TrialSpec(
        benchmark=benchmark,
        arm=f"{tier} {variant}".strip(),
        labels={**labels, VARIANT: variant} if variant else dict(labels),
        workload={**workload, "count": queries, "asking_s": None},  # a trial may be given less, see latency_pace
        samples=2 * queries + 1,  # the first answer is a sample as well; two ways of asking give two each
        timeout_s=request.load.timeout_s,
        files=files,
        python=request.load.python,
        env=request.load.env,
    )
    return LatencyCase(spec.arm, spec, is_judged=not variant, work=work, queries=queries, kinds=kinds)


def _work(model: ModelUnderTest, written: int, read: float) -> float:
    return model.size_bytes * (written + read / READ_PER_WRITTEN)


def _read(queries: Sequence[Query]) -> float:
    """About how many tokens the prompts have, on average."""
    return TOKENS_PER_WORD * sum(len(query.prompt.split()) for query in queries) / len(queries)


def _settings(model: ModelUnderTest, request: LatencyRequest) -> dict[str, Json]:
    return variants(model, request.load)[0][2].as_workload()


def _asking(queries: Sequence[Query], request: LatencyRequest) -> dict[str, Json]:
    return {
        "queries": [query.as_workload() for query in queries],
        "system": request.system,
        "max_tokens": request.max_tokens,
        "is_fixed_length": request.is_fixed_length,
        "temperature": request.temperature,
        "seed": request.seed,
    }
