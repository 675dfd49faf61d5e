"""Which measuring commands are there, which of them does a run want, and how is one called with its defaults?

A new measuring command is one more entry in `PARTS`, and in `MEASURED_BY` where a target is its own.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass

from synapse_perf.commands.bench_cgrag import bench_cgrag
from synapse_perf.commands.leak_hunt import leak_hunt
from synapse_perf.commands.options import CommonOptions, PartOptions
from synapse_perf.commands.profile_load import profile_load
from synapse_perf.commands.service_startup import service_startup
from synapse_perf.commands.tier_latency import tier_latency
from synapse_perf.commands.ui_fps import ui_fps
from synapse_perf.commands.ws_latency import ws_latency
from synapse_perf.errors import InputError

PARTS: Mapping[str, Callable[..., int]] = {
    "profile-load": profile_load,
    "bench-cgrag": bench_cgrag,
    "tier-latency": tier_latency,
    "leak-hunt": leak_hunt,
    "service-startup": service_startup,
    "ws-latency": ws_latency,
    "ui-fps": ui_fps,
}
MEASURED_BY: Mapping[str, str] = {
    "docker-startup": "service-startup",
    "model-startup-metal": "profile-load",
    "model-startup-cpu": "profile-load",
    "cgrag-cold": "bench-cgrag",
    "cgrag-warm": "bench-cgrag",
    "query-fast": "tier-latency",
    "query-balanced": "tier-latency",
    "query-deep": "tier-latency",
    "query-two-stage": "tier-latency",
    "ui-animation": "ui-fps",
    "websocket-latency": "ws-latency",
}


def chosen_parts(named: Sequence[str], only: str | None, skip: str | None) -> tuple[str, ...]:
    """The commands of the profile, or those of `only`, without those of `skip`; InputError for one that is none."""
    chosen = _names(f"--only {only}", only.split(",")) if only else _names("run of the profile", named)
    left_out = _names(f"--skip {skip}", skip.split(",")) if skip else []
    kept = tuple(name for name in chosen if name not in left_out)
    if not kept:
        raise InputError(f"--skip {skip}: nothing is left to run", f"leave one of {', '.join(chosen)}")
    return kept


def _names(told: str, listed: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in listed))
    for name in names:
        if name not in PARTS:
            raise InputError(f"{told}: '{name}' is no measuring command", f"choose from {', '.join(PARTS)}")
    return names


def call_part(name: str, common: PartOptions) -> int:
    """Call a command as its name alone on the command line would, with these common options; its exit code."""
    command = PARTS[name]
    hints = typing.get_type_hints(command)
    values = {
        parameter: common
        if hints[parameter] is CommonOptions
        else (hints[parameter]() if is_dataclass(hints[parameter]) else told.default)
        for parameter, told in inspect.signature(command).parameters.items()
    }
    return command(**values)
