"""On what kind of file system does a file lie, and can the page cache be controlled there?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs", "rootfs"})
_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "afs", "glusterfs", "lustre", "beegfs", "webdav"}
)
_OWN_CACHE = frozenset({"zfs"})
_OCTAL = re.compile(r"\\([0-7]{3})")
_MACOS_MOUNT = re.compile(r"^.+? on (/.*) \((\w+)(?:,|\))")


def file_system(path: str | os.PathLike[str]) -> str | None:
    """The type of the file system that holds the path, such as ``ext4``, ``overlay`` or ``apfs``; None if unknown."""
    table = _mount_table()
    real = os.path.realpath(path)
    inside = [point for point in table if point == "/" or real == point or real.startswith(point + "/")]
    return table[max(inside, key=len)] if inside else None


def why_not_cold(kind: str | None) -> str | None:
    """Why a file on this kind of file system can never be shown to be cold; None where it can."""
    if kind is None:
        return None
    if kind in _MEMORY:
        return f"the file lies in memory ({kind}), there is no device to read it from"
    if kind in _REMOTE or (kind.startswith("fuse") and kind != "fuseblk"):
        return f"the file is served by another system ({kind}), which has a cache of its own"
    if kind in _OWN_CACHE:
        return f"{kind} keeps a cache of its own beside the page cache"
    return None


def parse_mountinfo(text: str) -> dict[str, str]:
    """Mount point to type from /proc/self/mountinfo; of several mounts on one point, the last is the visible one."""
    table = {}
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) >= 5 and after:
            point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
            table[point] = after.split(" ", 1)[0]
    return table


def parse_macos_mounts(text: str) -> dict[str, str]:
    """Mount point to type from the output of macOS's ``mount``."""
    matches = (_MACOS_MOUNT.match(line) for line in text.splitlines())
    return {match[1]: match[2] for match in matches if match}


def _mount_table() -> dict[str, str]:
    if sys.platform == "darwin":
        try:
            done = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.SubprocessError):
            return {}
        return parse_macos_mounts(done.stdout)
    try:
        return parse_mountinfo(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return {}
