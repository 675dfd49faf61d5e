"""Carries out a run of tier-latency against a running server: tier-latency --url."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING

from synapse_perf.analyze.served_plan import IN_PROCESS, plan_beside, plan_served
from synapse_perf.commands.latency_run import LatencyRun
from synapse_perf.commands.measuring import effort_of
from synapse_perf.commands.model_choice import Choice
from synapse_perf.commands.query_load import notes_of, with_load
from synapse_perf.commands.served_options import KEY_VARIABLE, timeout_of, urls_of
from synapse_perf.commands.served_tiers import as_model, served_tiers
from synapse_perf.commands.tier_choice import Tiers
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.latency_plan import LatencyCase, LatencyRequest
    from synapse_perf.analyze.query_load_plan import Loads
    from synapse_perf.analyze.query_set import Query
    from synapse_perf.commands.latency_options import LatencyOptions
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Finding, Json, Metric, MetricDefinition, Trial
    from synapse_perf.profiles import Profile

ONE_SERVER = "the server is one process: how it differs from start to start is in no interval"
NO_TWO_STAGE = "two-stage queries are not asked: an OpenAI-compatible server has no such mode"


class ServedRun(LatencyRun):
    """Policy, checks and report as for models in-process, of a server that is asked from outside."""

    def __init__(
        self,
        profile: Profile,
        options: LatencyOptions,
        queries: Sequence[Query],
        request: LatencyRequest,
        *,
        beside_tiers: Tiers | None,
        loads: Loads,
    ) -> None:
        served, common = options.served, options.common
        self.query_timeout_s = timeout_of(served)
        max_time_s = effort_of(
            profile, common
        ).bounds.max_time_s  # what is wrong with it is told before anyone is asked
        found = served_tiers(served, asks=not common.dry_run)
        self.served = found.tiers
        others = beside_tiers.models if beside_tiers else {}
        self.beside_models = {tier: model for tier, model in others.items() if tier in self.served}
        self.env = {KEY_VARIABLE: served.key} if served.key else {}
        models = {tier: as_model(tier, one) for tier, one in self.served.items()}
        told = (*found.told, *(beside_tiers.warnings if beside_tiers else ()), ONE_SERVER)
        if request.overlaps:
            told = (*told, NO_TWO_STAGE)
        unusable = (*found.unusable, *(beside_tiers.choice.unusable if beside_tiers else ()))
        chosen = Tiers(models, Choice((), {}, unusable, profile.name), told)
        asked = replace(request, overlaps=(), wants_high_level=False)
        beside, kept_s = with_load(loads, ((), 0.0), max_time_s)
        super().__init__(
            profile,
            chosen,
            queries,
            asked,
            None,
            common,
            beside=beside,
            beside_s=kept_s,
            notes=notes_of(loads),
            explains=options.cases.explain,
        )

    @cached_property
    def cases(self) -> list[LatencyCase]:
        cases = plan_served(
            self.served,
            self.queries,
            self.request,
            query_timeout_s=self.query_timeout_s,
            limits=self.limits,
            env=self.env,
        )
        return [*cases, *plan_beside(self.beside_models, self.queries, self.request)]

    def _definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks.served_query import METRICS

        return {**super()._definitions(), **METRICS}

    def _run_trials(self) -> Outcome:
        """The first answers in-process wait for a load, which a server has behind it: they stay out."""
        outcome = super()._run_trials()
        return replace(outcome, trials=tuple(_without_starts(trial) for trial in outcome.trials))

    def _warnings_after(self, outcome: Outcome) -> list[str]:
        from synapse_perf.analyze.served_rows import length_warnings, lost_warnings, token_warnings

        told = (warn(outcome.trials) for warn in (lost_warnings, length_warnings, token_warnings))
        return [*chain.from_iterable(told), *super()._warnings_after(outcome)]

    def _findings(self, metrics: Sequence[Metric]) -> list[Finding]:
        from synapse_perf.analyze.served_findings import served_findings

        return [*super()._findings(metrics), *served_findings(metrics, self.effort.confidence)]

    def _workload(self, trials: Sequence[Trial]) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        told = {name: value for name, value in super()._workload(trials).items() if name != "resident"}
        urls = {tier: redact(one.url) for tier, one in self.served.items()}
        beside = {tier: PurePath(model.path).name for tier, model in self.beside_models.items()}
        return {
            **told,
            "api": "openai",
            "urls": urls,
            "query_timeout_s": self.query_timeout_s,
            **({"in_process": beside} if beside else {}),
        }


def served_run(
    profile: Profile, options: LatencyOptions, queries: Sequence[Query], request: LatencyRequest
) -> LatencyRun:
    """The run against the servers of --url, beside the models that --tier names."""
    from synapse_perf.commands.device_choice import check_device
    from synapse_perf.commands.engine_run import EngineRun
    from synapse_perf.commands.query_load_options import loads_of
    from synapse_perf.commands.tier_choice import choose_tiers
    from synapse_perf.profiles.settings import Models

    urls = urls_of(options.served.url)  # what is wrong with them is told before any model is looked at
    loads = loads_of(options.under_load, profile.tier_latency, is_tuning=False)
    if options.served.api == "synapse":
        return EngineRun(profile, options, queries, request)
    beside: Tiers | None = None
    if options.tiers.tier:
        check_device(request.load.device, (), request.load.python)
        named = replace(profile, models=Models())  # of the profile, no model is beside a server
        beside = choose_tiers(options.tiers.tier, (), named, quiet=options.common.quiet)
        alone = [tier for tier in beside.models if tier not in urls]
        if alone:
            raise InputError(f"--tier {alone[0]}: there is no --url for that tier", f"give --url {alone[0]}=URL too")
    return ServedRun(profile, options, queries, request, beside_tiers=beside, loads=loads)


def _without_starts(trial: Trial) -> Trial:
    if trial.spec.labels.get("variant") != IN_PROCESS:
        return trial
    steady = [one for one in trial.samples if not any("state" in value.labels for value in one.values)]
    facts = {name: value for name, value in trial.facts.items() if name != "n_ctx"}  # not the server's
    return replace(trial, samples=tuple(steady), facts=facts)
