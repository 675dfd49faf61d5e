"""No option is ignored in silence: for every one of them, in every kind of run, it is used or refused in one line."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.commands.latency_modes import check_used, given_flags
from synapse_perf.commands.latency_options import CaseOptions, LatencyOptions, TierOptions
from synapse_perf.commands.options import PartOptions
from synapse_perf.commands.served_options import ServedOptions
from synapse_perf.errors import InputError

URL = ["http://127.0.0.1:1"]
MODES = {
    "in-process": LatencyOptions(),
    "no-two-stage": LatencyOptions(cases=CaseOptions(two_stage=False)),
    "openai": LatencyOptions(served=ServedOptions(url=URL)),
    "beside": LatencyOptions(served=ServedOptions(url=URL), tiers=TierOptions(tier=["fast=a.gguf"])),
    "synapse": LatencyOptions(served=ServedOptions(url=URL, api="synapse")),
}
# Options that have a meaning in each kind of run; every other one is refused there.
EVERYWHERE = (
    "profile trials max_time confidence seed target dry_run output format baseline quiet debug "
    "queries queries_per_process max_tokens temperature two_stage variants explain url"
)
LOADED = "model device gpu_layers context threads batch ubatch flash_attn cache_type_k cache_type_v python"
TWO_STAGE = "draft_tokens context_tokens corpus index metadata engine retriever encoder min_relevance overlap"
ONE_TIER = f"tier resident asked fixed_length system prefix tune concurrency rate flamegraph {LOADED}"
SERVED = "asked fixed_length system prefix concurrency rate api api_key served_model query_timeout"
USED = {
    "in-process": f"{EVERYWHERE} {ONE_TIER} {TWO_STAGE}",
    "no-two-stage": f"{EVERYWHERE} {ONE_TIER}",
    "openai": f"{EVERYWHERE} tier {SERVED}",
    "beside": f"{EVERYWHERE} tier {SERVED} {LOADED.removeprefix('model ')}",
    "synapse": f"{EVERYWHERE} api api_key query_timeout",
}
BUNDLES = {one.name: getattr(LatencyOptions(), one.name) for one in fields(LatencyOptions)}
OPTIONS = [(bundle, one.name) for bundle, options in BUNDLES.items() for one in fields(options)]
# "--url" and "--tier" make another kind of run; "--api synapse" does too, and has one of its own.
CASES = [
    (mode, bundle, name)
    for mode in MODES
    for bundle, name in OPTIONS
    if name not in ("url", "api") and (name, mode) not in {("tier", "openai"), ("two_stage", "in-process")}
]


def unlike(value: Any) -> Any:
    """Something else than the default, of whatever kind."""
    if isinstance(value, bool):
        return not value
    return ["x"] if isinstance(value, list) else "x"


def default_of(bundle: str, name: str) -> Any:
    (found,) = [one.default for one in fields(BUNDLES[bundle]) if one.name == name]
    return [] if found is MISSING else found


@pytest.mark.parametrize(("mode", "bundle", "name"), CASES)
def test_each_option_is_used_or_refused(mode: str, bundle: str, name: str) -> None:
    chosen = MODES[mode]
    given = replace(getattr(chosen, bundle), **{name: unlike(default_of(bundle, name))})
    options = replace(chosen, **{bundle: given})
    if name in USED[mode].split():
        check_used(options)
        return
    with pytest.raises(InputError) as told:
        check_used(options)
    assert str(told.value).startswith(f"{given_flags(options)[name]} ")
    assert "\n" not in str(told.value)
    assert told.value.remedy


def test_what_is_used_is_an_option() -> None:
    known = {name for _, name in OPTIONS}
    for used in USED.values():
        assert set(used.split()) <= known


def test_an_option_is_named_as_it_is_written() -> None:
    given = LatencyOptions(cases=CaseOptions(two_stage=False, variants=False, explain=True))
    assert given_flags(given) == {"two_stage": "--no-two-stage", "variants": "--no-variants", "explain": "--explain"}
    options = replace(LatencyOptions(), loading=replace(BUNDLES["loading"], context="512", gpu_layers="0"))
    assert given_flags(options) == {"context": "--ctx-size", "gpu_layers": "--gpu-layers"}
    assert given_flags(replace(LatencyOptions(), common=replace(BUNDLES["common"], output=[Path("a")]))) == {
        "output": "--output"
    }


def test_the_refusal_says_what_to_do_instead() -> None:
    options = replace(MODES["openai"], loading=replace(BUNDLES["loading"], threads="2"))
    with pytest.raises(InputError, match=r"^--threads is for models in this process$") as told:
        check_used(options)
    assert told.value.remedy == "start the server with it, or give the model beside it as --tier TIER=MODEL"


def test_an_engine_ends_its_answers_itself_so_that_may_be_asked_for() -> None:
    queries = replace(BUNDLES["queries"], fixed_length=False)
    check_used(replace(MODES["synapse"], queries=queries))


def test_what_a_command_within_run_is_handed_is_no_option() -> None:
    given = LatencyOptions(common=PartOptions(collected=["a result"], quiet=True))
    assert given_flags(given) == {"quiet": "--quiet"}
    check_used(given)
