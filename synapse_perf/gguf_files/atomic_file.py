"""How does a large file appear whole or not at all, and only where the disk has room for it?"""

from __future__ import annotations

import errno
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from synapse_perf.errors import InputError
from synapse_perf.units import format_bytes

PARTIAL_SUFFIX = ".partial"

# Left free for everything else on the disk.
_SPARE_BYTES = 64 * 1024**2


@contextmanager
def whole_file(path: Path, size_bytes: int) -> Iterator[BinaryIO]:
    """A file to write to, that gets its name only when the block ends well; after an error or Ctrl-C nothing is left.

    InputError when the disk lacks room for `size_bytes` (checked before anything is written), fills up, or refuses.
    """
    _remove_leftovers(path)
    _check_room(path, size_bytes)
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _keep_name(path.parent)
    except OSError as error:
        raise _explain(error, path) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def is_leftover(path: Path) -> bool:
    """Whether it is the unfinished file of a writer that was killed."""
    stem = path.name.removesuffix(PARTIAL_SUFFIX)
    writer = stem.rpartition(".")[2]
    is_partial = path.name.startswith(".") and stem != path.name and writer.isdecimal()
    return is_partial and not _is_running(int(writer))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _remove_leftovers(path: Path) -> None:
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*{PARTIAL_SUFFIX}"):
        if is_leftover(partial):
            with suppress(OSError):
                partial.unlink()


def _check_room(path: Path, size_bytes: int) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "create it first, or give another output path")
    free_bytes = shutil.disk_usage(folder).free
    if size_bytes + _SPARE_BYTES > free_bytes:
        needed, free = format_bytes(size_bytes), format_bytes(free_bytes)
        raise InputError(
            f"{path} needs {needed}, the disk has {free} free", "free some space, or write to another disk"
        )


def _keep_name(folder: Path) -> None:
    """Flush the folder, so that the name survives a power cut as the data does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: OSError, path: Path) -> InputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"{path} could not be written: the disk is full", "free some space, or write to another disk")
    return InputError(f"{path} could not be written: {error.strerror}", "check the folder's permissions and the disk")
