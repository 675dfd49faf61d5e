"""Where does each of two revisions of the user's repository stand, apart from the work tree that he works in?

Nothing in that work tree is touched. Both are worktrees under the tool's own folder with paths of the same length, and
gone when the context ends; what a killed gate has left is removed by the next one.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from synapse_perf.errors import InputError

BEFORE, AFTER = "arm-a", "arm-b"  # as long as each other: a path's length can shift what is measured
LARGEST_NEW_BYTES = 10_000_000
_QUICK_S = 60.0
_CHECKOUT_S = 600.0
_NOBODY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "synapse-perf"), ("EMAIL", "synapse-perf@invalid"), ("DATE", "2000-01-01T00:00:00Z"))
}


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, as it was named and what it is."""

    name: str
    commit: str
    tree: str
    left_out: tuple[str, ...] = ()  # files of the work tree that it does not hold

    @property
    def shown(self) -> str:
        return self.name if self.commit.startswith(self.name) else f"{self.name} ({self.commit[:10]})"


@dataclass(frozen=True, slots=True)
class Worktrees:
    """The directories in which the commands run, which lie where the user stands in his own work tree."""

    home: Path
    before: Path
    after: Path


def working_directory() -> Path:
    """Where the user stands; raises InputError where that has been removed."""
    try:
        return Path.cwd()
    except OSError as error:
        raise InputError("the current directory is gone", "change to one that is there") from error


def repository_of(directory: Path) -> Path:
    """The top of the work tree that holds the directory; raises InputError where there is none."""
    top = _git(directory, "rev-parse", "--show-toplevel", failing="this is no work tree of git")
    return Path(top)


def revision_of(repository: Path, name: str) -> Revision:
    """The commit of that name; raises InputError for one that is not there."""
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    remedy = "fetch it first (CI checks out one commit only, unless asked for more): git fetch origin REVISION"
    commit = _git(repository, *asked, failing=f"there is no revision '{name}' here", remedy=remedy)
    return Revision(name, commit, _git(repository, "rev-parse", f"{commit}^{{tree}}"))


def work_tree_of(repository: Path, scratch: Path) -> Revision:
    """The work tree as it is, with what is not committed and not ignored, as a commit that no branch knows.

    New files of more than 10 MB stay out of it: they are data that somebody put there, and git would keep a copy.
    """
    head = revision_of(repository, "HEAD")
    environment = {**_NOBODY, "GIT_INDEX_FILE": str(scratch / "index"), "GIT_LITERAL_PATHSPECS": "1"}
    _git(repository, "read-tree", "HEAD", environment=environment)
    _git(repository, "add", "--update", environment=environment, timeout_s=_CHECKOUT_S)
    listed = _git(repository, "ls-files", "--others", "--exclude-standard", "-z", environment=environment)
    new = [name for name in listed.split("\0") if name]
    large = tuple(name for name in new if _size(repository / name) > LARGEST_NEW_BYTES)
    small = [name for name in new if name not in large]
    if small:
        names = scratch / "names"
        names.write_text("\0".join(small), encoding="utf-8", errors="surrogateescape")
        listing = ("--pathspec-from-file", str(names), "--pathspec-file-nul")
        _git(repository, "add", *listing, environment=environment, timeout_s=_CHECKOUT_S)
    tree = _git(repository, "write-tree", environment=environment)
    if tree == head.tree:
        return replace(head, left_out=large)
    made = _git(repository, "commit-tree", "-p", head.commit, "-m", "work tree", tree, environment=environment)
    return Revision("the work tree with its uncommitted changes", made, tree, large)


@contextmanager
def scratch_directory(folder: Path) -> Iterator[Path]:
    """A directory of this process alone; those of processes that are gone are removed with the worktrees in them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        started = psutil.Process().create_time()
        home = folder / f"{os.getpid()}-{started:.2f}-{secrets.token_hex(3)}"
        home.mkdir()
    except OSError as error:
        remedy = "set SYNAPSE_PERF_STATE_DIR to a directory that you may write to"
        raise InputError(f"{folder}: cannot be written: {error.strerror}", remedy) from error
    try:
        yield home
    finally:
        _remove(home)


@contextmanager
def worktrees(directory: Path, home: Path, before: Revision, after: Revision) -> Iterator[Worktrees]:
    """Both revisions checked out below `home`; they are gone afterwards, whatever happens."""
    repository = repository_of(directory)
    inside = directory.resolve().relative_to(repository.resolve())
    try:
        for name, revision in ((BEFORE, before), (AFTER, after)):
            _check_out(repository, home / name, revision)
            if not (home / name / inside).is_dir():
                raise InputError(
                    f"{revision.shown} has no directory {inside}", "run it from a directory that both revisions have"
                )
        yield Worktrees(home, home / BEFORE / inside, home / AFTER / inside)
    finally:
        for name in (BEFORE, AFTER):
            _remove_worktree(home / name)


def sweep(folder: Path) -> int:
    """Remove what gates have left behind that were killed; returns how many those were."""
    swept = 0
    for home in sorted(folder.iterdir()) if folder.is_dir() else ():
        if home.is_dir() and not _is_in_use(home.name):
            _remove(home)
            swept += 1
    return swept


def others_measuring(home: Path) -> int:
    """How many other gates are at work on this machine, for the same user."""
    return sum(other != home and other.is_dir() and _is_in_use(other.name) for other in home.parent.iterdir())


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _check_out(repository: Path, place: Path, revision: Revision) -> None:
    # The user's hooks are for his own work tree, and may do anything.
    command = ("-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", "--force", str(place), revision.commit)
    _git(
        repository,
        *command,
        failing=f"{revision.shown} cannot be checked out",
        remedy=f"{place.parent} needs room for both sides; SYNAPSE_PERF_STATE_DIR moves it",
        timeout_s=_CHECKOUT_S,
    )


def _remove(home: Path) -> None:
    for name in (BEFORE, AFTER):
        _remove_worktree(home / name)
    shutil.rmtree(home, ignore_errors=True)


def _remove_worktree(place: Path) -> None:
    """The files and git's own note of them; other worktrees of the repository stay as they are."""
    with suppress(OSError):
        pointer = (place / ".git").read_text(encoding="utf-8").strip()
        administration = Path(pointer.removeprefix("gitdir: "))
        if administration.parent.name == "worktrees" and (administration / "gitdir").is_file():
            shutil.rmtree(administration, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)


def _is_in_use(name: str) -> bool:
    pid, _, rest = name.partition("-")
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(rest.partition("-")[0])) < 0.05
    except (ValueError, psutil.Error):
        return False


def _git(
    directory: Path,
    *words: str,
    failing: str = "",
    remedy: str = "",
    environment: Mapping[str, str] | None = None,
    timeout_s: float = _QUICK_S,
) -> str:
    """What git answers, on one line; raises InputError with its words where it fails."""
    # Variables of a hook that this runs in (GIT_DIR, GIT_INDEX_FILE) would point it at another repository.
    inherited = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *words],
            env={**inherited, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise InputError("git is missing", "install git, which --against takes both revisions from") from error
    except subprocess.TimeoutExpired as error:
        raise InputError(f"git {_verb(words)} took longer than {timeout_s:g} s", remedy) from error
    if done.returncode:
        cause = _cause(done.stderr.decode("utf-8", "replace"))
        text = failing or f"git {_verb(words)} failed"
        raise InputError(f"{text}: {cause}" if cause else text, remedy)
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def _cause(told: str) -> str:
    """The first of git's errors, which the others follow from, without the progress that it tells before."""
    lines = told.strip().splitlines()
    errors = [line for line in lines if line.startswith(("error: ", "fatal: "))]
    return next(iter(errors or lines[-1:]), "").removeprefix("error: ").removeprefix("fatal: ")


_LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")


def _verb(words: Sequence[str]) -> str:
    return next(word for word in words if not word.startswith("-") and "=" not in word)
