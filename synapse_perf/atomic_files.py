"""How is a file replaced so that nobody ever meets half of it, whatever ends the writer?"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

from synapse_perf.errors import InputError

_LEFTOVER_AGE_S = 3600.0  # no write takes an hour, so an older temporary file belongs to a writer that was killed

_CAUSES = {
    errno.ENOSPC: ("no space is left on the disk", "free some space, or name a file on another disk"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or name a file on another disk"),
    errno.EFBIG: ("larger than files may be here", "raise the limit (ulimit -f), or name a file on another disk"),
    errno.EROFS: ("the file system is read-only", "name a file on another disk"),
    errno.EACCES: ("permission denied", "name a file in a directory that you may write to"),
    errno.EPERM: ("permission denied", "name a file in a directory that you may write to"),
    errno.ENOENT: ("its directory does not exist", "create the directory, or name a file in another one"),
    errno.ENOTDIR: ("what should be its directory is a file", "name a file in a directory"),
    errno.EISDIR: ("it is a directory", "name a file in it"),
    errno.EEXIST: ("it exists already", "choose another name"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
}


def write_atomically(path: str | Path, text: str, *, is_new: bool = False) -> None:
    """Put the text (UTF-8) into the file: whole or not at all, and on the disk when this returns.

    With `is_new` a file that is there already stays as it is, also one that another process makes at this moment.

    A link is followed, the mode of an old file is kept, a pipe or a device is written to. Raises InputError with the
    cause, and then leaves what was there before.
    """
    data = text.encode()
    try:
        if _is_pipe_or_device(path):
            with Path(path).open("wb") as stream:
                stream.write(data)
        else:
            _replace(Path(os.path.realpath(path)), data, is_new=is_new)
    except (OSError, ValueError) as error:
        raise _told(path, error) from error


def check_writable(path: str | Path) -> None:
    """Raise InputError if the file can certainly not be written: asked before a measurement that would be lost."""
    try:
        if _is_pipe_or_device(path):
            return
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "")
        if not stat.S_ISDIR(target.parent.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "")
    except (OSError, ValueError) as error:
        raise _told(path, error) from error


def _is_pipe_or_device(path: str | Path) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _replace(target: Path, data: bytes, *, is_new: bool = False) -> None:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "")
    _remove_leftovers(target)
    temporary = target.with_name(f"{_stem(target)}{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - Path.open knows no descriptors
            stream.write(data)
            stream.flush()
            with suppress(FileNotFoundError):
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
            os.fsync(descriptor)
        if is_new:
            _link(temporary, target)
        else:
            temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_directory(target.parent)


def _link(temporary: Path, target: Path) -> None:
    """Give the file its name unless that is taken, in one step where the file system knows links."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        if target.exists():
            raise FileExistsError(errno.EEXIST, "") from None
        temporary.replace(target)
    else:
        temporary.unlink()


def _stem(target: Path) -> str:
    return f".{target.name[:40]}."  # cut: the name of the temporary file must not be too long where the target's is not


def _remove_leftovers(target: Path) -> None:
    oldest = time.time() - _LEFTOVER_AGE_S
    for leftover in target.parent.glob(f"{glob.escape(_stem(target))}*.tmp"):
        with suppress(OSError):
            if leftover.stat().st_mtime < oldest:
                leftover.unlink()


def _sync_directory(directory: Path) -> None:
    """Make the new name last over a power cut; some file systems and modes cannot, which loses nothing else."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _told(path: str | Path, error: OSError | ValueError) -> InputError:
    name = ascii(str(path))[1:-1] if "\0" in str(path) else str(path)
    if isinstance(error, ValueError):
        return InputError(f"{name}: cannot be written: not a file name", "name a file")
    cause, remedy = _CAUSES.get(error.errno or 0, (error.strerror or type(error).__name__, "name another file"))
    return InputError(f"{name}: cannot be written: {cause}", remedy)
