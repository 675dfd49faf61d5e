"""Does the machine run at full speed, or does it save power or protect itself from heat?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.host.macos_settings import MACOS
from synapse_perf.host.tool_output import output

_CPU = Path("/sys/devices/system/cpu")
_SUPPLIES = Path("/sys/class/power_supply")
_PLATFORM_PROFILE = Path("/sys/firmware/acpi/platform_profile")
_BATTERY = re.compile(r"InternalBattery.*?(\d+)%")
_PMSET = "/usr/bin/pmset"


@dataclass(frozen=True, slots=True)
class Power:
    """None where it is not known, which on a desktop or a virtual machine is the rule."""

    on_battery: bool | None = None
    battery_share: float | None = None  # of its full charge
    low_power_mode: bool | None = None
    governor: str | None = None  # Linux: the slowest-minded of all cores
    turbo: bool | None = None
    throttle_events: int | None = None  # since the machine started; growth during a run is what matters
    speed_limit: float | None = None  # macOS: 1.0 is full speed


def power() -> Power:
    """The state now: files under /sys on Linux (under a millisecond), pmset on macOS (tens of milliseconds)."""
    if MACOS:
        return from_pmset(*(output([_PMSET, "-g", *topic]) or "" for topic in (["batt"], [], ["therm"])))
    on_battery, share = battery(_SUPPLIES)
    profile = _text(_PLATFORM_PROFILE)
    return Power(
        on_battery=on_battery,
        battery_share=share,
        low_power_mode=None if not profile else profile in ("low-power", "quiet"),
        governor=governor(_CPU),
        turbo=turbo(_CPU),
        throttle_events=throttle_events(_CPU),
    )


def from_pmset(batt: str, settings: str, therm: str) -> Power:
    """Read the outputs of ``pmset -g batt``, ``pmset -g`` and ``pmset -g therm``."""
    charge = _BATTERY.search(batt)
    modes = dict(re.findall(r"^\s*(lowpowermode|powermode)\s+(\d)", settings, re.MULTILINE))
    limit = re.search(r"CPU_Speed_Limit\s*=\s*(\d+)", therm)
    warned = re.search(r"(?:thermal|performance) warning level\D*([1-9]\d*)", therm, re.IGNORECASE)
    return Power(
        on_battery="'Battery Power'" in batt if "drawing from" in batt else None,
        battery_share=int(charge[1]) / 100 if charge else None,
        low_power_mode="1" in modes.values() if modes else None,
        throttle_events=int(warned[1]) if warned else 0 if "warning level" in therm else None,
        speed_limit=int(limit[1]) / 100 if limit else None,
    )


def battery(supplies: Path) -> tuple[bool | None, float | None]:
    """Whether the machine runs from its battery, and the battery's charge, from /sys/class/power_supply."""
    online, share, discharging = None, None, None
    for supply in supplies.glob("*"):
        kind = _text(supply / "type")
        if kind in ("Mains", "USB") and _text(supply / "online").isdigit():
            online = bool(online) or _text(supply / "online") == "1"
        elif kind == "Battery" and _text(supply / "scope") != "Device":  # a mouse has one too
            capacity = _text(supply / "capacity")
            share = int(capacity) / 100 if capacity.isdigit() else None
            discharging = _text(supply / "status") == "Discharging"
    if share is None and discharging is None:
        return None, None
    return discharging if online is None else not online, share


def governor(cpus: Path) -> str | None:
    """The frequency governors of the cores, most saving first where they differ: ``powersave, performance``."""
    found = {_text(file) for file in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {""}
    return ", ".join(sorted(found, key=lambda name: (name == "performance", name))) or None


def turbo(cpus: Path) -> bool | None:
    """Whether the processor may exceed its base clock: Intel's own switch, or the general one."""
    forbidden = _text(cpus / "intel_pstate" / "no_turbo")
    if forbidden:
        return forbidden == "0"
    allowed = _text(cpus / "cpufreq" / "boost")
    return allowed == "1" if allowed else None


def throttle_events(cpus: Path) -> int | None:
    """How often heat has slowed the cores since the machine started (Intel only)."""
    counts = [_text(file) for file in cpus.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    numbers = [int(count) for count in counts if count.isdigit()]
    return sum(numbers) if numbers else None


def slowed_by(now: Power) -> tuple[tuple[str, str], ...]:
    """What keeps the machine from full speed, each with its remedy."""
    found = []
    if now.on_battery:
        charge = f" ({now.battery_share:.0%})" if now.battery_share is not None else ""
        found.append((f"the machine runs on its battery{charge}", "plug it in"))
    if now.low_power_mode:
        found.append(("low-power mode is on", "switch it off while measuring"))
    if now.governor and now.governor.startswith(("powersave", "conservative")) and not _hardware_decides():
        found.append((f"frequency governor {now.governor}", "sudo cpupower frequency-set -g performance"))
    if now.turbo is False:
        found.append(("turbo is switched off", "switch it on, or compare only with results that were made without it"))
    if now.speed_limit is not None and now.speed_limit < 1:
        found.append((f"heat limits the processor to {now.speed_limit:.0%} of its speed", "let the machine cool down"))
    return tuple(found)


def _hardware_decides() -> bool:
    """With an active intel_pstate or amd_pstate, ``powersave`` only lets the processor choose its own clock."""
    return any(_text(_CPU / driver / "status") == "active" for driver in ("intel_pstate", "amd_pstate"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
