"""Which options say nothing in a run of this kind? Each is refused in one line, so that none is ignored in silence."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.commands.latency_options import LatencyOptions

LOADING = (
    "device", "gpu_layers", "context", "threads", "batch", "ubatch", "flash_attn", "cache_type_k", "cache_type_v",
    "python",
)  # fmt: skip
SEARCHED = ("corpus", "index", "metadata", "engine", "retriever", "encoder", "min_relevance")
TWO_STAGE = (*SEARCHED, "draft_tokens", "context_tokens", "overlap")
A_SERVERS = ("api", "api_key", "served_model", "query_timeout")
LOAD = ("concurrency", "rate")


class Rule(NamedTuple):
    """Options that mean nothing in a kind of run, why, and what to do instead."""

    names: tuple[str, ...]
    why: str
    remedy: str


IN_PROCESS = (
    Rule(A_SERVERS, "needs a server", "such as --url http://127.0.0.1:8080, or --url fast=http://127.0.0.1:8080"),
)
NO_TWO_STAGE = Rule(TWO_STAGE, "is for two-stage queries", "leave it out, or leave out --no-two-stage")
_FLAMEGRAPH = Rule(
    ("flamegraph",),
    "cannot look into a server's processes",
    "leave it out; for a server in Python, run py-spy record --pid PID beside it",
)
_TUNING = Rule(("tune",), "is for models in this process", "leave it out, or leave out --url")
OPENAI = (
    _TUNING,
    _FLAMEGRAPH,
    Rule(("model",), "does not say for which tier", "give the model beside a server as --tier TIER=MODEL"),
    Rule(("resident",), "is for models in this process", "leave it out with --url"),
    Rule(TWO_STAGE, "is for two-stage queries, which an OpenAI-compatible server has not", "leave it out with --url"),
)
NOTHING_BESIDE = Rule(
    LOADING,
    "is for models in this process",
    "start the server with it, or give the model beside it as --tier TIER=MODEL",
)
SYNAPSE = (
    _TUNING,
    _FLAMEGRAPH,
    Rule(
        (*LOADING, "tier", "model", "resident", "served_model", "asked"),
        "has no say here: the engine chooses and loads its models itself",
        "leave it out with --api synapse",
    ),
    Rule(
        (*TWO_STAGE, "system", "fixed_length", "prefix"),
        "cannot be told to the engine",
        "leave it out with --api synapse",
    ),
    Rule(LOAD, "is not with --api synapse", "put the load on its model server, with --api openai"),
)


def check_used(options: LatencyOptions) -> None:
    """InputError for the first option that would change nothing."""
    given = given_flags(options)
    for rule in rules_of(options):
        for name in rule.names:
            if name in given and given[name] != "--until-end":  # an engine's answers end where they end
                raise InputError(f"{given[name]} {rule.why}", rule.remedy)


def rules_of(options: LatencyOptions) -> tuple[Rule, ...]:
    if not options.served.url:
        return IN_PROCESS if options.cases.two_stage else (*IN_PROCESS, NO_TWO_STAGE)
    if options.served.api == "synapse":
        return SYNAPSE
    return OPENAI if options.tiers.tier else (*OPENAI, NOTHING_BESIDE)


def given_flags(options: LatencyOptions) -> Mapping[str, str]:
    """The options that are not as they are by default, by name, each with its flag as people write it."""
    return {name: flag for bundle in fields(options) for name, flag in _flags(getattr(options, bundle.name))}


def _flags(bundle: Any) -> Iterable[tuple[str, str]]:
    hints = typing.get_type_hints(type(bundle), include_extras=True)
    for one in fields(bundle):
        if not hasattr(hints[one.name], "__metadata__"):  # what `run` hands over is no option
            continue
        value = getattr(bundle, one.name)
        if value != (one.default if one.default is not MISSING else []):
            on, _, off = hints[one.name].__metadata__[0].default.partition("/")
            yield one.name, off if value is False and off else on
