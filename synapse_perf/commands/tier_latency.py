"""Do the FAST, BALANCED and DEEP tiers and two-stage queries meet their targets?"""

from __future__ import annotations

from synapse_perf.commands.latency_options import CaseOptions, ContextOptions, QueryOptions, TierOptions
from synapse_perf.commands.latency_tune import TuneOptions
from synapse_perf.commands.options import CommonOptions, LoadOptions
from synapse_perf.errors import ExitCode

EMBEDDED = "embedded"


def tier_latency(
    *,
    tiers: TierOptions,
    queries: QueryOptions,
    searched: ContextOptions,
    cases: CaseOptions,
    tuning: TuneOptions,
    loading: LoadOptions,
    common: CommonOptions,
) -> int:
    """Benchmark queries of three complexities through the tiers, and two-stage queries, against their targets."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.device_choice import check_device
    from synapse_perf.commands.latency_context import two_stage_context
    from synapse_perf.commands.latency_request import asked_queries, latency_request
    from synapse_perf.commands.latency_run import LatencyRun
    from synapse_perf.commands.latency_tune import what_follows
    from synapse_perf.commands.measuring import effort_of
    from synapse_perf.commands.retrieval_preparation import PreparationInterrupted
    from synapse_perf.commands.streams import tell
    from synapse_perf.commands.tier_choice import choose_tiers, with_memory, with_room
    from synapse_perf.profiles import load_profile

    check_outputs(common)
    baseline = load_baseline(common, "tier-latency")
    profile = load_profile(common.profile)
    effort = effort_of(profile, common)  # what is wrong with it is told before anything is prepared
    asked = asked_queries(queries, profile)
    request = latency_request(profile, common, loading, tiers, queries, cases)
    check_device(request.load.device, (), request.load.python)
    chosen = choose_tiers(tiers.tier, loading.model, profile, quiet=common.quiet)
    if common.profile is None and chosen.choice.profile_name == EMBEDDED:  # nothing was found on this machine
        profile = load_profile(EMBEDDED)
        request = latency_request(profile, common, loading, tiers, queries, cases)
    chosen, request = with_memory(with_room(chosen, asked, request), request)
    try:
        retrieved = two_stage_context(searched, profile, common) if request.overlaps else None
    except PreparationInterrupted:
        tell("interrupted while the documents were prepared", "what was embedded is kept: the same command goes on")
        return ExitCode.INTERRUPTED
    beside, kept_s = what_follows(tuning, effort.bounds.max_time_s)
    run = LatencyRun(
        profile, chosen, asked, request, retrieved, common, beside=beside, beside_s=kept_s, explains=cases.explain
    )
    return run.dry_run() if common.dry_run else run.measure(baseline)
