"""Which model is each tier: those named, those of the profile, those found by the engine's rules, or the samples?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_perf.commands.model_choice import TIER_ALIASES, TIERS, Choice, choose_models, none_left
from synapse_perf.errors import InputError
from synapse_perf.gguf_files.tiers import tier_of
from synapse_perf.model import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.latency_plan import LatencyRequest
    from synapse_perf.analyze.load_plan import ModelUnderTest
    from synapse_perf.analyze.query_set import Query
    from synapse_perf.profiles import Profile

_TIER_FORM = f"write one of {', '.join(TIERS)}, then =MODEL"


@dataclass(frozen=True, slots=True)
class Tiers:
    """The model of each tier in the order of the tiers, the choice that they come from, and what to tell of it."""

    models: Mapping[str, ModelUnderTest]
    choice: Choice
    warnings: tuple[str, ...] = ()


def choose_tiers(named: Sequence[str], models: Sequence[str], profile: Profile, *, quiet: bool) -> Tiers:
    """`named` are ``TIER=MODEL``, `models` go where the engine's rules put them; InputError when no tier is left."""
    paths = _by_tier(named)
    if paths or models:
        tiers: dict[str, Any] = {**({} if paths else dict.fromkeys(TIERS)), **paths}
        profile = replace(profile, models=replace(profile.models, source="named", **tiers))
    profile = replace(profile, profile_load=replace(profile.profile_load, models=()))
    names = [*(tier for tier in TIERS if getattr(profile.models, tier)), *models] if models else ()
    choice = choose_models(names, profile, quiet=quiet)
    candidates, unusable = _candidates(choice)
    choice = replace(choice, unusable=(*choice.unusable, *unusable))
    if not candidates:
        if choice.unusable:
            raise none_left(choice.unusable)
        raise InputError("no model that writes text was found", "give one with --tier fast=MODEL")
    told = [_several(tier, found) for tier, found in candidates.items() if len(found) > 1]
    return Tiers({tier: candidates[tier][-1] for tier in TIERS if tier in candidates}, choice, tuple(told))


def with_room(chosen: Tiers, queries: Sequence[Query], request: LatencyRequest) -> Tiers:
    """Without the tiers whose context cannot hold the longest answer that is asked for; InputError if none is left."""
    failures = {tier: failure for tier in chosen.models if (failure := _too_long(chosen, tier, queries, request))}
    if not failures:
        return chosen
    models = {tier: model for tier, model in chosen.models.items() if tier not in failures}
    if not models:
        raise none_left((*chosen.choice.unusable, next(iter(failures.values()))))
    unusable = (*chosen.choice.unusable, *failures.values())
    return replace(chosen, models=models, choice=replace(chosen.choice, unusable=unusable))


def with_memory(chosen: Tiers, request: LatencyRequest) -> tuple[Tiers, LatencyRequest]:
    """Without the tiers that cannot work here for lack of memory, and one model at a time where all do not fit."""
    from synapse_perf.commands.memory_check import check_memory

    judged = replace(
        request.load,
        load_modes=request.load.load_modes[:1],
        gpu_layers=request.load.gpu_layers[:1],
        in_parallel=request.resident == "all",
    )
    choice = replace(chosen.choice, models=tuple(chosen.models.values()))
    checked = check_memory(choice, judged)
    left = {tier: model for tier, model in chosen.models.items() if model in checked.choice.models}
    tiers = Tiers(left, checked.choice, (*chosen.warnings, *checked.warnings))
    return tiers, replace(request, resident="all" if checked.request.in_parallel else "one")


def _by_tier(named: Sequence[str]) -> dict[str, str]:
    paths: dict[str, str] = {}
    for text in named:
        tier, equals, model = text.partition("=")
        tier = TIER_ALIASES.get(tier.strip(), tier.strip())
        if not equals or not model.strip() or tier not in TIERS:
            known = tier in TIERS or not equals
            told = "no tier with its model" if known else f"there is no tier '{tier}'"
            raise InputError(f"--tier {text}: {told}", _TIER_FORM)
        if tier in paths:
            raise InputError(f"--tier {text}: {tier} has a model already, {paths[tier]}", "give each tier one model")
        paths[tier] = model.strip()
    return paths


def _candidates(choice: Choice) -> tuple[dict[str, list[ModelUnderTest]], list[Failure]]:
    """The models of each tier, the smallest first, and those that write no text though they were named."""
    candidates: dict[str, list[ModelUnderTest]] = {}
    unusable: list[Failure] = []
    for model in sorted(choice.models, key=lambda one: one.size_bytes):
        header, file = choice.headers[model.label], Path(model.path).name
        if header.generates:
            candidates.setdefault(model.tier or tier_of(file, header), []).append(model)
        else:
            told = f"{model.label}: {file} is an encoder" if model.label != file else f"{file} is an encoder"
            remedy = "give a model that writes text"
            unusable.append(Failure("error", told, remedy, labels={"model": model.label}))
    return candidates, unusable


def _several(tier: str, models: Sequence[ModelUnderTest]) -> str:
    others = ", ".join(model.label for model in models[:-1])
    return f"{tier}: {models[-1].label}, the largest of {len(models)}; --tier {tier}=MODEL takes another ({others})"


def _too_long(chosen: Tiers, tier: str, queries: Sequence[Query], request: LatencyRequest) -> Failure | None:
    from synapse_perf.analyze.load_plan import variants

    model = chosen.models[tier]
    context = variants(model, request.load)[0][2].n_ctx or model.n_ctx_train
    asked = [query for query in queries if request.asked == "every" or query.tier == tier]
    wanted = max((query.max_tokens or request.max_tokens for query in asked), default=0)
    if context is None or wanted < context:
        return None
    told = f"{tier}: an answer of {wanted} tokens does not fit into the context of {context}"
    return Failure(
        "error", told, "choose a larger context (-c), or a shorter answer (--max-tokens)", labels={"model": tier}
    )
