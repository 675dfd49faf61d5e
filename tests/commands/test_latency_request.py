"""Options replace single values of the profile, and which case is judged stands first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.analyze.latency_plan import LatencyRequest
from synapse_perf.analyze.query_set import built_in_queries
from synapse_perf.commands.latency_options import CaseOptions, LatencyOptions, QueryOptions
from synapse_perf.commands.latency_request import asked_queries, latency_request
from synapse_perf.commands.options import LoadOptions
from synapse_perf.errors import InputError
from synapse_perf.profiles import load_profile
from synapse_perf.profiles.settings import TierLatencySettings

SETTINGS = TierLatencySettings(
    resident="all",
    max_tokens=32,
    temperature=0.7,
    system="Be brief.",
    queries_per_process=5,
    prefix="warm",
    overlap="load",
)


def requested(
    queries: QueryOptions | None = None,
    cases: CaseOptions | None = None,
    settings: TierLatencySettings | None = None,
    loading: LoadOptions | None = None,
) -> LatencyRequest:
    profile = replace(load_profile(), tier_latency=settings or TierLatencySettings())
    asked = LatencyOptions(
        loading=loading or LoadOptions(), queries=queries or QueryOptions(), cases=cases or CaseOptions()
    )
    return latency_request(profile, asked)


def test_the_engines_lengths_hold_where_nobody_says_more() -> None:
    found = requested()
    assert (found.max_tokens, found.draft_tokens, found.is_fixed_length, found.temperature) == (256, 500, False, 0.0)
    assert (found.prefixes, found.overlaps) == (("cold", "warm"), ((), ("load",), ("retrieval",)))


def test_the_profile_decides_where_no_option_does() -> None:
    found = requested(settings=SETTINGS)
    assert (found.resident, found.max_tokens, found.temperature) == ("all", 32, 0.7)
    assert (found.system, found.queries_per_process) == ("Be brief.", 5)
    assert (found.prefixes, found.overlaps) == (("warm", "cold"), (("load",), (), ("retrieval",)))


def test_an_option_replaces_only_its_own_value() -> None:
    options = QueryOptions(temperature=0.0, system="", fixed_length=False)
    found = requested(options, CaseOptions(prefix="cold"), SETTINGS)
    assert (found.temperature, found.system, found.max_tokens) == (0.0, None, 32)
    assert (found.prefixes[0], found.overlaps[0]) == ("cold", ("load",))


def test_both_overlaps_at_once_are_measured_only_where_they_are_judged() -> None:
    assert ("load", "retrieval") not in requested().overlaps
    found = requested(cases=CaseOptions(overlap="load+retrieval"))
    assert found.overlaps == (("load", "retrieval"), (), ("load",), ("retrieval",))


def test_without_variants_only_what_is_judged_is_left() -> None:
    found = requested(cases=CaseOptions(variants=False, prefix="warm", overlap="retrieval"))
    assert (found.prefixes, found.overlaps, found.wants_high_level) == (("warm",), (("retrieval",),), False)
    assert requested(cases=CaseOptions(two_stage=False)).overlaps == ()


@pytest.mark.parametrize("flag", ["gpu_layers", "context", "threads", "cache_type_k", "cache_type_v"])
def test_a_list_of_settings_is_refused_and_not_cut(flag: str) -> None:
    with pytest.raises(InputError, match="takes one value"):
        requested(loading=replace(LoadOptions(), **{flag: "1,2"}))  # type: ignore[arg-type]


def test_the_queries_are_those_of_the_option_then_of_the_profile_then_the_built_in_ones(tmp_path: Path) -> None:
    for name in ("mine", "profiles"):
        (tmp_path / name).write_text(json.dumps({"prompt": f"What is {name}?"}))
    profile = replace(load_profile(), tier_latency=TierLatencySettings(queries=str(tmp_path / "profiles")))

    assert asked_queries(QueryOptions(queries=tmp_path / "mine"), profile)[0].prompt == "What is mine?"
    assert asked_queries(QueryOptions(), profile)[0].prompt == "What is profiles?"
    assert asked_queries(QueryOptions(), load_profile()) == built_in_queries()


def test_a_profiles_queries_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text('[tier-latency]\nqueries = "asked.jsonl"\n')
    assert load_profile(str(tmp_path / "ours.toml")).tier_latency.queries == str(tmp_path / "asked.jsonl")
