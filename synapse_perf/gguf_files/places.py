"""Where do people's programs keep GGUF files, and under which names?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from synapse_perf.gguf_files.cache import models_directory
from synapse_perf.gguf_files.embedded import EMBEDDED_PREFIX, EMBEDDED_SHAPES, embedded_path
from synapse_perf.gguf_files.splits import split_name

Source = Literal["huggingface", "lm-studio", "ollama", "llama.cpp", "profile", "embedded", "synthesised", "converted"]

_OLLAMA_MODEL = "application/vnd.ollama.image.model"
_OLLAMA_REGISTRY = ("registry.ollama.ai", "library")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be a model; `long_name` tells files of the same name apart."""

    path: Path
    name: str
    long_name: str
    source: Source
    problem: str | None = None


def candidates(extra: Sequence[Path]) -> Iterator[Candidate]:
    """Every file that may be a model, once for each name; of a split model its first part that is there."""
    seen: set[tuple[int, int]] = set()
    streams = (_named(extra), _huggingface(), _lm_studio(), _llama_cpp(), _own())
    for candidate in (each for stream in streams for each in stream):
        identity = _identity(candidate.path)
        if identity is None or identity not in seen:
            yield candidate
        if identity is not None:
            seen.add(identity)
    # A blob that several tags share is one file with several names, and people know it by each.
    yield from _ollama()


def _named(paths: Sequence[Path]) -> Iterator[Candidate]:
    for path in paths:
        if path.is_dir():
            yield from _in_folder(path, "profile")
        else:
            yield Candidate(path, model_name(path), str(path), "profile")


def _huggingface() -> Iterator[Candidate]:
    for repository in _entries(huggingface_cache()):
        if repository.name.startswith("models--"):
            owner = repository.name.removeprefix("models--").replace("--", "/")
            for path in _gguf_files(repository / "snapshots"):
                yield Candidate(path, model_name(path), f"{owner}/{model_name(path)}", "huggingface")


def huggingface_cache() -> Path:
    """Where the user's Hugging Face programs keep what they fetched."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else _user_cache() / "huggingface") / "hub"


def _user_cache() -> Path:
    chosen = os.environ.get("XDG_CACHE_HOME")
    return Path(chosen) if chosen else Path.home() / ".cache"


def _lm_studio() -> Iterator[Candidate]:
    for home in (Path.home() / ".lmstudio", Path.home() / ".cache" / "lm-studio"):
        for folder in (home / "models", _moved_by_settings(home)):
            if folder is not None:
                yield from _in_folder(folder, "lm-studio")


def _moved_by_settings(home: Path) -> Path | None:
    """The folder that people chose for their models in LM Studio."""
    try:
        chosen = json.loads((home / "settings.json").read_bytes())["downloadsFolder"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(chosen) if isinstance(chosen, str) and chosen else None


def _llama_cpp() -> Iterator[Candidate]:
    """What llama.cpp's own -hf option has downloaded."""
    chosen = os.environ.get("LLAMA_CACHE")
    folders = [Path(chosen)] if chosen else [_user_cache() / "llama.cpp", Path.home() / "Library/Caches/llama.cpp"]
    for folder in folders:
        yield from _in_folder(folder, "llama.cpp")


def _own() -> Iterator[Candidate]:
    current = {embedded_path(tier): f"{EMBEDDED_PREFIX}{tier}" for tier in EMBEDDED_SHAPES}
    for path in _gguf_files(models_directory()):
        if path in current:
            yield Candidate(path, current[path], str(path), "embedded")
        elif not path.name.startswith(EMBEDDED_PREFIX):
            yield Candidate(path, model_name(path), str(path), "synthesised")


def _ollama() -> Iterator[Candidate]:
    chosen = os.environ.get("OLLAMA_MODELS")
    service = Path("/usr/share/ollama/.ollama/models")  # of the Linux package, which runs under a user of its own
    for root in [Path(chosen).expanduser()] if chosen else [Path.home() / ".ollama" / "models", service]:
        manifests = root / "manifests"
        for manifest in _files(manifests):
            found = _from_manifest(root, manifest, manifest.relative_to(manifests).parts)
            if found is not None:
                yield found


def _from_manifest(root: Path, manifest: Path, parts: tuple[str, ...]) -> Candidate | None:
    """The model of one manifest, which lies under registry/namespace/model/tag; None where it names none."""
    if len(parts) < 4 or manifest.name.startswith("."):
        return None
    owner = parts[:-2]
    shown = parts[-2] if owner == _OLLAMA_REGISTRY else "/".join((*owner[owner[0] == _OLLAMA_REGISTRY[0] :], parts[-2]))
    name = f"{shown}:{parts[-1]}"
    try:
        layers = json.loads(manifest.read_bytes())["layers"]
        digests = [str(layer["digest"]) for layer in layers if layer["mediaType"] == _OLLAMA_MODEL]
    except OSError as error:
        return Candidate(manifest, name, name, "ollama", f"its manifest cannot be read: {error.strerror}")
    except (ValueError, KeyError, TypeError):
        return Candidate(manifest, name, name, "ollama", "its manifest is damaged")
    if not digests:
        return None
    return Candidate(root / "blobs" / digests[0].replace(":", "-"), name, name, "ollama")


def model_name(path: Path) -> str:
    """The file's name without its ending and without the number of its part."""
    split = split_name(path.name)
    return split[0] if split else path.name.removesuffix(".gguf")


def _in_folder(folder: Path, source: Source) -> Iterator[Candidate]:
    for path in _gguf_files(folder):
        name = model_name(path)
        yield Candidate(path, name, (path.parent.relative_to(folder) / name).as_posix(), source)


def _gguf_files(folder: Path) -> Iterator[Path]:
    """GGUF files below a folder, in order; of a split model only the first part that is there."""
    splits: set[tuple[Path, str, int]] = set()
    for path in _files(folder):
        if path.suffix.lower() != ".gguf":
            continue
        split = split_name(path.name)
        if split is not None:
            group = (path.parent, split[0], split[2])
            if group in splits:
                continue
            splits.add(group)
        yield path


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order, through linked folders too; what may not be read is passed over."""
    visited: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        identity = _identity(Path(place))
        if identity is None or identity in visited:
            folders.clear()
            continue
        visited.add(identity)
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
