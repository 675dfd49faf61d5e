"""Which profile does a command measure by: the one that is named, with the settings of the engine that it names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synapse_perf.commands.options import CommonOptions, PartOptions

if TYPE_CHECKING:
    from synapse_perf.profiles import Profile


def profile_of(common: CommonOptions, engine: Path | None = None) -> Profile:
    """The profile of `--profile`; `engine` is a checkout in place of the one that the profile names.

    What could not be read of a checkout is told once, on stderr.
    """
    from dataclasses import replace

    from synapse_perf.profiles import load_profile

    if isinstance(common, PartOptions) and common.profile_read is not None:
        return common.profile_read  # type: ignore[no-any-return]
    profile = load_profile(common.profile)
    if engine is not None:
        name = profile.name if common.profile else ENGINE_PROFILE
        profile = replace(profile, name=name, run=profile.run if common.profile else ENGINE_COMMANDS)
    checkout = engine or profile.engine
    if checkout is None:
        return profile
    from synapse_perf.engine import Engine
    from synapse_perf.engine.as_profile import with_engine
    from synapse_perf.gguf_files.places import huggingface_cache

    told = with_engine(profile, Engine(checkout), huggingface_cache())
    for warning in told.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return told.profile


ENGINE_PROFILE = "synapse-engine"
ENGINE_COMMANDS = ("profile-load", "bench-cgrag", "tier-latency", "service-startup", "ws-latency", "ui-fps")
