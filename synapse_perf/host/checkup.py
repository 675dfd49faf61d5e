"""What can this machine measure, what would spoil a measurement, and what helps?"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from synapse_perf.host import llama_build, room
from synapse_perf.host.condition import TIMING, Condition, Purpose
from synapse_perf.host.cpu import instruction_flags
from synapse_perf.host.eviction_trial import eviction
from synapse_perf.host.extras import extras
from synapse_perf.host.gpu import gpu_names
from synapse_perf.host.power import Power, power, slowed_by
from synapse_perf.host.pressure import STEAL, Pressure, contended, pressure, steal_share
from synapse_perf.host.profiler_access import profiler_access
from synapse_perf.host.retrieval_parts import retrieval_parts
from synapse_perf.units import format_percent

COARSE_CLOCK_NS = 100_000  # the shortest phases of a load last a few hundred microseconds
_WINDOW_S = 0.5


def check_up(folders: Mapping[str, Path], python: str | None = None) -> list[Condition]:
    """Every condition in the order of the report; takes a second or two.

    `folders` are the labelled places of files that matter (state, cache, models); `python` is the interpreter that the
    workers will run under.
    """
    quiet = contention()  # first: what follows is work of our own
    places = room.by_device(folders)
    return [
        *llama_build.conditions(llama_build.ask(python), gpu_names(), instruction_flags()),
        *(eviction(label, folder) for label, folder in places.items()),
        profiler_access(),
        *retrieval_parts(),
        *quiet,
        *speed(power()),
        room.memory(),
        room.lockable(),
        *(room.disk(label, folder) for label, folder in places.items()),
        clock(),
        *extras(),
    ]


def warnings_before(purpose: Purpose) -> tuple[str, ...]:
    """What would spoil a measurement that starts now: what it is, and the remedy.

    The cheap part of the check-up, without a process on Linux and under a millisecond; on macOS some tens of them.
    """
    if purpose not in (*TIMING, "leaks"):
        return ()
    found = contended(pressure()) + (slowed_by(power()) if purpose in TIMING else ())
    return tuple(f"{reason}; {remedy}" for reason, remedy in found)


def contention() -> list[Condition]:
    """Pressure of the last 10 s, and steal and swap traffic over a short window."""
    now, swapped = pressure(), room.swap_traffic()
    steal = steal_share(_WINDOW_S)
    lines = [
        Condition("contention", "warning", reason, remedy, (*TIMING, "leaks")) for reason, remedy in contended(now)
    ]
    return [*(lines or [_quiet(now)]), stolen(steal), room.swap(room.swap_traffic() - swapped)]


def stolen(steal: float | None) -> Condition:
    if steal is None:
        return Condition("steal", "unknown", "this system does not count time that a hypervisor gives to others")
    what = f"the hypervisor gives {steal:.1%} of the processor time to others"
    if steal >= STEAL:
        return Condition("steal", "warning", what, "measure at another time, or on a machine of its own", TIMING)
    return Condition("steal", "ok", what)


def speed(now: Power) -> list[Condition]:
    """What keeps the processor from full speed, one line each; else one line on what is known."""
    lines = [Condition("speed", "warning", reason, remedy, TIMING) for reason, remedy in slowed_by(now)]
    known = {
        "power": None if now.on_battery is None else "battery" if now.on_battery else "mains",
        "low-power mode": None if now.low_power_mode is None else "on" if now.low_power_mode else "off",
        "governor": now.governor,
        "turbo": None if now.turbo is None else "on" if now.turbo else "off",
        "slowed by heat": None if now.throttle_events is None else f"{now.throttle_events} times since the start",
    }
    told = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
    untold = ", ".join(name for name, value in known.items() if value is None)
    if told and not lines:
        lines.append(Condition("speed", "ok", told))
    if untold:
        lines.append(Condition("speed", "unknown", f"this machine does not tell: {untold}"))
    return lines


def clock() -> Condition:
    """The finest step that the clock shows, which limits the shortest phase that can be told apart."""
    stated_ns = time.get_clock_info("perf_counter").resolution * 1e9
    stamps = [time.perf_counter_ns() for _ in range(1000)]
    steps = [later - earlier for earlier, later in pairwise(stamps) if later > earlier]
    seen_ns = min(steps, default=stated_ns)
    what = f"steps of {seen_ns:.0f} ns seen, {stated_ns:.0f} ns stated"
    if seen_ns > COARSE_CLOCK_NS:
        return Condition("clock", "warning", what, "use another machine: phases would be lost between ticks", TIMING)
    return Condition("clock", "ok", what)


def can_measure(conditions: list[Condition]) -> bool:
    """False where nothing of profile-load could run: no interpreter, or no llama.cpp in it."""
    return not any(one.state == "unavailable" and one.name in ("interpreter", "llama.cpp") for one in conditions)


def _quiet(now: Pressure) -> Condition:
    shares = (("processor", now.cpu_some), ("disk", now.io_some), ("memory", now.memory_some))
    known = [f"{name} {format_percent(share)}" for name, share in shares if share is not None]
    if known:
        return Condition("contention", "ok", f"tasks waited in the last 10 s: {', '.join(known)}")
    if now.load_1m is not None:
        return Condition("contention", "ok", f"load average {now.load_1m:.2f}; {sys.platform} tells no more")
    return Condition("contention", "unknown", "this system tells nothing about it")
