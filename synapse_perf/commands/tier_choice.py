"""Which model is each tier: those named, those of the profile, those found by the engine's rules, or the samples?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_perf.commands.model_choice import TIER_ALIASES, TIERS, Choice, choose_models
from synapse_perf.errors import InputError
from synapse_perf.gguf_files.tiers import tier_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.load_plan import ModelUnderTest
    from synapse_perf.profiles import Profile


def choose_tiers(named: Sequence[str], profile: Profile, *, quiet: bool) -> tuple[dict[str, ModelUnderTest], Choice]:
    """The model of each tier in the order of the tiers, and the choice that they come from."""
    if named:
        models: dict[str, Any] = dict(map(_split, named))
        profile = replace(profile, models=replace(profile.models, source="named", **models))
    profile = replace(profile, profile_load=replace(profile.profile_load, models=()))
    choice = choose_models((), profile, quiet=quiet)
    tiers: dict[str, ModelUnderTest] = {}
    for model in sorted(choice.models, key=lambda one: one.size_bytes):
        header = choice.headers[model.label]
        if not header.generates:
            if model.tier is None:
                continue
            raise InputError(f"{model.label}: {Path(model.path).name} is an encoder", "give a model that writes text")
        tiers[model.tier or tier_of(Path(model.path).name, header)] = model
    if not tiers:
        raise InputError("no model that writes text was found", "give one with --tier fast=MODEL")
    return {tier: tiers[tier] for tier in TIERS if tier in tiers}, choice


def _split(text: str) -> tuple[str, str]:
    tier, equals, model = text.partition("=")
    tier = TIER_ALIASES.get(tier.strip(), tier.strip())
    if not equals or not model.strip() or tier not in TIERS:
        raise InputError(f"--tier {text}: no tier with its model", f"write one of {', '.join(TIERS)}, then =MODEL")
    return tier, model.strip()
