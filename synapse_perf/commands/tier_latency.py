"""Do the FAST, BALANCED and DEEP tiers and two-stage queries meet their targets?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_perf.commands.latency_options import CaseOptions, ContextOptions, QueryOptions, TierOptions
from synapse_perf.commands.latency_tune import TuneOptions
from synapse_perf.commands.options import CommonOptions, LoadOptions
from synapse_perf.commands.query_load_options import QueryLoadOptions
from synapse_perf.commands.served_options import ServedOptions
from synapse_perf.errors import ExitCode

if TYPE_CHECKING:
    from synapse_perf.commands.latency_run import LatencyRun

EMBEDDED = "embedded"


def tier_latency(
    *,
    tiers: TierOptions,
    queries: QueryOptions,
    searched: ContextOptions,
    cases: CaseOptions,
    tuning: TuneOptions,
    under_load: QueryLoadOptions,
    served: ServedOptions,
    loading: LoadOptions,
    common: CommonOptions,
) -> int:
    """Benchmark queries of three complexities through the tiers, and two-stage queries, against their targets."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.retrieval_preparation import PreparationInterrupted
    from synapse_perf.commands.served_options import check_unused
    from synapse_perf.commands.streams import tell

    check_outputs(common)
    baseline = load_baseline(common, "tier-latency")
    run: LatencyRun
    if served.url:
        run = _served(tiers, queries, searched, cases, tuning, under_load, served, loading, common)
    else:
        check_unused(served, {})
        try:
            run = _in_process(tiers, queries, searched, cases, tuning, under_load, loading, common)
        except PreparationInterrupted:
            tell("interrupted while the documents were prepared", "what was embedded is kept: the same command goes on")
            return ExitCode.INTERRUPTED
    return run.dry_run() if common.dry_run else run.measure(baseline)


def _served(
    tiers: TierOptions,
    queries: QueryOptions,
    searched: ContextOptions,
    cases: CaseOptions,
    tuning: TuneOptions,
    under_load: QueryLoadOptions,
    served: ServedOptions,
    loading: LoadOptions,
    common: CommonOptions,
) -> LatencyRun:
    """The queries go to a server that runs already."""
    from synapse_perf.commands.latency_request import asked_queries, latency_request
    from synapse_perf.commands.query_load_options import loads_of
    from synapse_perf.commands.served_options import check_unused
    from synapse_perf.commands.served_run import served_run
    from synapse_perf.profiles import load_profile

    profile = load_profile(common.profile)
    loads = loads_of(under_load, is_tuning=tuning.tune)
    sources = {f"--{name}": getattr(searched, name) for name in ("corpus", "index", "engine", "retriever")}
    check_unused(served, {"--tune": tuning.tune, "--model": loading.model, **sources})
    request = latency_request(profile, common, loading, tiers, queries, cases)
    asked = asked_queries(queries, profile)
    return served_run(profile, served, asked, request, common, tiers=tiers.tier, loads=loads, explains=cases.explain)


def _in_process(
    tiers: TierOptions,
    queries: QueryOptions,
    searched: ContextOptions,
    cases: CaseOptions,
    tuning: TuneOptions,
    under_load: QueryLoadOptions,
    loading: LoadOptions,
    common: CommonOptions,
) -> LatencyRun:
    """The models are loaded here; raises PreparationInterrupted while the two-stage query's documents are prepared."""
    from synapse_perf.commands.device_choice import check_device
    from synapse_perf.commands.latency_context import two_stage_context
    from synapse_perf.commands.latency_request import asked_queries, latency_request
    from synapse_perf.commands.latency_run import LatencyRun
    from synapse_perf.commands.latency_tune import what_follows
    from synapse_perf.commands.measuring import effort_of
    from synapse_perf.commands.query_load import notes_of, with_load
    from synapse_perf.commands.query_load_options import loads_of
    from synapse_perf.commands.tier_choice import choose_tiers, with_memory, with_room
    from synapse_perf.profiles import load_profile

    profile = load_profile(common.profile)
    effort_of(profile, common)  # what is wrong with it is told before anything is prepared
    loads = loads_of(under_load, is_tuning=tuning.tune)
    asked = asked_queries(queries, profile)
    request = latency_request(profile, common, loading, tiers, queries, cases)
    check_device(request.load.device, (), request.load.python)
    chosen = choose_tiers(tiers.tier, loading.model, profile, quiet=common.quiet)
    if common.profile is None and chosen.choice.profile_name == EMBEDDED:  # nothing was found on this machine
        profile = load_profile(EMBEDDED)
        request = latency_request(profile, common, loading, tiers, queries, cases)
    chosen, request = with_memory(with_room(chosen, asked, request), request)
    retrieved = two_stage_context(searched, profile, common) if request.overlaps else None
    max_time_s = effort_of(profile, common).bounds.max_time_s
    beside, kept_s = with_load(loads, what_follows(tuning, max_time_s), max_time_s)
    explains, notes = cases.explain, notes_of(loads)
    return LatencyRun(
        profile,
        chosen,
        asked,
        request,
        retrieved,
        common,
        beside=beside,
        beside_s=kept_s,
        notes=notes,
        explains=explains,
    )
