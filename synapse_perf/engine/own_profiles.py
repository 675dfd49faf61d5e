"""How long may a query of each tier take, by the profile that the engine runs under?

config/profiles/NAME.yaml, where PRAXIS_PROFILE says the name. The engine itself only logs it; the times are its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.engine.registry import TIERS
from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text
from synapse_perf.model import Json

PROFILES = Path("config/profiles")
VARIABLE = "PRAXIS_PROFILE"
USUAL = "development"  # what the engine and its compose file take where the variable names none


@dataclass(frozen=True, slots=True)
class OwnProfile:
    """Seconds by target, and the models it is for; the name is empty where none is in effect."""

    name: str
    targets: Mapping[str, float]
    models: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def own_profile(checkout: Path, variables: Mapping[str, str]) -> OwnProfile:
    """The profile in effect; InputError for one that cannot be read."""
    folder = checkout / PROFILES
    names = sorted(path.stem for path in folder.glob("*.yaml")) if folder.is_dir() else []
    chosen = variables.get(VARIABLE, "").strip() or (USUAL if USUAL in names else "")
    if not chosen:
        if not names:
            return OwnProfile("", {})
        told = f"{folder} has {', '.join(names)}, and {VARIABLE} names none: the table's own limits hold for queries"
        return OwnProfile("", {}, warnings=(told,))
    if chosen not in names:
        has = f"it has {', '.join(names)}" if names else "there is none"
        raise InputError(
            f"{VARIABLE} is {short_text(chosen)}, and {folder} has no such profile", f"name another: {has}"
        )
    path = folder / f"{chosen}.yaml"
    from synapse_perf.engine.checkout import read_yaml

    content = read_yaml(path)
    named = content.get("enabled_models") if isinstance(content, dict) else None
    return OwnProfile(chosen, _targets(path, content), tuple(map(str, named)) if isinstance(named, list) else ())


def _targets(path: Path, content: Json) -> dict[str, float]:
    tiers = content.get("tier_config") if isinstance(content, dict) else None
    found: dict[str, float] = {}
    for tier in tiers if isinstance(tiers, list) else []:
        name = tier.get("name") if isinstance(tier, dict) else None
        seconds = tier.get("expected_time_seconds") if isinstance(tier, dict) else None
        if name not in TIERS or seconds is None:
            continue
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < float("inf"):
            message = f"{path}: expected_time_seconds of {name}: {short_text(seconds)} is no time above 0"
            raise InputError(message, "correct it")
        found[f"query-{TIERS[name]}"] = float(seconds)
    return found
