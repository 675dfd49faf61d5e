"""Carries out one run of tier-latency against the engine's own query API: its cases, its findings, its lost queries."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from synapse_perf.analyze.engine_plan import SIMPLE, EngineRequest, plan_engine
from synapse_perf.commands.latency_run import LatencyRun
from synapse_perf.commands.measuring import effort_of
from synapse_perf.commands.model_choice import Choice
from synapse_perf.commands.served_options import KEY_VARIABLE, timeout_of, urls_of
from synapse_perf.commands.tier_choice import Tiers
from synapse_perf.errors import InputError
from synapse_perf.outside.engine_client import HOTTEST, LONGEST_QUERY, MOST_TOKENS, EngineClient
from synapse_perf.outside.streamed_answer import QueryLost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.latency_plan import LatencyCase, LatencyRequest
    from synapse_perf.analyze.query_set import Query
    from synapse_perf.commands.latency_options import LatencyOptions
    from synapse_perf.commands.served_options import ServedOptions
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Finding, Json, Metric, MetricDefinition, Subject, Trial
    from synapse_perf.profiles import Profile

HEALTH_TIMEOUT_S = 10.0
TIMEOUT_S = 90.0  # that the engine's own front end waits for a two-stage query
ONE_ENGINE = "the engine is one process: how it differs from start to start is in no interval"
IT_ENDS = "the engine ends its answers itself: the profile's fixed_length changes nothing here"
NO_LOAD = "the profile's concurrency and rate are not put on an engine: ask its model server with --api openai"


class EngineRun(LatencyRun):
    """One run through an engine, which chooses the models itself."""

    def __init__(
        self,
        profile: Profile,
        options: LatencyOptions,
        queries: Sequence[Query],
        request: LatencyRequest,
    ) -> None:
        served, common = options.served, options.common
        targets = effort_of(profile, common).targets
        limits = [target.limit for target in targets if target.metric == "query_latency"]
        self.asked = EngineRequest(
            _one_url(served),
            timeout_s=timeout_of(served) if served.query_timeout else TIMEOUT_S,
            env={KEY_VARIABLE: served.key} if served.key else {},
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            queries_per_process=request.queries_per_process,
            wants_two_stage=bool(request.overlaps),
            wants_service=request.wants_high_level,
            limit_s=max(limits, default=0.0),
        )
        _check(queries, self.asked, request)
        told = [IT_ENDS] if request.is_fixed_length else []
        if profile.tier_latency.concurrency or profile.tier_latency.rate:
            told.append(NO_LOAD)
        unseen = [] if common.dry_run else _without_health(self.asked.url, served.key)
        if unseen and self.asked.wants_service:
            told += unseen
            self.asked = replace(self.asked, wants_service=False)
        chosen = Tiers({}, Choice((), {}, (), profile.name), (*told, ONE_ENGINE))
        bare, explains = replace(request, overlaps=()), options.cases.explain
        super().__init__(profile, chosen, queries, bare, None, common, explains=explains)

    @cached_property
    def cases(self) -> list[LatencyCase]:
        return plan_engine(self.queries, self.asked)

    @property
    def subject(self) -> Subject:
        return "real"

    def _definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks import engine_query, engine_service

        return {**engine_service.METRICS, **engine_query.METRICS}

    def told_before(self) -> list[str]:
        return list(self.chosen.warnings)

    def _warnings_after(self, outcome: Outcome) -> list[str]:
        from synapse_perf.analyze.served_rows import lost_warnings

        lost = lost_warnings(outcome.trials)
        return [*lost, *_routed_elsewhere(outcome.trials), *super()._warnings_after(outcome)]

    def _findings(self, metrics: Sequence[Metric]) -> list[Finding]:
        from synapse_perf.analyze.engine_findings import engine_findings

        return [*super()._findings(metrics), *engine_findings(metrics, self.effort.confidence)]

    def _workload(self, trials: Sequence[Trial]) -> dict[str, Json]:
        """Neither prompts nor the address are kept; models go by the engine's names for them."""
        lengths: dict[str, Json] = {
            "api": "synapse",
            "queries": len(self.queries),
            "max_tokens": self.asked.max_tokens,
            "temperature": self.asked.temperature,
            "use_context": self.asked.use_context,
        }
        text = json.dumps([lengths, [query.as_workload() for query in self.queries]], sort_keys=True)
        facts = [sample.facts for trial in trials for sample in trial.samples]
        models = sorted({str(one["model"]) for one in facts if one.get("model")})
        return {**lengths, "models": models, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _routed_elsewhere(trials: Sequence[Trial]) -> list[str]:
    """Queries that the tool's own scoring would send to another tier than the one which the engine took."""
    facts = [sample.facts for trial in trials if trial.spec.arm == SIMPLE for sample in trial.samples]
    answered = [one for one in facts if one.get("answered_by")]
    others = [one for one in answered if one["answered_by"] != one["routed_tier"]]
    if not others:
        return []
    tiers = ", ".join(sorted({str(one["answered_by"]) for one in others}))
    return [
        f"the engine answered {len(others)} of {len(answered)} simple-mode queries with another tier than their score "
        f"asks for ({tiers}): they count for the tier that answered"
    ]


def _without_health(url: str, key: str | None) -> list[str]:
    """What is then not measured; InputError where nothing answers at all."""
    client = EngineClient(url, HEALTH_TIMEOUT_S, key)
    try:
        client.health()
    except QueryLost as error:
        if error.kind == "time-out":
            remedy = "start the engine, or wait until it is free"
            raise InputError(f"nothing answers at {url}: {error}", remedy) from error
        if error.kind == "unreachable":
            raise InputError(str(error), error.remedy or "see the engine's log") from error
        return [f"what the service around the models costs is not measured: its health URL: {error}"]
    finally:
        client.close()
    return []


def _one_url(served: ServedOptions) -> str:
    urls = set(urls_of(served.url).values())
    if len(urls) != 1 or any("=" in url.partition("/")[0] for url in served.url):
        raise InputError("--api synapse takes one --url", "give the engine's, such as http://127.0.0.1:8000")
    return urls.pop()


def _check(queries: Sequence[Query], asked: EngineRequest, request: LatencyRequest) -> None:
    """What the engine would refuse, or cannot be told, is said before anything is asked."""
    for number, query in enumerate(queries, 1):
        length, tokens = len(query.prompt), query.max_tokens or asked.max_tokens
        if length > LONGEST_QUERY:
            raise InputError(f"query {number} has {length} characters, the engine takes {LONGEST_QUERY}", "shorten it")
        if tokens > MOST_TOKENS:
            raise InputError(f"query {number}: {tokens} tokens, the engine takes {MOST_TOKENS}", "ask for fewer")
    if asked.temperature > HOTTEST:
        raise InputError(f"--temperature {asked.temperature:g}: the engine takes 0 to {HOTTEST:g}", "give less")
    if request.system:
        raise InputError("the profile's system prompt: the engine takes none", "leave it out of [tier-latency]")
