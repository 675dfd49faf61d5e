"""Carries out a run of tier-latency against a running server: tier-latency --url."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING

from synapse_perf.analyze.load_plan import ModelUnderTest
from synapse_perf.analyze.served_plan import IN_PROCESS, ServedTier, plan_beside, plan_served
from synapse_perf.commands.latency_run import LatencyRun
from synapse_perf.commands.measuring import effort_of
from synapse_perf.commands.model_choice import Choice
from synapse_perf.commands.query_load import notes_of, with_load
from synapse_perf.commands.served_options import KEY_VARIABLE, names_of, timeout_of, urls_of
from synapse_perf.commands.tier_choice import Tiers
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.latency_plan import LatencyCase, LatencyRequest
    from synapse_perf.analyze.query_load_plan import Loads
    from synapse_perf.analyze.query_set import Query
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.served_options import ServedOptions
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Json, MetricDefinition, Trial
    from synapse_perf.profiles import Profile

LISTING_S = 10.0  # for the names of a server's models
UNNAMED = "the server's own choice"
ONE_SERVER = "the server is one process: how it differs from start to start is in no interval"
NO_TWO_STAGE = "two-stage queries are not asked: an OpenAI-compatible server has no such mode"


class ServedRun(LatencyRun):
    """Policy, checks and report as for models in-process, of a server that is asked from outside."""

    def __init__(
        self,
        profile: Profile,
        served: ServedOptions,
        queries: Sequence[Query],
        request: LatencyRequest,
        options: CommonOptions,
        *,
        beside_models: Mapping[str, ModelUnderTest],
        loads: Loads,
        explains: bool = False,
    ) -> None:
        self.served, told = _served_tiers(served, asks=not options.dry_run)
        self.query_timeout_s = timeout_of(served)
        self.beside_models = {tier: model for tier, model in beside_models.items() if tier in self.served}
        self.env = {KEY_VARIABLE: served.key} if served.key else {}
        models = {tier: _as_model(tier, one) for tier, one in self.served.items()}
        chosen = Tiers(models, Choice((), {}, (), profile.name), tuple(told))
        asked = replace(request, overlaps=(), wants_high_level=False)
        beside, kept_s = with_load(loads, ((), 0.0), effort_of(profile, options).bounds.max_time_s)
        super().__init__(
            profile,
            chosen,
            queries,
            asked,
            None,
            options,
            beside=beside,
            beside_s=kept_s,
            notes=notes_of(loads),
            explains=explains,
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

    def _warnings_before(self) -> list[str]:
        return [*super()._warnings_before(), NO_TWO_STAGE, ONE_SERVER]

    def _run_trials(self) -> Outcome:
        """The first answers in-process wait for a load, which a server has behind it: they stay out."""
        outcome = super()._run_trials()
        return replace(outcome, trials=tuple(_without_starts(trial) for trial in outcome.trials))

    def _warnings_after(self, outcome: Outcome) -> list[str]:
        from synapse_perf.analyze.served_rows import lost_warnings, token_warnings

        return [*lost_warnings(outcome.trials), *token_warnings(outcome.trials), *super()._warnings_after(outcome)]

    def _workload(self, trials: Sequence[Trial]) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        told = super()._workload(trials)
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
    profile: Profile,
    served: ServedOptions,
    queries: Sequence[Query],
    request: LatencyRequest,
    options: CommonOptions,
    *,
    tiers: Sequence[str],
    loads: Loads,
    explains: bool,
) -> LatencyRun:
    """The run against the servers of --url, beside the models that `tiers` (``TIER=MODEL``) names."""
    from synapse_perf.commands.engine_run import EngineRun
    from synapse_perf.commands.tier_choice import choose_tiers

    beside: Mapping[str, ModelUnderTest] = {}
    urls_of(served.url)  # what is wrong with them is told before any model is looked at
    if served.api == "synapse":
        if tiers:
            raise InputError("--tier: the engine chooses its models itself", "leave it out with --api synapse")
        if loads:
            raise InputError("--concurrency, --rate: not with --api synapse", "ask its model server with --api openai")
        return EngineRun(profile, served, queries, request, options, explains=explains)
    if tiers:
        beside = choose_tiers(tiers, (), profile, quiet=options.quiet).models
    return ServedRun(profile, served, queries, request, options, beside_models=beside, loads=loads, explains=explains)


def _served_tiers(served: ServedOptions, *, asks: bool) -> tuple[dict[str, ServedTier], list[str]]:
    """Where each tier's queries go, and what to tell of it."""
    urls, names = urls_of(served.url), names_of(served.served_model)
    listed = {url: _listed(url, served.key) if asks else [] for url in dict.fromkeys(urls.values())}
    told: list[str] = []
    tiers: dict[str, ServedTier] = {}
    for tier, url in urls.items():
        known, name = listed[url], names.get(tier)
        if name and known and name not in known:
            told.append(f"{tier}: the server does not list a model '{name}', only {_some(known)}")
        if not name and len(known) > 1:
            told.append(f"{tier}: {known[0]}, the first of {len(known)} that the server lists (see --served-model)")
        tiers[tier] = ServedTier(url, name or next(iter(known), None))
    targets = {(one.url, one.model) for one in tiers.values()}
    if len(targets) == 1 and len(tiers) > 1:
        told.append(f"one model answers the queries of every tier: {_shown(next(iter(tiers.values())))}")
    return tiers, told


def _listed(url: str, key: str | None) -> list[str]:
    """The names of its models; none where it does not tell, which its first query may tell the reason of."""
    from synapse_perf.outside.chat_client import ChatClient
    from synapse_perf.outside.streamed_answer import QueryLost

    client = ChatClient(url, LISTING_S, api_key=key)
    try:
        return client.served_models()
    except QueryLost:
        return []
    finally:
        client.close()


def _as_model(tier: str, served: ServedTier) -> ModelUnderTest:
    """A served model as the run's texts and its digest know models; of its file nothing is known."""
    from synapse_perf.gguf_files.embedded import EMBEDDED_PREFIX

    name = _shown(served)
    is_sample = name.startswith(EMBEDDED_PREFIX)
    told = "a sample, served" if is_sample else "served"
    return ModelUnderTest(tier, name, (), 0, f"served:{name}", told, is_sample, tier=tier)


def _shown(served: ServedTier) -> str:
    """Its name; of a server that names its model by the file's path, the file."""
    return PurePath(served.model).name if served.model else UNNAMED


def _some(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def _without_starts(trial: Trial) -> Trial:
    if trial.spec.labels.get("variant") != IN_PROCESS:
        return trial
    steady = [one for one in trial.samples if not any("state" in value.labels for value in one.values)]
    facts = {name: value for name, value in trial.facts.items() if name != "n_ctx"}  # not the server's
    return replace(trial, samples=tuple(steady), facts=facts)
