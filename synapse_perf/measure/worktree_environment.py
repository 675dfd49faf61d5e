"""Which environment does a worktree run in, and has one for the same locks been made before?

A setup that builds into the directory which a variable names is run once for each set of locks: both sides of most
gates share it, and the next gate finds it. What it must not hold is the project itself: both sides would run the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from synapse_perf.errors import InputError

VARIABLE = "SYNAPSE_PERF_ENV"
KEPT = 5
_LOCKS = (
    "*.lock",
    "requirements*.txt",
    "requirements*.in",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "environment.yml",
)
_COMPLETE = ".complete"
_INSTALLED = ("direct_url.json", "*.pth", "*.egg-link", "__editable__*.py")


def is_cached(setup: str) -> bool:
    """Whether this setup builds an environment that can be kept."""
    return VARIABLE in setup


def lock_digest(setup: str, worktree: Path) -> str:
    """The same for the same setup, locks, interpreter and machine."""
    told = hashlib.sha256("\0".join((setup, sys.version, platform.platform(), platform.machine())).encode())
    for path in sorted({path for pattern in _LOCKS for path in worktree.glob(pattern) if path.is_file()}):
        told.update(path.name.encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]


@contextmanager
def reserved(folder: Path, digest: str) -> Iterator[tuple[Path, bool]]:
    """The directory of that digest, and whether it is complete; nobody else builds in it meanwhile.

    What is not complete when the context ends without an error is taken to be so from then on, else it is removed.
    """
    place = folder / digest
    with _guard(folder, digest) as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        is_complete = (place / _COMPLETE).is_file()
        if not is_complete:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(exist_ok=True)
        try:
            yield place, is_complete
        except BaseException:
            if not is_complete:
                shutil.rmtree(place, ignore_errors=True)
            raise
        (place / _COMPLETE).touch()
    _drop_old(folder)


def _guard(folder: Path, digest: str) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / f"{digest}.guard").open("w")
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written: {error.strerror}",
            "set SYNAPSE_PERF_CACHE_DIR to a directory that you may write to",
        ) from error


def check_has_no_project(place: Path, home: Path) -> None:
    """Raise InputError where the setup has installed the worktree itself into an environment that others share."""
    for pattern in _INSTALLED:
        for path in place.rglob(pattern):
            if str(home) in path.read_text(encoding="utf-8", errors="replace"):
                raise InputError(
                    f"--setup installs the project itself into ${VARIABLE}, which both sides may share ({path.name})",
                    "install its dependencies alone there: Python finds the project in each worktree",
                )


def _drop_old(folder: Path) -> None:
    """All but the environments that were used last."""
    complete = [path.parent for path in folder.glob(f"*/{_COMPLETE}")]
    for place in sorted(complete, key=lambda path: (path / _COMPLETE).stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(place, ignore_errors=True)
        (folder / f"{place.name}.guard").unlink(missing_ok=True)
