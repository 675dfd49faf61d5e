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
from synapse_perf.commands.leak_run import DEFAULT_MAX_TIME_S as LEAK_HUNT_S
from synapse_perf.commands.leak_unused import NO_PART
from synapse_perf.commands.measuring import DEFAULT_MAX_TIME_S
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
ELSEWHERE = "on a Mac"  # ends the arguments where more time would not do
# Each target: the command that measures it, and the arguments that make it do so.
MEASURED_BY: Mapping[str, tuple[str, str]] = {
    "docker-startup": ("service-startup", "--compose FILE --url URL (or --image IMAGE)"),
    "model-startup-metal": ("profile-load", f"--gpu-layers -1, {ELSEWHERE}"),
    "model-startup-cpu": ("profile-load", "--device cpu --gpu-layers 0"),
    "cgrag-cold": ("bench-cgrag", "--state cold --corpus DIR"),
    "cgrag-warm": ("bench-cgrag", "--state warm --corpus DIR"),
    "query-fast": ("tier-latency", "--tier fast=MODEL"),
    "query-balanced": ("tier-latency", "--tier balanced=MODEL"),
    "query-deep": ("tier-latency", "--tier deep=MODEL"),
    "query-two-stage": ("tier-latency", "--tier fast=MODEL --tier balanced=MODEL --corpus DIR"),
    "ui-animation": ("ui-fps", "URL"),
    "websocket-latency": ("ws-latency", "URL"),
}
# Of the common options, those that a command refuses: within a run they are for the others.
UNHEEDED: Mapping[str, frozenset[str]] = {"leak-hunt": frozenset(NO_PART)}


def chosen_parts(named: Sequence[str], only: str | None, skip: str | None) -> tuple[str, ...]:
    """The commands of the profile, or those of `only`, without those of `skip`; InputError for one that is none."""
    chosen = _names(f"--only {only}", only.split(",")) if only is not None else list(dict.fromkeys(named))
    left_out = _names(f"--skip {skip}", skip.split(",")) if skip is not None else []
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


def time_for(name: str, profile_s: float | None) -> float:
    """How long a command goes on by itself: what its profile gives it, else its own default."""
    return profile_s or (LEAK_HUNT_S if name == "leak-hunt" else DEFAULT_MAX_TIME_S)


def shares_of(names: Sequence[str], profile_s: float | None, left_s: float | None) -> dict[str, float]:
    """The time of each command: its own, or its part of what is left by the times that they would take by themselves.

    What a command does not use goes to those after it, as long as this is asked anew for each.
    """
    own = {name: time_for(name, profile_s) for name in names}
    if left_s is None:
        return own
    whole = sum(own.values())
    return {name: left_s * own_s / whole for name, own_s in own.items()}


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
