"""What do the profile and the options together ask of tier-latency? Options replace single values of the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_perf.analyze.latency_plan import LatencyRequest
from synapse_perf.analyze.query_set import Query, built_in_queries

if TYPE_CHECKING:
    from synapse_perf.commands.latency_options import QueryOptions, TierOptions
    from synapse_perf.commands.options import CommonOptions, LoadOptions
    from synapse_perf.profiles import Profile


def latency_request(
    profile: Profile, common: CommonOptions, loading: LoadOptions, tiers: TierOptions, queries: QueryOptions
) -> tuple[LatencyRequest, tuple[Query, ...]]:
    """The request and the queries in full; raises InputError for a value that makes no sense."""
    from synapse_perf.commands.load_request import load_request
    from synapse_perf.commands.profile_load import StartOptions
    from synapse_perf.commands.queries_file import read_queries_file

    settings, defaults = profile.tier_latency, LatencyRequest()

    def first(option: Any, name: str) -> Any:
        candidates = (option, getattr(settings, name))
        return next((value for value in candidates if value is not None), getattr(defaults, name))

    request = LatencyRequest(
        load=load_request(profile, common, loading, StartOptions()),
        resident=first(tiers.resident, "resident"),
        asked=first(queries.asked, "asked"),
        max_tokens=first(queries.max_tokens, "max_tokens"),
        draft_tokens=first(queries.draft_tokens, "draft_tokens"),
        context_tokens=first(queries.context_tokens, "context_tokens"),
        is_fixed_length=first(queries.fixed_length, "is_fixed_length"),
        prefixes=defaults.prefixes if queries.variants else defaults.prefixes[:1],
        wants_high_level=queries.variants,
        overlaps=(defaults.overlaps if queries.variants else defaults.overlaps[:1]) if queries.two_stage else (),
    )
    return request, read_queries_file(queries.queries) if queries.queries else built_in_queries()
