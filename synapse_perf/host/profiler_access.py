"""May py-spy look into a process that this tool started? Tried, not guessed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from synapse_perf.host.condition import Condition
from synapse_perf.host.macos_settings import MACOS

_TARGET = """
import ctypes, sys
if sys.platform == "linux":
    PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
print(flush=True)
sys.stdin.read()
"""
_INSTEAD = "without it --flamegraph takes Python stacks from inside the process, and says so"
OWN_CHILDREN, NOBODY = 1, 3  # of Yama's scopes


def binary() -> str | None:
    """The py-spy beside this interpreter, else the one on the path."""
    beside = Path(sys.executable).parent / "py-spy"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("py-spy")


def profiler_access() -> Condition:
    """Takes the stacks of a short-lived child of our own, which allows it as the tool's workers do."""
    found = binary()
    if found is None:
        return _unavailable("py-spy is not installed", f"{sys.executable} -m pip install py-spy; {_INSTEAD}")
    if MACOS and os.geteuid() != 0:
        return _unavailable("macOS lets only root look into processes", f"sudo; {_INSTEAD}")
    refusal = dump(found)
    if refusal is None:
        return Condition("py-spy", "ok", "may look into processes of this tool (tried on one)")
    return _unavailable(
        f"may not look into processes: {refusal}", f"{remedy_for(_ptrace_scope(), _in_container())}; {_INSTEAD}"
    )


def dump(py_spy: str) -> str | None:
    """Why py-spy cannot take the stacks of a child; None if it can."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _TARGET], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            done = subprocess.run(
                [py_spy, "dump", "--pid", str(child.pid)], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        finally:
            child.communicate()
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return None if done.returncode == 0 else (lines[0].removeprefix("Error: ") if lines else f"code {done.returncode}")


def remedy_for(ptrace_scope: int | None, in_container: bool) -> str:
    """What lifts the refusal: Yama's scope 2 and 3 forbid it even where the target agrees."""
    if in_container:
        return "start the container with --cap-add SYS_PTRACE"
    if ptrace_scope is not None and ptrace_scope >= 2:
        return "sudo sysctl kernel.yama.ptrace_scope=1"
    return "run as root"


def remedy_here() -> str:
    """What lets py-spy look into a process that this tool did not start."""
    return "run this with sudo" if MACOS else remedy_for_others(_ptrace_scope(), _in_container())


def remedy_for_others(ptrace_scope: int | None, in_container: bool) -> str:
    """Unlike the tool's own, a process of somebody else's does not agree to be looked at."""
    if in_container:
        return "start this container with --cap-add SYS_PTRACE"
    if ptrace_scope is not None and ptrace_scope >= NOBODY:
        return f"this system lets nobody look (kernel.yama.ptrace_scope is {ptrace_scope})"
    as_well = ", or: sudo sysctl kernel.yama.ptrace_scope=0" if ptrace_scope == OWN_CHILDREN else ""
    return f"run this as root{as_well}"


def _ptrace_scope() -> int | None:
    try:
        return int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _unavailable(what: str, remedy: str) -> Condition:
    return Condition("py-spy", "unavailable", what, remedy, ("flame graph",))
