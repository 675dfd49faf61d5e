"""What would a profile say that measures one installation of the engine as it is configured?

The profile's own values stand; the checkout fills in what it leaves open. What an installation does not have is told,
and the commands that need it say so in place of measuring something else.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from synapse_perf.engine.checkout import Engine
from synapse_perf.engine.compose import Compose, find_compose, read_compose
from synapse_perf.engine.own_profiles import OwnProfile, own_profile
from synapse_perf.engine.registry import CONTAINER_MODELS, RegisteredModel, Registry, by_tier, read_registry
from synapse_perf.engine.runtime import runtime_settings
from synapse_perf.errors import InputError
from synapse_perf.profiles import Profile

MODELS_VARIABLE = "PRAXIS_MODEL_PATH"
EVENTS = "/ws/events?types=performance"
TRIGGER = "/api/events/test?event_type=performance&message={mark}"  # the engine takes it from the address, not a body
_SOURCES = ("corpus", "index", "engine", "retriever", "vectors", "synthetic")
_BACKEND = "http://localhost:8000"  # as the engine's own compose file publishes it
Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class Installation:
    """What a checkout says of itself, each piece read once."""

    engine: Engine
    registry: Registry
    models: Mapping[str, RegisteredModel]  # by tier
    own: OwnProfile
    compose: Compose | None
    index_problem: str  # empty where there is one
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """The profile of one installation, and what had to be told about it."""

    profile: Profile
    warnings: tuple[str, ...]


def read_installation(engine: Engine, models_root: Path) -> Installation:
    """InputError for a file that is damaged; what is missing is part of the answer.

    `models_root` is where models lie if neither the compose file nor PRAXIS_MODEL_PATH says.
    """
    variables = engine.variables()
    path = find_compose(engine.directory)
    compose = read_compose(path, variables) if path else None
    registry = read_registry(engine.directory, _models_folder(compose, variables) or models_root)
    own = own_profile(engine.directory, variables)
    models, told = _in_use(registry, own)
    try:
        engine.index_files()
        problem = ""
    except InputError as error:
        problem = error.message
    of_files = (model.told for model in models if model.told)
    warnings = (*registry.warnings, *of_files, *told, *own.warnings, *engine.warnings)
    return Installation(engine, registry, by_tier(models), own, compose, problem, warnings)


def with_engine(profile: Profile, engine: Engine, models_root: Path, *, on_metal: bool | None = None) -> EngineProfile:
    """The profile, filled in; `on_metal` is what this machine says where it is None."""
    found = read_installation(engine, models_root)
    is_mac = platform.system() == "Darwin" if on_metal is None else on_metal
    profile = replace(profile, targets={**found.own.targets, **profile.targets})
    profile, told = _with_models(profile, found, on_metal=is_mac)
    profile = _with_addresses(_with_index(profile, found), found)
    return EngineProfile(profile, (*found.warnings, *told))


def _models_folder(compose: Compose | None, variables: Mapping[str, str]) -> Path | None:
    """What the container has at /models, if it is on this machine; else what the variable says."""
    mounted = compose.mounted(CONTAINER_MODELS) if compose else None
    if mounted is not None and mounted.is_dir():
        return mounted
    named = variables.get(MODELS_VARIABLE, "")
    return Path(named).expanduser() if named.strip("/") else None


def _in_use(registry: Registry, own: OwnProfile) -> tuple[tuple[RegisteredModel, ...], tuple[str, ...]]:
    """Those that are enabled; where none is, those that the engine's own profile names, or all."""
    enabled = tuple(model for model in registry.models if model.is_enabled)
    if enabled or not registry.models:
        return enabled, ()
    told = f"{registry.path}: no model is enabled, so the engine would start none"
    named = tuple(model for model in registry.models if model.id in own.models)
    if any(model.path for model in named):
        return named, (f"{told}; the {len(named)} that its profile {own.name} names count here",)
    return registry.models, (f"{told}; all {len(registry.models)} count here",)


def _with_models(profile: Profile, found: Installation, *, on_metal: bool) -> tuple[Profile, tuple[str, ...]]:
    runtime = runtime_settings(found.engine.runtime, found.models.values(), on_metal=on_metal)
    load = _filled(
        profile.profile_load,
        load_modes=("mmap",) if runtime.is_mapped else ("read",),
        gpu_layers=(runtime.gpu_layers,),
        context=(runtime.context,),
        threads=(runtime.threads,),
        batch=runtime.batch,
        ubatch=runtime.ubatch,
        flash_attn="on" if runtime.flash_attn else "off",
    )
    profile = replace(profile, profile_load=load)
    if profile.models.source != "found":  # the profile has its own
        return profile, runtime.warnings
    if not found.models:
        path = found.registry.path
        told = f"{path} has no model"
        if found.registry.models:
            told = f"none of the models of {path} that count is on this machine: {MODELS_VARIABLE} says where they lie"
        return replace(profile, lacking={**profile.lacking, "models": told}), ()
    paths: dict[str, Any] = {tier: str(model.path) for tier, model in found.models.items()}
    models = replace(profile.models, source="named", **paths)
    return replace(profile, models=models), runtime.warnings


def _with_index(profile: Profile, found: Installation) -> Profile:
    settings = profile.bench_cgrag
    if any(getattr(settings, name) is not None for name in _SOURCES):
        return profile
    if found.index_problem:
        return replace(profile, lacking={**profile.lacking, "index": found.index_problem})
    return replace(profile, bench_cgrag=replace(settings, engine=str(found.engine.directory)))


def _with_addresses(profile: Profile, found: Installation) -> Profile:
    """Where the service, its events and its pages are: by the compose file, else as the engine ships it."""
    backend = found.compose.backend if found.compose else None
    health = (backend.health if backend else None) or f"{_BACKEND}/health/healthz"
    base = health.split("/", 3)
    origin = "/".join(base[:3])
    socket = origin.replace("http", "ws", 1) + EVENTS
    changed: dict[str, Any] = {
        "ws_latency": {"url": socket, "mode": "event", "trigger": origin + TRIGGER},
        "ui_fps": {"url": (found.compose.page if found.compose else None) or "http://localhost:5173/"},
        "service_startup": {"url": health},
    }
    if found.compose:
        changed["service_startup"] |= {"compose": str(found.compose.path), "service": backend.name if backend else None}
    names = {one.name for one in fields(profile)}
    tables = {
        name: _filled(getattr(profile, name), **values)
        for name, values in changed.items()
        if name in names and _is_open(getattr(profile, name), values)
    }
    return replace(profile, **tables)


def _is_open(settings: object, values: Mapping[str, Any]) -> bool:
    """Whether the profile names no subject there."""
    return all(getattr(settings, name, None) is None for name in values)


def _filled(settings: Settings, **values: Any) -> Settings:
    """The values where the settings have their default."""
    default = type(settings)()
    known = {one.name for one in fields(settings)}  # type: ignore[arg-type]
    open_ = {
        name: value
        for name, value in values.items()
        if name in known and value is not None and getattr(settings, name) == getattr(default, name)
    }
    return replace(settings, **open_)  # type: ignore[type-var]
