"""How much processor and memory does the control group of this process allow?

Both versions of Linux's control groups; a limit may sit on the group itself or on any group above it, the tightest
counts. In a container the path in /proc/self/cgroup is often the host's and does not exist inside: then the mounted
root is the container's own group.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60  # version 1 writes "no limit" as the largest multiple of the page size


def cpu_quota(root: Path = _ROOT, membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """The processors' worth of time that the quota allows, such as 1.5; None without a quota."""
    quotas = [parse_cpu_max(_text(group / "cpu.max")) for group in _groups(root, membership, "")]
    for controller in ("cpu", "cpu,cpuacct"):
        quotas += [
            parse_cfs_quota(_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us"))
            for group in _groups(root / controller, membership, "cpu")
        ]
    return min((quota for quota in quotas if quota is not None), default=None)


def memory_limit(root: Path = _ROOT, membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """The bytes that the control group may use; None without a limit."""
    texts = [_text(group / "memory.max") for group in _groups(root, membership, "")]
    texts += [_text(group / "memory.limit_in_bytes") for group in _groups(root / "memory", membership, "memory")]
    limits = [int(text) for text in texts if text.isdigit() and int(text) < _UNLIMITED]
    return min(limits, default=None)


def memory_headroom(root: Path = _ROOT, membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """The bytes that the control group may still take, counting cached file pages as free; None without a limit."""
    rooms = [
        _room(group, "memory.max", "memory.current", ("inactive_file", "active_file"))
        for group in _groups(root, membership, "")
    ]
    rooms += [
        _room(group, "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
        for group in _groups(root / "memory", membership, "memory")
    ]
    return min((room for room in rooms if room is not None), default=None)


def parse_cpu_max(text: str) -> float | None:
    """Version 2: ``150000 100000`` is 1.5 processors, ``max 100000`` no quota."""
    fields = text.split()
    if len(fields) != 2 or not fields[0].isdigit():
        return None
    return int(fields[0]) / int(fields[1])


def parse_cfs_quota(quota: str, period: str) -> float | None:
    """Version 1: quota and period in microseconds, a quota of -1 is none."""
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def parse_membership(text: str, controller: str) -> str | None:
    """The path of the group for a version 1 controller, or of version 2 for an empty name."""
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if path and controller in controllers.split(","):
            return path
    return None


def _room(group: Path, limit_file: str, usage_file: str, cached: tuple[str, ...]) -> int | None:
    """What one group leaves: its limit less what it uses, without the file pages that the kernel can drop."""
    limit, usage = _text(group / limit_file), _text(group / usage_file)
    if not (limit.isdigit() and usage.isdigit()) or int(limit) >= _UNLIMITED:
        return None
    counts = dict(line.split() for line in _text(group / "memory.stat").splitlines() if len(line.split()) == 2)
    dropped = sum(int(counts.get(name, 0)) for name in cached)
    return max(int(limit) - max(int(usage) - dropped, 0), 0)


def _groups(root: Path, membership: Path, controller: str) -> Iterator[Path]:
    """The group of this process and those above it that exist under the mounted root."""
    path = parse_membership(_text(membership), controller)
    if path is None:
        return
    inner = root / path.strip("/")
    while True:
        if inner.is_dir():
            yield inner
        if inner == root or root not in inner.parents:
            return
        inner = inner.parent


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
