"""What does the result of tier-latency keep of the tiers, and by what is each row judged?"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.latency_plan import missing_for_two_stage
from synapse_perf.commands.model_choice import TIERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.latency_plan import LatencyRequest
    from synapse_perf.analyze.load_plan import ModelUnderTest
    from synapse_perf.analyze.query_set import Query
    from synapse_perf.commands.latency_context import TwoStageContext
    from synapse_perf.commands.measuring import Effort
    from synapse_perf.model import Check, Failure, Finding, Json, Metric, Subject, Trial


def not_asked(tiers: Mapping[str, ModelUnderTest], queries: Sequence[Query], request: LatencyRequest) -> list[str]:
    """Which queries have no model to answer them, and which model gets no query."""
    told = _not_routed(tiers, queries) if request.asked == "routed" else []
    missing = missing_for_two_stage(tiers, queries) if request.overlaps else ()
    if missing:
        told.append(f"two-stage queries that need {' or '.join(missing)} are not asked: there is no such model")
    return told


def _not_routed(tiers: Mapping[str, ModelUnderTest], queries: Sequence[Query]) -> list[str]:
    counts = {tier: sum(query.tier == tier for query in queries) for tier in TIERS}
    lost = [f"{counts[tier]} for {tier}" for tier in TIERS if counts[tier] and tier not in tiers]
    idle = [tier for tier in tiers if not counts[tier]]
    return [
        *([f"queries without a model, which are not asked: {', '.join(lost)}"] if lost else []),
        *([f"no query is routed to {' or '.join(idle)} (see --asked every)"] if idle else []),
    ]


def distinct(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """Each once, though every process began with another query, and failed at that; the row has the tier already."""
    found: dict[str, Failure] = {}
    for failure in failures:
        tier = failure.labels.get("tier", "")
        shorter = replace(failure, message=failure.message.removeprefix(f"tier {tier}: "))
        found.setdefault(re.sub(r"\d+", "0", f"{tier} {shorter.message}"), shorter)
    return tuple(found.values())


def without_context(trials: Sequence[Trial]) -> list[str]:
    """Two-stage queries whose prompt got no text, though there is something to retrieve from."""
    facts = [sample.facts for trial in trials for sample in trial.samples if "context_tokens" in sample.facts]
    empty = sum(not one["context_tokens"] for one in facts)
    if not empty:
        return []
    told = f"nothing was retrieved for {empty} of {len(facts)} two-stage queries: their prompts are the shorter for it"
    return [f"{told} (see --min-relevance)"]


def checks_of(
    metrics: Sequence[Metric], effort: Effort, profile: str, subject: Subject, *, is_sample_context: bool
) -> tuple[Check, ...]:
    """A two-stage query that retrieves from a sample is one, whatever its models are."""
    from synapse_perf.analyze.disturbance import excuse_disturbed
    from synapse_perf.analyze.verdict import check_targets

    found: list[Check] = []
    for target in effort.targets:
        is_sample = subject == "sample" or (is_sample_context and target.id == "query-two-stage")
        own: Subject = "sample" if is_sample else "real"
        found += check_targets(metrics, [target], confidence=effort.confidence, subject=own, profile=profile)
    return excuse_disturbed(tuple(found), metrics)


def workload_of(
    tiers: Mapping[str, ModelUnderTest],
    queries: Sequence[Query],
    request: LatencyRequest,
    context: TwoStageContext | None,
    trials: Sequence[Trial],
) -> dict[str, Json]:
    """What was measured; prompts are private, so only a digest of them is kept, and of models only what they hold.

    The context that a model got is told beside it; what asked for it is in the digest already.
    """
    lengths: dict[str, Json] = {
        "queries": len(queries),
        "max_tokens": request.max_tokens,
        "draft_tokens": request.draft_tokens,
        "context_tokens": request.context_tokens,
        "fixed_length": request.is_fixed_length,
        "temperature": request.temperature,
        "resident": request.resident,
        "searched": context.digest if context else None,
    }
    models = {tier: model.digest for tier, model in tiers.items()}
    asked = [request.system, request.prefixes[0], request.overlaps[:1], request.asked]
    text = json.dumps([models, lengths, [query.as_workload() for query in queries], asked], sort_keys=True)
    told: dict[str, Json] = {tier: _described(model) for tier, model in tiers.items()}
    contexts = {trial.spec.labels["tier"]: trial.facts["n_ctx"] for trial in trials if "n_ctx" in trial.facts}
    for tier, size in contexts.items():
        told[tier]["context"] = size
    retrieved = {"retrieved_from": context.description} if context else {}
    of_stages = () if request.overlaps else ("draft_tokens", "context_tokens", "searched")
    shown = {name: value for name, value in lengths.items() if name not in of_stages}
    return {"tiers": told, **shown, **retrieved, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _described(model: ModelUnderTest) -> dict[str, Json]:
    return {"file": Path(model.path).name, "digest": model.digest, "description": model.description}


def ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The severest first; what tuning measured takes the place of its estimate."""
    from synapse_perf.commands.load_explain import SEVERITIES

    measured = {(one.id, one.evidence.get("tier")) for one in findings if one.gain and one.gain.measured}
    findings = [
        one
        for one in findings
        if not one.gain or one.gain.measured or (one.id, one.evidence.get("tier")) not in measured
    ]
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
