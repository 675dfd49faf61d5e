"""Where does this tool keep the model files that it made or fetched, and which are they?"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.atomic_file import is_leftover
from synapse_perf.gguf_files.header import read_header

CACHE_DIR_VARIABLE = "SYNAPSE_PERF_CACHE_DIR"
SET = "a set prepared for bench-cgrag"
VECTORS = "vectors of texts that were embedded"
DOWNLOAD_RECORD = "download.json"  # as .ci/encoder_weights.py names it


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file, or the folder of an encoder, that this tool put there; `made_by` says what from, None for a half one."""

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
    """Where the models lie that were synthesised or converted."""
    return cache_directory() / "models"


def encoders_directory() -> Path:
    """Where the set-up keeps the files of encoders that it downloaded."""
    return cache_directory() / "encoders"


def sets_directory() -> Path:
    """Where the sets lie that were prepared for retrieval: texts, indexes, queries."""
    return cache_directory() / "retrieval"


def vectors_directory() -> Path:
    """Where the vectors of texts that were embedded lie, a file an encoder."""
    return cache_directory() / "embeddings"


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
    """What this tool and its set-up left in the cache, models first, by name; what others put there is not listed."""
    files = [_recognise(path) for path in _entries(models_directory()) if path.is_file()]
    folders = [_recognise_download(path) for path in _entries(encoders_directory()) if path.is_dir()]
    sets = [CachedFile(path, _size_of(path), SET) for path in _entries(sets_directory()) if path.is_dir()]
    vectors = [CachedFile(path, path.stat().st_size, VECTORS) for path in _entries(vectors_directory())]
    return [cached for cached in (*files, *folders) if cached is not None] + sets + vectors


def remove_cached_files() -> list[CachedFile]:
    """Delete what `cached_files` lists, and return it; InputError for the first that cannot be deleted."""
    removed = cached_files()
    for cached in removed:
        try:
            if cached.path.is_dir():
                shutil.rmtree(cached.path)
            else:
                cached.path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{cached.path} cannot be deleted: {error.strerror}", "check its permissions") from error
    return removed


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.is_symlink())
    except OSError:
        return []


def _recognise(path: Path) -> CachedFile | None:
    size_bytes = path.stat().st_size
    if is_leftover(path):
        return CachedFile(path, size_bytes, None)
    if path.suffix != ".gguf":
        return None
    try:
        header = read_header(path)
    except InputError:
        return None
    made_by = header.made_by or header.converted_from
    return CachedFile(path, size_bytes, made_by) if made_by else None


def _recognise_download(folder: Path) -> CachedFile | None:
    """The files of an encoder, known by the record that the set-up writes last."""
    try:
        package = json.loads((folder / DOWNLOAD_RECORD).read_bytes())["package"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return CachedFile(folder, _size_of(folder), f"downloaded by the set-up: {package}")
