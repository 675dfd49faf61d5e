"""Is a file really cold, or really warm, right before it is loaded?"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from synapse_perf.errors import InputError
from synapse_perf.host.file_systems import file_system, why_not_cold
from synapse_perf.host.residency import libc, map_file, mapped_by, resident_share
from synapse_perf.model import CacheState

COLD_AT_MOST = 0.01  # somebody else's glance at the header brings a read-ahead window in; the weights stay out
WARM_AT_LEAST = 0.99
_BLOCK = 1 << 20
_PROT_NONE = 0
_MS_INVALIDATE = 2
_LARGEST_MAPPING = 16 << 30
_ATTEMPTS = 3  # another reader's pages may be in flight during the first

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The page-cache state of some files at one moment, and whether it is proven to be the one asked for."""

    asked: CacheState
    resident_before: float | None  # share of the bytes in the page cache, weighted by size; None: the system hides it
    proven: bool
    how: str  # how it was made and shown, or why it could not be


def prepare(paths: Iterable[PathLike], state: CacheState) -> Certificate:
    """Put the files into the state asked for and certify it; raises InputError for a file that cannot be read."""
    files = tuple(paths)
    return _make_cold(files) if state == "cold" else _make_warm(files)


def evict(paths: Iterable[PathLike]) -> None:
    """Ask the system to drop the files from the page cache; needs no root. What came of it, `resident_share` tells."""
    for path in paths:
        _with_file(path, _evict_macos if sys.platform == "darwin" else _evict_linux)


def load_into_cache(paths: Iterable[PathLike]) -> None:
    """Read the files once from beginning to end."""
    for path in paths:
        _with_file(path, _read_all)


def share_of_all(paths: Iterable[PathLike]) -> float | None:
    """The resident share of several files together, weighted by size; None if one of them is unknown."""
    resident = total = 0.0
    for path in paths:
        share = resident_share(path)
        if share is None:
            return None
        size = os.stat(path).st_size  # noqa: PTH116 (a str is as welcome as a Path)
        resident, total = resident + share * size, total + size
    return resident / total if total else None


def _make_cold(files: tuple[PathLike, ...]) -> Certificate:
    kinds = {file_system(path) for path in files}
    for kind in kinds:
        obstacle = why_not_cold(kind)
        if obstacle:
            return Certificate("cold", share_of_all(files), proven=False, how=f"not cold: {obstacle}")
    evict(files)
    seen = all(_sees_a_page_come(path) for path in files)
    share = None
    for _ in range(_ATTEMPTS):
        evict(files)
        share = share_of_all(files)
        if share is None or share <= COLD_AT_MOST:
            break
        if "overlay" in kinds:
            os.sync()  # its fsync does not reach a dirty file of the layers below
    method = "msync(MS_INVALIDATE)" if sys.platform == "darwin" else "posix_fadvise(DONTNEED)"
    if share is None:
        return Certificate("cold", None, proven=False, how=f"unverified: {method}, the system hides what is resident")
    if share > COLD_AT_MOST:
        return Certificate("cold", share, proven=False, how=_why_still_resident(files, share))
    if not seen:
        how = f"unverified: {method}, but the system does not report pages of this file even right after a read"
        return Certificate("cold", share, proven=False, how=how)
    return Certificate("cold", share, proven=True, how=f"{method}, residency checked before the start")


def _make_warm(files: tuple[PathLike, ...]) -> Certificate:
    share = share_of_all(files)
    if share != 1.0:
        load_into_cache(files)
        share = share_of_all(files)
    if share is None:
        return Certificate("warm", None, proven=False, how="unverified: read once, the system hides what is resident")
    if share < WARM_AT_LEAST:
        how = f"not warm: only {share:.1%} stayed in memory after a full read; more free memory is needed"
        return Certificate("warm", share, proven=False, how=how)
    return Certificate("warm", share, proven=True, how="read in full, residency checked before the start")


def _sees_a_page_come(path: PathLike) -> bool:
    """Check the instrument on the file itself: a page that was just read must show up as resident.

    The last page is read, so that the header, whose parsing is timed, is not even in a drive's own cache.
    """

    def touch(descriptor: int) -> None:
        os.pread(descriptor, 1, max(0, os.fstat(descriptor).st_size - 1))

    _with_file(path, touch)
    share = resident_share(path)
    return share is not None and share > 0


def _why_still_resident(files: tuple[PathLike, ...], share: float) -> str:
    holders = sorted({holder for path in files for holder in mapped_by(path)})
    reason = (
        f"mapped by {', '.join(holders[:3])}" if holders else "another process uses it, or the file system keeps it"
    )
    return f"not cold: {share:.1%} stayed in the page cache, {reason}"


def _with_file(path: PathLike, action: Callable[[int], None]) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            action(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot read {os.fspath(path)}: {reason}", "check the path and its permissions") from error


def _evict_linux(descriptor: int) -> None:
    os.fsync(descriptor)  # a dirty page cannot be dropped
    if sys.platform == "linux":
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _evict_macos(descriptor: int) -> None:
    """Invalidate a shared mapping of the file, the way that fio's cache invalidation takes on macOS since 2025."""
    os.fsync(descriptor)
    page = os.sysconf("SC_PAGE_SIZE")
    size = -(-os.fstat(descriptor).st_size // page) * page
    for offset in range(0, size, _LARGEST_MAPPING):
        length = min(_LARGEST_MAPPING, size - offset)
        address = map_file(descriptor, length, _PROT_NONE, offset)
        try:
            libc().msync(address, length, _MS_INVALIDATE)
        finally:
            libc().munmap(address, length)


def _read_all(descriptor: int) -> None:
    block = bytearray(_BLOCK)
    while os.readv(descriptor, [block]):
        pass
