"""Which models has the engine registered, where are their files here, and which one answers for each tier?

backend/data/model_registry.json names files as the engine's container sees them: below /models, which is the host's
Hugging Face cache or the folder that PRAXIS_MODEL_PATH names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text
from synapse_perf.model import Json

REGISTRY = Path("backend/data/model_registry.json")
CONTAINER_MODELS = PurePosixPath("/models")
TIERS = {"fast": "fast", "balanced": "balanced", "powerful": "deep"}
OVERRIDES = ("n_gpu_layers", "ctx_size", "n_threads", "batch_size")
_AGAIN = "let the engine scan again: POST /api/models/rescan"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """One entry; `path` is None where the file is not on this machine."""

    id: str
    tier: str
    file: str  # as the registry names it
    path: Path | None
    is_enabled: bool
    billions: float
    told: str = ""  # of its file
    overrides: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registry:
    """The models in the order of the file, and what had to be told of it."""

    path: Path
    models: tuple[RegisteredModel, ...]
    warnings: tuple[str, ...] = ()


def by_tier(models: Sequence[RegisteredModel]) -> dict[str, RegisteredModel]:
    """The largest of each tier that is on this machine; of equal ones the first."""
    here = [model for model in models if model.path is not None]
    tiers = dict.fromkeys(model.tier for model in here)
    return {tier: max((one for one in here if one.tier == tier), key=lambda one: one.billions) for tier in tiers}


def read_registry(checkout: Path, models_root: Path) -> Registry:
    """An empty one with a warning where there is no file; InputError for a damaged one."""
    path = checkout / REGISTRY
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Registry(path, (), (f"{path} is missing: the engine has registered no model ({_AGAIN})",))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", "check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}", _AGAIN) from error
    entries = content.get("models") if isinstance(content, dict) else None
    if not isinstance(entries, dict):
        raise InputError(f"{path}: has no table of models", _AGAIN)
    models: list[RegisteredModel] = []
    for name, entry in entries.items():
        try:
            models.append(_model(name, entry, models_root))
        except InputError as error:
            raise InputError(f"{path}: {error.message}", error.remedy) from error
    return Registry(path, tuple(models))


def _model(name: str, entry: Json, models_root: Path) -> RegisteredModel:
    if not isinstance(entry, dict) or not isinstance(entry.get("file_path"), str):
        raise InputError(f"{short_text(name)} has no file_path", _AGAIN)
    assigned = entry.get("tier_override") or entry.get("assigned_tier")
    if assigned not in TIERS:
        raise InputError(f"{short_text(name)}: {short_text(assigned)} is no tier", f"write one of {', '.join(TIERS)}")
    overrides = {}
    for key in OVERRIDES:
        value = entry.get(key)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise InputError(f"{short_text(name)}: {key}: {short_text(value)} is not a whole number", "correct it")
        overrides[key] = value
    size = entry.get("size_params")
    path, told = _on_this_machine(entry["file_path"], models_root)
    return RegisteredModel(
        id=name,
        tier=TIERS[assigned],
        file=entry["file_path"],
        path=path,
        is_enabled=entry.get("enabled") is True,
        billions=float(size) if isinstance(size, int | float) else 0.0,
        told=f"{name}: {told}" if told else "",
        overrides=overrides,
    )


def _on_this_machine(file_path: str, models_root: Path) -> tuple[Path | None, str]:
    """The file here and what to tell of it. Of a snapshot that was fetched anew another revision is taken."""
    inside = PurePosixPath(file_path)
    if not inside.is_relative_to(CONTAINER_MODELS):
        path = Path(file_path)
        return (path, "") if path.is_file() else (None, f"{file_path} is not on this machine")
    path = models_root / inside.relative_to(CONTAINER_MODELS)
    if path.is_file():
        return path, ""
    snapshots = path.parent.parent
    others = sorted(snapshots.glob(f"*/{path.name}")) if snapshots.name == "snapshots" else []
    if others:
        return others[-1], f"its revision {path.parent.name[:12]} is not here; {others[-1].parent.name[:12]} is taken"
    return None, f"{path} is not on this machine"
