"""Do the FAST, BALANCED and DEEP tiers and two-stage queries meet their targets?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_perf.commands.latency_options import CaseOptions, ContextOptions, LatencyOptions, QueryOptions, TierOptions
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
    from synapse_perf.commands.latency_modes import check_used
    from synapse_perf.commands.retrieval_preparation import PreparationInterrupted
    from synapse_perf.commands.streams import tell

    options = LatencyOptions(tiers, queries, searched, cases, tuning, under_load, served, loading, common)
    check_used(options)
    check_outputs(common)
    baseline = load_baseline(common, "tier-latency")
    try:
        run = _served(options) if served.url else _in_process(options)
    except PreparationInterrupted:
        tell("interrupted while the documents were prepared", "what was embedded is kept: the same command goes on")
        return ExitCode.INTERRUPTED
    return run.dry_run() if common.dry_run else run.measure(baseline)


def _served(options: LatencyOptions) -> LatencyRun:
    """The queries go to a server that runs already."""
    from synapse_perf.commands.latency_request import asked_queries, latency_request
    from synapse_perf.commands.profile_choice import profile_of
    from synapse_perf.commands.served_run import served_run

    profile = profile_of(options.common)
    request = latency_request(profile, options)
    return served_run(profile, options, asked_queries(options.queries, profile), request)


def _in_process(options: LatencyOptions) -> LatencyRun:
    """The models are loaded here; raises PreparationInterrupted while the two-stage query's documents are prepared."""
    from synapse_perf.commands.device_choice import check_device
    from synapse_perf.commands.latency_context import two_stage_context
    from synapse_perf.commands.latency_request import asked_queries, latency_request
    from synapse_perf.commands.latency_run import LatencyRun
    from synapse_perf.commands.latency_tune import what_follows
    from synapse_perf.commands.measuring import effort_of
    from synapse_perf.commands.profile_choice import profile_of
    from synapse_perf.commands.query_load import notes_of, with_load
    from synapse_perf.commands.query_load_options import loads_of
    from synapse_perf.commands.tier_choice import choose_tiers, with_memory, with_room
    from synapse_perf.profiles import load_profile

    common, tuning = options.common, options.tuning
    profile = profile_of(common)
    effort_of(profile, common)  # what is wrong with it is told before anything is prepared
    loads = loads_of(options.under_load, profile.tier_latency, is_tuning=tuning.tune)
    asked = asked_queries(options.queries, profile)
    request = latency_request(profile, options)
    check_device(request.load.device, (), request.load.python)
    chosen = choose_tiers(options.tiers.tier, options.loading.model, profile, quiet=common.quiet)
    if common.profile is None and chosen.choice.profile_name == EMBEDDED:  # nothing was found on this machine
        profile = load_profile(EMBEDDED)
        request = latency_request(profile, options)
    chosen, request = with_memory(with_room(chosen, asked, request), request)
    retrieved = two_stage_context(options.searched, profile, common) if request.overlaps else None
    max_time_s = effort_of(profile, common).bounds.max_time_s
    beside, kept_s = with_load(loads, what_follows(tuning, max_time_s), max_time_s)
    return LatencyRun(
        profile,
        chosen,
        asked,
        request,
        retrieved,
        common,
        beside=beside,
        beside_s=kept_s,
        notes=notes_of(loads),
        explains=options.cases.explain,
    )
