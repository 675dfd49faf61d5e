"""Who else wants the processor, the disk and the memory, now or during a trial?

Linux's pressure stall information (PSI): the share of time in which some task waited for the resource. Thresholds: a
wait for the processor of 20 % lengthens what is measured by about as much, and a tenth of the time lost to memory is
far above any background noise (a desktop's low-memory monitor already acts at 3.5 %).
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from synapse_perf.clock import NANOSECONDS
from synapse_perf.host.cpu import usable_cores
from synapse_perf.host.macos_settings import MACOS, sysctl
from synapse_perf.model import Fact

CPU_SOME = 0.20
IO_SOME = 0.20
MEMORY_SOME = 0.10
STEAL = 0.05  # time that the hypervisor gave to others adds itself to every phase that computes
LOAD_PER_CORE = 1.0  # used only where there is no PSI: as many tasks as cores, before we start any

_RESOURCES = ("cpu", "io", "memory")
_MACOS_MEMORY = "kern.memorystatus_vm_pressure_level"
_MICROSECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class Pressure:
    """Shares of time, 0 to 1, averaged over the last 10 s; None where the system does not tell."""

    cpu_some: float | None
    io_some: float | None
    memory_some: float | None
    load_1m: float | None
    macos_memory_level: int | None = None  # 1 normal, 2 warning, 4 critical


@dataclass(frozen=True, slots=True)
class Contention:
    """What others took during one trial; shares of its wall time, None where the system does not tell."""

    wall_s: float
    cpu_some: float | None
    io_some: float | None
    memory_some: float | None
    steal: float | None  # of the machine's processor time
    involuntary_switches: int  # of this process and of children that ended meanwhile


def pressure() -> Pressure:
    """The pressure of the last 10 s, well under a millisecond on Linux."""
    cpu, io, memory = (_average(name) for name in _RESOURCES)
    level = sysctl("kern.memorystatus_vm_pressure_level").get("kern.memorystatus_vm_pressure_level") if MACOS else None
    return Pressure(
        cpu, io, memory, load_1m=_load(), macos_memory_level=int(level) if level and level.isdigit() else None
    )


def contended(now: Pressure) -> tuple[tuple[str, str], ...]:
    """What would spoil a measurement that starts now, each with its remedy. Ask before one's own work begins."""
    found = []
    if now.cpu_some is not None and now.cpu_some >= CPU_SOME:
        found.append((f"others want the processor: tasks waited for it {now.cpu_some:.0%} of the last 10 s", _CLOSE))
    elif now.cpu_some is None and now.load_1m is not None and now.load_1m >= LOAD_PER_CORE * usable_cores():
        found.append((f"others want the processor: load average {now.load_1m:.1f}", _CLOSE))
    if now.io_some is not None and now.io_some >= IO_SOME:
        found.append((f"others use the disk: tasks waited for it {now.io_some:.0%} of the last 10 s", _CLOSE))
    short = now.memory_some is not None and now.memory_some >= MEMORY_SOME
    if short or (now.macos_memory_level or 1) > 1:
        found.append(("memory is short: the system stalls to find some", "close what holds memory"))
    return tuple(found)


_CLOSE = "wait until it is done, or close it"


class ContentionMeter:
    """Meters one trial from the parent: ``with ContentionMeter() as meter: ...`` and then ``meter.result``."""

    result: Contention | None = None

    def __enter__(self) -> ContentionMeter:
        self._start = _Totals.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.result = between(self._start, _Totals.now())


@dataclass(frozen=True, slots=True)
class _Totals:
    at_ns: int
    stalled_s: tuple[float | None, ...]  # as _RESOURCES
    steal_ticks: int | None
    all_ticks: int | None
    involuntary_switches: int

    @staticmethod
    def now() -> _Totals:
        ticks = parse_stat(_text(Path("/proc/stat")))
        usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        return _Totals(
            at_ns=time.perf_counter_ns(),
            stalled_s=tuple(parse_psi(_text(Path("/proc/pressure", name)))[1] for name in _RESOURCES),
            steal_ticks=ticks[0] if ticks else None,
            all_ticks=ticks[1] if ticks else None,
            involuntary_switches=sum(usage.ru_nivcsw for usage in usages),
        )


def between(start: _Totals, end: _Totals) -> Contention:
    wall_s = (end.at_ns - start.at_ns) * NANOSECONDS
    cpu, io, memory = (
        None if before is None or after is None or wall_s <= 0 else min(1.0, (after - before) / wall_s)
        for before, after in zip(start.stalled_s, end.stalled_s, strict=True)
    )
    steal = None
    if start.steal_ticks is not None and end.steal_ticks is not None:
        elapsed = (end.all_ticks or 0) - (start.all_ticks or 0)
        steal = (end.steal_ticks - start.steal_ticks) / elapsed if elapsed > 0 else None
    switches = end.involuntary_switches - start.involuntary_switches
    return Contention(wall_s, cpu, io, memory, steal, switches)


def disturbances(found: Contention) -> tuple[str, ...]:
    """What disturbed a trial beyond the thresholds.

    Waiting for the disk is left out, since a cold load waits for it by itself. Waiting for the processor is partly the
    trial's own doing where it runs more threads than there are cores.
    """
    limits = (
        (found.cpu_some, CPU_SOME, "tasks waited for the processor"),
        (found.memory_some, MEMORY_SOME, "tasks waited for memory"),
        (found.steal, STEAL, "the hypervisor gave the processor to others"),
    )
    return tuple(f"{what} {share:.0%} of the trial" for share, limit, what in limits if share and share >= limit)


def facts(found: Contention) -> dict[str, Fact]:
    """The meter's answer as facts of a trial; shares of its wall time."""
    return {
        "cpu_pressure": found.cpu_some,
        "io_pressure": found.io_some,
        "memory_pressure": found.memory_some,
        "steal": found.steal,
        "involuntary_switches": found.involuntary_switches,
    }


def steal_share(window_s: float = 0.5) -> float | None:
    """The share of the machine's processor time that the hypervisor gave to others, over a window of its own."""
    start = _Totals.now()
    time.sleep(window_s)
    return between(start, _Totals.now()).steal


def parse_psi(text: str) -> tuple[float | None, float | None]:
    """The ``some`` line of a /proc/pressure file: the share over 10 s, and the total stall in seconds."""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        values = dict(pair.split("=", 1) for pair in rest.split() if "=" in pair)
        if kind == "some" and "avg10" in values and "total" in values:
            return round(float(values["avg10"]) / 100, 4), int(values["total"]) * _MICROSECONDS
    return None, None


def parse_stat(text: str) -> tuple[int, int] | None:
    """Stolen and all ticks from the first line of /proc/stat; guests' ticks are in the users' already."""
    fields = text.split("\n", 1)[0].split()
    if len(fields) < 9 or fields[0] != "cpu":
        return None
    ticks = [int(field) for field in fields[1:9]]
    return ticks[7], sum(ticks)


def _average(name: str) -> float | None:
    return parse_psi(_text(Path("/proc/pressure", name)))[0]


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:  # no such system, or PSI switched off at boot
        return ""
