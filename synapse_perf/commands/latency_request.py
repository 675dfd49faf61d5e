"""What do the profile and the options together ask of tier-latency? Options replace single values of the profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_perf.analyze.latency_plan import LatencyRequest
from synapse_perf.analyze.query_set import Query, built_in_queries
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.commands.latency_options import LatencyOptions, QueryOptions
    from synapse_perf.commands.options import LoadOptions
    from synapse_perf.profiles import Profile

PREFIXES = ("cold", "warm")
OVERLAPS = ("none", "load", "retrieval")  # that are compared; "load+retrieval" only where it is judged
_ONE_VALUE = {
    "gpu_layers": "-ngl",
    "context": "-c",
    "threads": "-t",
    "cache_type_k": "-ctk",
    "cache_type_v": "-ctv",
}


def latency_request(profile: Profile, asked: LatencyOptions) -> LatencyRequest:
    """The request in full; raises InputError for a value that makes no sense."""
    from synapse_perf.commands.load_request import load_request
    from synapse_perf.commands.profile_load import StartOptions

    common, loading, tiers, queries, cases = asked.common, asked.loading, asked.tiers, asked.queries, asked.cases
    _check_single(loading)
    settings, defaults = profile.tier_latency, LatencyRequest()

    def first(options: Any, name: str) -> Any:
        candidates = (getattr(options, name), getattr(settings, name))
        return next((value for value in candidates if value is not None), getattr(defaults, name, None))

    seed = common.seed if common.seed is not None else profile.sampling.seed
    prefix, overlap = first(cases, "prefix") or PREFIXES[0], first(cases, "overlap") or OVERLAPS[0]
    return LatencyRequest(
        load=load_request(profile, common, loading, StartOptions()),
        resident=first(tiers, "resident"),
        asked=first(queries, "asked"),
        max_tokens=first(queries, "max_tokens"),
        draft_tokens=first(queries, "draft_tokens"),
        is_fixed_length=_first_of(queries.fixed_length, settings.is_fixed_length, defaults.is_fixed_length),
        temperature=first(queries, "temperature"),
        seed=seed or 0,
        system=first(queries, "system") or None,
        context_tokens=first(queries, "context_tokens"),
        queries_per_process=first(queries, "queries_per_process"),
        prefixes=_judged_first(prefix, PREFIXES, has_others=cases.variants),
        wants_high_level=cases.variants,
        overlaps=_overlaps(overlap, has_others=cases.variants) if cases.two_stage else (),
    )


def asked_queries(queries: QueryOptions, profile: Profile) -> tuple[Query, ...]:
    """Those of the option's file, of the profile's, or the built-in ones."""
    from synapse_perf.commands.queries_file import read_queries_file

    named = queries.queries or profile.tier_latency.queries
    return read_queries_file(Path(named)) if named else built_in_queries()


def _first_of(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _judged_first(chosen: str, known: tuple[str, ...], *, has_others: bool) -> Any:
    others = tuple(one for one in known if one != chosen) if has_others else ()
    return (chosen, *others)


def _overlaps(chosen: str, *, has_others: bool) -> tuple[tuple[str, ...], ...]:
    names = _judged_first(chosen, OVERLAPS, has_others=has_others)
    return tuple(() if name == "none" else tuple(name.split("+")) for name in names)


def _check_single(loading: LoadOptions) -> None:
    """A list compares nothing here, and would be cut to its first value."""
    for name, flag in _ONE_VALUE.items():
        value = getattr(loading, name)
        if value and "," in value:
            raise InputError(f"{flag} {value}: tier-latency takes one value", "give one; --tune compares settings")
