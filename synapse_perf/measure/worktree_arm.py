"""What does one run of a command in a worktree take, and what else happened on the machine meanwhile?"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from synapse_perf.clock import now_ns, seconds_between
from synapse_perf.host.pressure import CPU_SOME, MEMORY_SOME, STEAL, Contention, ContentionMeter
from synapse_perf.measure.register import Register
from synapse_perf.measure.spawning import held_interrupts
from synapse_perf.outside.process_tree import end_tree

OTHERS = 0.10  # of the machine's processor time: less than that is background noise
_TAIL_BYTES = 4000


@dataclass(frozen=True, slots=True)
class ArmRun:
    """One run; `output` is the end of what it printed."""

    status: int  # negative: the signal that ended it
    wall_s: float
    cpu_s: float  # of the command and all that it waited for
    disturbances: tuple[str, ...]
    output: str
    is_timeout: bool = False


def run_arm(
    command: str, directory: Path, environment: Mapping[str, str], *, timeout_s: float, log: Path, register: Register
) -> ArmRun:
    """Run a command line by the shell; it and all that it started are gone when this returns or raises."""
    own_before, busy_before = _children_cpu_s(), _machine_cpu_s()
    with ContentionMeter() as meter, log.open("wb") as stream:
        started = now_ns()
        process = None
        try:
            with held_interrupts():
                process = _start(command, directory, environment, stream)
                register.add(process.pid)
            is_timeout = not _wait(process, timeout_s)
        finally:
            wall_s = seconds_between(started, now_ns())
            if process is not None:
                _end(process)
                register.remove(process.pid)
    cpu_s, busy = _children_cpu_s() - own_before, _machine_cpu_s()
    assert meter.result is not None
    others_s = None if busy is None or busy_before is None else max(0.0, busy - busy_before - cpu_s)
    told = disturbances_by_others(meter.result, others_s)
    return ArmRun(process.returncode or 0, wall_s, cpu_s, told, _tail(log), is_timeout)


def _start(command: str, directory: Path, environment: Mapping[str, str], stream: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        end_tree(process)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left in the background


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Whether it ended in time. Where the system can tell at once, nobody has to look again and again."""
    if not hasattr(os, "pidfd_open"):
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
        return process.poll() is not None
    descriptor = os.pidfd_open(process.pid)
    try:
        select.select([descriptor], [], [], timeout_s)
    finally:
        os.close(descriptor)
    return process.poll() is not None


def disturbances_by_others(found: Contention, others_s: float | None) -> tuple[str, ...]:
    """What others took. Tasks also wait where a command has more threads than cores: then others took nothing."""
    told = []
    others = (
        None if others_s is None or found.wall_s <= 0 else min(1.0, others_s / (found.wall_s * (os.cpu_count() or 1)))
    )
    if found.cpu_some is not None and found.cpu_some >= CPU_SOME and (others is None or others >= OTHERS):
        share = "" if others is None else f", others used {others:.0%} of it"
        told.append(f"tasks waited for the processor {found.cpu_some:.0%} of the time{share}")
    if found.memory_some is not None and found.memory_some >= MEMORY_SOME:
        told.append(f"tasks waited for memory {found.memory_some:.0%} of the time")
    if found.steal is not None and found.steal >= STEAL:
        told.append(f"others had the processor of the hypervisor {found.steal:.0%} of the time")
    return tuple(told)


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _machine_cpu_s() -> float | None:
    """Processor time of all that has run on this machine so far; None where the system does not tell."""
    try:
        ticks = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
        user, nice, system, _idle, _iowait, irq, softirq = map(int, ticks[:7])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
