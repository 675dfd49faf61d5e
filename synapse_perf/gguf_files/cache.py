"""Where does this tool keep the model files that it made, and which are they?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.atomic_file import is_leftover
from synapse_perf.gguf_files.header import read_header

CACHE_DIR_VARIABLE = "SYNAPSE_PERF_CACHE_DIR"


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file of this tool's own making; `made_by` is what it was synthesised from, None for an unfinished one."""

    path: Path
    size_bytes: int
    made_by: str | None


def cache_directory() -> Path:
    """The cache directory, whether it exists or not: of this user, or what SYNAPSE_PERF_CACHE_DIR names."""
    chosen = os.environ.get(CACHE_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("synapse-perf")


def models_directory() -> Path:
    """Where the synthesised models lie."""
    return cache_directory() / "models"


def ensure_models_directory() -> Path:
    """The same, made if need be; InputError when that is not possible."""
    directory = models_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = f"set {CACHE_DIR_VARIABLE} to a folder that may be written to"
        raise InputError(f"{directory} cannot be made: {error.strerror}", remedy) from error
    return directory


def cached_files() -> list[CachedFile]:
    """What this tool made and left in its cache, by name; files that it did not make are not listed."""
    try:
        candidates = sorted(path for path in models_directory().iterdir() if path.is_file() and not path.is_symlink())
    except OSError:
        return []
    listed = (_recognise(path) for path in candidates)
    return [cached for cached in listed if cached is not None]


def remove_cached_files() -> list[CachedFile]:
    """Delete what `cached_files` lists, and return it; InputError for the first that cannot be deleted."""
    removed = cached_files()
    for cached in removed:
        try:
            cached.path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{cached.path} cannot be deleted: {error.strerror}", "check its permissions") from error
    return removed


def _recognise(path: Path) -> CachedFile | None:
    size_bytes = path.stat().st_size
    if is_leftover(path):
        return CachedFile(path, size_bytes, None)
    if path.suffix != ".gguf":
        return None
    try:
        made_by = read_header(path).made_by
    except InputError:
        return None
    return CachedFile(path, size_bytes, made_by) if made_by else None
