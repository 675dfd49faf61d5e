"""Which models are on this machine, and which of them does a name mean?"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text
from synapse_perf.gguf_files.embedded import EMBEDDED_PREFIX
from synapse_perf.gguf_files.header import GgufHeader, read_header
from synapse_perf.gguf_files.places import Candidate, Source, candidates
from synapse_perf.gguf_files.tiers import Tier, tier_of

# Files beside a model that are none themselves: image encoders, adapters, importance matrices, bare vocabularies.
_OTHER_TYPES = frozenset(("mmproj", "adapter", "imatrix", "vocab"))
_OTHER_NAMES = ("mmproj", "imatrix", "ggml-vocab")

_SHOWN_CANDIDATES = 8
_SHOWN_PATH = 255  # characters; a longer one is cut in messages


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model file under the name that commands take; either its header is known, or its problem is."""

    name: str
    path: Path
    header: GgufHeader | None
    tier: Tier | None
    source: Source
    problem: str | None

    @property
    def is_sample(self) -> bool:
        """Whether this tool made it."""
        return self.header is not None and self.header.is_sample


def find_models(extra: Sequence[Path] = ()) -> list[FoundModel]:
    """All models in the places that people keep them, and in `extra` files and folders.

    Real ones come first, then this tool's samples, then those with a problem; names are unique.
    """
    looked_at = [(candidate, _look_at(candidate)) for candidate in candidates(extra)]
    found = _with_unique_names([(candidate, model) for candidate, model in looked_at if model is not None])
    return sorted(found, key=lambda model: (model.problem is not None, model.is_sample, model.name.lower()))


def resolve_model(
    name_or_path: str | Path, extra: Sequence[Path] = (), only: Callable[[FoundModel], bool] | None = None
) -> Path:
    """The file meant by a path, a name, or a unique beginning or part of a name; InputError lists what else fits.

    What is there is returned whatever it is, as long as it is no folder: `read_header` tells what is wrong with it.
    A name can be limited to the models that `only` accepts.
    """
    wanted = str(name_or_path)
    if not wanted.strip():
        raise InputError("the name of a model is empty", "give a path, or a name from `synapse-perf models list`")
    path = Path(os.path.expanduser(wanted))  # noqa: PTH111 (Path raises where there is no such user)
    mode = _mode(path)
    if mode is not None:
        return _only_model_in(path) if stat.S_ISDIR(mode) else path
    if path.is_absolute() or wanted.startswith(("./", "../")) or (os.sep in wanted and path.suffix.lower() == ".gguf"):
        raise InputError(f"{path} does not exist", "check the path, or see `synapse-perf models list`")
    models = [model for model in find_models(extra) if only is None or only(model)]
    matches = _matches(wanted.lower().removesuffix(".gguf"), models)
    if len(matches) == 1:
        return _usable(matches[0])
    if matches:
        raise InputError(f"'{wanted}' may mean {_listed(matches)}", "give more of the name, or the path")
    known = f"known here: {_listed(models)}" if models else "no model was found on this machine"
    raise InputError(f"no model is named '{wanted}'; {known}", "see `synapse-perf models list`, or give a path")


def _mode(path: Path) -> int | None:
    """What kind of file lies there; None where there is none; InputError for a path that leads nowhere."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            told = f"{path} is a link to {os.readlink(path)}, which does not exist"  # noqa: PTH115 (a Path would drop ./)
            raise InputError(told, "fetch the model again, or correct the link") from error
        return None
    except PermissionError as error:
        raise InputError(f"{path} may not be read by this user", f"check its permissions: ls -l '{path}'") from error
    except (OSError, ValueError) as error:
        name = str(path) if len(str(path)) <= _SHOWN_PATH else short_text(str(path))
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name} cannot be read: {reason[:1].lower()}{reason[1:]}", "check the path") from error


def _look_at(candidate: Candidate) -> FoundModel | None:
    """The model in a candidate file; None where it is something else that lies beside models."""
    file_name = candidate.path.name
    if file_name.lower().startswith(_OTHER_NAMES) or "mmproj" in file_name.lower():
        return None
    if candidate.problem is not None:
        return FoundModel(candidate.name, candidate.path, None, None, candidate.source, candidate.problem)
    try:
        header = read_header(candidate.path)
    except InputError as error:
        problem = error.message.removeprefix(str(candidate.path)).lstrip(": ")
        return FoundModel(candidate.name, candidate.path, None, None, candidate.source, problem)
    if not header.tensors or header.architecture == "clip" or header.metadata.get("general.type") in _OTHER_TYPES:
        return None
    source: Source = "converted" if candidate.source == "synthesised" and header.converted_from else candidate.source
    return FoundModel(candidate.name, candidate.path, header, _tier(candidate, header), source, None)


def _tier(candidate: Candidate, header: GgufHeader) -> Tier | None:
    """Queries go to models that generate, so an encoder has no tier."""
    if not header.generates:
        return None
    if candidate.source == "embedded":
        for tier in get_args(Tier):
            if candidate.name == f"{EMBEDDED_PREFIX}{tier}":
                return tier  # type: ignore[no-any-return]
    return tier_of(candidate.name, header)


def _with_unique_names(found: Sequence[tuple[Candidate, FoundModel]]) -> list[FoundModel]:
    short = Counter(model.name.lower() for _, model in found)
    long = Counter(candidate.long_name.lower() for candidate, _ in found)
    unique = []
    for candidate, model in found:
        if short[model.name.lower()] == 1:
            unique.append(model)
        elif long[candidate.long_name.lower()] == 1:
            unique.append(replace(model, name=candidate.long_name))
        else:
            unique.append(replace(model, name=str(model.path)))
    return unique


def _matches(wanted: str, models: Sequence[FoundModel]) -> list[FoundModel]:
    """Those that the name fits best: in whole, else at the beginning, else anywhere; real models before samples."""
    names = [(model.name.lower(), model) for model in models]
    for fitting in (
        [model for name, model in names if name == wanted],
        [model for name, model in names if name.startswith(wanted)],
        [model for name, model in names if wanted in name],
    ):
        sound = [model for model in fitting if model.problem is None]
        real = [model for model in sound if not model.is_sample]
        if fitting:
            return real or sound or fitting
    return []


def _usable(model: FoundModel) -> Path:
    if model.problem is not None:
        raise InputError(f"{model.name} ({model.path}): {model.problem}", "fetch it again, or name another model")
    return model.path


def _only_model_in(folder: Path) -> Path:
    models = [model for model in find_models([folder]) if model.source == "profile"]
    if len(models) == 1:
        return _usable(models[0])
    if models:
        raise InputError(f"{folder} holds several models: {_listed(models)}", "give the path of one of them")
    raise InputError(f"{folder} is a directory without a GGUF model", "give the path of a .gguf file")


def _listed(models: Sequence[FoundModel]) -> str:
    shown = ", ".join(model.name for model in models[:_SHOWN_CANDIDATES])
    more = len(models) - _SHOWN_CANDIDATES
    return f"{shown} and {more} more" if more > 0 else shown
