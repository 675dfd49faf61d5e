"""What does a process hold that it may never give back: memory, descriptors, threads, sockets, children, mapped files?

A probe is a name, a unit and a function that reads it now; `own_probes` are those of this process, which alone can ask
its allocator, `probes_of` those that another process of the same user shows from outside. A new probe is one more entry
there, and its name in `BYTE_PROBES` or `SHOWN_ONLY` where it belongs; series, verdict and report follow by themselves.
What a platform cannot tell is left out of the list and named in `untold`.

Standard library and psutil only, as it runs in the user's own environment.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from synapse_perf.host.gpu_memory import gpu_memory
from synapse_perf.host.shared_memory import shared_bytes

# What one of Python's own small blocks stands for: sys.getallocatedblocks() counts them, the C heap sees only their
# arenas. Calibrated on tuples, dicts and strings; for tiny objects it is off by up to 40 %.
BYTES_PER_BLOCK = 64
BYTES, COUNT = "B", "1"
HEAP, ANONYMOUS, SHARED, RSS, GPU = "heap", "anonymous", "shared_memory", "rss", "gpu_memory"
# Of servers that were stopped: what is there after their grace. None of it may be, so each is judged at once.
ORPHANS, LEFT_ZOMBIES, LEFT_PORTS = "orphans", "left_zombies", "left_ports"
LEFT_MEMORY, LEFT_GPU_MEMORY = "left_memory", "left_gpu_memory"
MUST_BE_ZERO = frozenset({ORPHANS, LEFT_ZOMBIES, LEFT_PORTS, LEFT_MEMORY, LEFT_GPU_MEMORY})
# RSS holds clean file pages and what the allocator keeps for later, gc objects are in the heap already: never judged.
SHOWN_ONLY = frozenset({RSS, "gc_objects"})
BYTE_PROBES = frozenset({HEAP, ANONYMOUS, SHARED, RSS, GPU, LEFT_MEMORY, LEFT_GPU_MEMORY})
_OTHER_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")
_MACOS: bool = sys.platform == "darwin"


class Probe(NamedTuple):
    """One thing that can grow; `read` gives its level now, None where the process has gone or nothing tells."""

    name: str
    unit: str  # B or 1
    read: Callable[[], float | None]


class Probes(NamedTuple):
    """What can be read here, and why the rest cannot."""

    probes: tuple[Probe, ...]
    untold: dict[str, str]  # by the probe's name

    def read(self) -> dict[str, float]:
        levels = {probe.name: probe.read() for probe in self.probes}
        return {name: level for name, level in levels.items() if level is not None}


def is_counted(probe: str) -> bool:
    """Whether it is judged by its count, not in bytes."""
    return probe not in BYTE_PROBES and probe not in SHOWN_ONLY


def own_probes() -> Probes:
    """Those of this process."""
    outside = probes_of(os.getpid())
    found: list[Probe] = []
    untold = {name: reason for name, reason in outside.untold.items() if name != HEAP}
    allocator = foreign_allocator()
    if allocator:
        untold[HEAP] = f"{allocator} is loaded, which does not tell what is in use; anonymous memory is judged"
    elif not hasattr(_psutil(), "heap_info"):
        untold[HEAP] = f"psutil {_psutil().__version__} of {sys.executable} cannot tell: install psutil 7.2 or newer"
    else:
        found.append(Probe(HEAP, BYTES, live_heap))
    found += outside.probes
    read_gpu, why_not = gpu_memory()
    if why_not:
        untold[GPU] = why_not
    if read_gpu is not None:
        found.append(Probe(GPU, BYTES, partial(read_gpu, os.getpid())))
    if os.getsid(0) == os.getpid():
        found.append(Probe("orphaned_children", COUNT, lambda: float(len(orphans(os.getpid())))))
    else:
        untold["orphaned_children"] = "only a process with a session of its own knows whose they were"
    found.append(Probe("python_threads", COUNT, lambda: float(threading.active_count())))
    found.append(Probe("tasks", COUNT, lambda: float(len(unfinished_tasks()))))
    found.append(Probe("gc_objects", COUNT, lambda: float(len(gc.get_objects()))))
    return Probes(tuple(found), untold)


def probes_of(pid: int) -> Probes:
    """Those that any process of the same user shows from outside."""
    psutil = _psutil()
    process = psutil.Process(pid)

    def asked(question: Callable[[], float | None]) -> Callable[[], float | None]:
        def answer() -> float | None:
            try:
                return question()
            except (psutil.Error, OSError, ValueError):  # it has gone, or is not ours
                return None

        return answer

    every = (
        Probe(ANONYMOUS, BYTES, asked(lambda: anonymous_bytes(pid))),
        Probe(SHARED, BYTES, asked(lambda: shared_bytes(pid))),
        Probe(RSS, BYTES, asked(lambda: float(process.memory_info().rss))),
        Probe("descriptors", COUNT, asked(lambda: float(process.num_fds()))),
        Probe("threads", COUNT, asked(lambda: float(process.num_threads()))),
        Probe("sockets", COUNT, asked(lambda: float(len(process.net_connections("inet"))))),
        Probe("children", COUNT, asked(lambda: float(len(descendants(pid))))),
        Probe("zombies", COUNT, asked(lambda: float(_zombies(pid)))),
        Probe("mapped_files", COUNT, asked(lambda: mapped_file_count(pid))),
    )
    reasons = {HEAP: "a process tells it only about itself"}
    can_be_read = tuple(probe for probe in every if probe.read() is not None)
    missing = {probe.name for probe in every} - {probe.name for probe in can_be_read}
    return Probes(can_be_read, reasons | dict.fromkeys(sorted(missing), "this system does not tell it"))


def settle() -> None:
    """Free what only waits to be freed: garbage in cycles, and the free pages that the allocator keeps."""
    gc.collect()
    gc.collect()  # what finalizers of the first made garbage
    trim()


def trim() -> None:
    """Give the allocator's free pages back to the system, where it can be asked to."""
    heap_trim = getattr(_psutil(), "heap_trim", None)
    if heap_trim is not None:
        heap_trim()


def live_heap() -> float:
    """Bytes in use: of the C heap and its large blocks, and Python's own small blocks, which share arenas."""
    now = _psutil().heap_info()
    return float(now.heap_used + now.mmap_used + BYTES_PER_BLOCK * sys.getallocatedblocks())


def foreign_allocator() -> str:
    """The name of an allocator that replaces the C library's, if one is loaded."""
    with contextlib.suppress(OSError), open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123
        text = maps.read()
        return next((name for name in _OTHER_ALLOCATORS if name in text), "")
    return ""


def anonymous_bytes(pid: int) -> float | None:
    """Memory that no file could give back: on macOS the physical footprint, which holds a GPU's shared memory too."""
    if _MACOS:
        from synapse_perf.host import macos_process

        usage = macos_process.usage(pid)
        return float(usage.footprint_bytes) if usage else None
    return _field(f"/proc/{pid}/smaps_rollup", b"Anonymous:")


def data_bytes() -> int | None:
    """Private writable memory of this process, used or not: what the system's limit on data counts; Linux alone."""
    held = _field("/proc/self/status", b"VmData:")
    return None if held is None else int(held)


def descriptor_kinds(pid: int) -> dict[str, int]:
    """How many descriptors of each kind are open: socket, pipe, file and so on; empty where it is not told."""
    kinds: Counter[str] = Counter()
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - pathlib costs time in a worker
            with contextlib.suppress(OSError):
                target = os.readlink(f"{folder}/{name}")  # noqa: PTH115
                kinds[target.partition(":")[0] if ":[" in target else _kind_of_path(target)] += 1
    return dict(kinds)


def socket_states(pid: int) -> dict[str, int]:
    """How many sockets of the internet families are in each state."""
    psutil = _psutil()
    with contextlib.suppress(psutil.Error, OSError):
        return dict(Counter(one.status for one in psutil.Process(pid).net_connections("inet")))
    return {}


def mapped_files(pid: int) -> dict[str, int]:
    """How many regions of memory show each file, by its path; empty where it is not told."""
    found: Counter[str] = Counter()
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123
        for line in maps:
            path = line.rstrip("\n").partition("/")[2]
            if path:
                found["/" + path] += 1
    return dict(found)


def mapped_file_count(pid: int) -> float | None:
    """Regions of memory that show a file: any of them, as llama.cpp unmaps those before and after its tensors."""
    if _MACOS:
        return None
    return float(sum(mapped_files(pid).values()))


def _kind_of_path(target: str) -> str:
    return "device" if target.startswith("/dev/") else "file"


def descendants(pid: int) -> list[int]:
    """Every process that this one started, and that those did, as far as they can be told by their parents.

    Linux keeps a list with each thread, which is much quicker than asking every process of the machine for its parent.
    """
    children = _listed_children(pid)
    if children is None:
        return [child.pid for child in _psutil().Process(pid).children(recursive=True)]
    return [one for child in children for one in (child, *descendants(child))]


def orphans(leader: int) -> list[int]:
    """Living processes of the session of `leader` whose parents, which were below it, have ended.

    One that began a session of its own before is not known here any more.
    """
    psutil = _psutil()
    below = {leader, *descendants(leader)}
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if pid not in below and os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def _listed_children(pid: int) -> list[int] | None:
    """None where the kernel keeps no such list."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                found += map(int, file.read().split())
    except OSError:
        return None if not os.path.exists(f"/proc/self/task/{os.getpid()}/children") else found  # noqa: PTH110
    return found


def _zombies(pid: int) -> int:
    psutil = _psutil()
    count = 0
    for child in descendants(pid):
        with contextlib.suppress(psutil.Error):
            count += psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    return count


def unfinished_tasks() -> list[Any]:
    """Tasks of every event loop of this process that are not done; none where nothing has imported asyncio."""
    tasks = sys.modules.get("asyncio.tasks")
    if tasks is None:
        return []
    every = [*getattr(tasks, "_scheduled_tasks", getattr(tasks, "_all_tasks", ()))]
    every += getattr(tasks, "_eager_tasks", ())
    return [task for task in every if not task.done()]


def _field(path: str, name: bytes) -> float | None:
    """A line of /proc in kB, as bytes."""
    with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(name):
                return float(line.split()[1]) * 1024
    return None


def _psutil() -> Any:
    import psutil

    return psutil
