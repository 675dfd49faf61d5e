"""Do the FAST, BALANCED and DEEP tiers and two-stage queries meet their targets?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_perf.commands.latency_options import QueryOptions, TierOptions
from synapse_perf.commands.options import CommonOptions, LoadOptions

if TYPE_CHECKING:
    from synapse_perf.commands.retrieval_set import Prepared


def tier_latency(*, tiers: TierOptions, queries: QueryOptions, loading: LoadOptions, common: CommonOptions) -> int:
    """Benchmark queries of three complexities through the tiers, and two-stage queries, against their targets."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.latency_request import latency_request
    from synapse_perf.commands.latency_run import LatencyRun
    from synapse_perf.commands.tier_choice import choose_tiers
    from synapse_perf.profiles import load_profile

    check_outputs(common)
    baseline = load_baseline(common, "tier-latency")
    profile = load_profile(common.profile)
    chosen, choice = choose_tiers(tiers.tier, profile, quiet=common.quiet)
    request, asked = latency_request(profile, common, loading, tiers, queries)
    prepared = _documents(queries, common) if queries.two_stage else None
    run = LatencyRun(profile, chosen, choice, asked, request, prepared, common)
    return run.dry_run() if common.dry_run else run.measure(baseline)


def _documents(queries: QueryOptions, common: CommonOptions) -> Prepared:
    """What a two-stage query retrieves from: prepared as bench-cgrag does it."""
    from functools import partial

    from synapse_perf.commands.measuring import carry_out
    from synapse_perf.commands.retrieval_options import SourceOptions
    from synapse_perf.commands.retrieval_set import choose_encoder_under_test, prepare_texts_set

    run = None if common.dry_run else partial(carry_out, quiet=common.quiet)
    encoder = choose_encoder_under_test(None, 0, quiet=common.quiet)
    return prepare_texts_set(SourceOptions(corpus=queries.corpus), encoder, 0, run)
