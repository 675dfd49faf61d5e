"""With which flags does the engine start llama-server, by its runtime settings and the models' own?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.engine.checkout import RUNTIME_SETTINGS
from synapse_perf.engine.registry import RegisteredModel
from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text
from synapse_perf.model import Json

# What the engine takes where its settings say nothing; the file that it ships differs in no_mmap alone.
DEFAULTS: Mapping[str, int | bool] = {
    "n_gpu_layers": 99,
    "ctx_size": 32768,
    "threads": 8,
    "batch_size": 512,
    "ubatch_size": 256,
    "flash_attn": True,
    "no_mmap": True,
}
# What its script for Metal starts llama-server with, whatever these settings say.
ON_METAL: Mapping[str, int | bool] = {"threads": 8, "ubatch_size": 256, "flash_attn": True, "no_mmap": True}
_OF_A_MODEL = {
    "n_gpu_layers": "n_gpu_layers",
    "ctx_size": "ctx_size",
    "n_threads": "threads",
    "batch_size": "batch_size",
}


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """What llama-server is started with."""

    gpu_layers: int
    context: int
    threads: int
    batch: int
    ubatch: int
    flash_attn: bool
    is_mapped: bool
    warnings: tuple[str, ...] = ()


def runtime_settings(
    runtime: Mapping[str, Json], models: Iterable[RegisteredModel], *, on_metal: bool
) -> RuntimeSettings:
    """InputError for a value of another type. What the engine's script for Metal does not heed is told."""
    values = {name: _checked(name, runtime.get(name), default) for name, default in DEFAULTS.items()}
    told: list[str] = []
    for name, fixed in (ON_METAL if on_metal else {}).items():
        if name in runtime and values[name] != fixed and name != "no_mmap":
            said = str(values[name]).lower()
            told.append(f"{name}: {RUNTIME_SETTINGS} says {said}; the engine's script for Metal has {fixed}")
        values[name] = fixed
    chosen = list(models)
    for own, name in _OF_A_MODEL.items():
        values[name], warning = _common(name, own, values[name], chosen)
        told += warning
    return RuntimeSettings(
        gpu_layers=values["n_gpu_layers"],
        context=values["ctx_size"],
        threads=values["threads"],
        batch=values["batch_size"],
        ubatch=values["ubatch_size"],
        flash_attn=bool(values["flash_attn"]),
        is_mapped=not values["no_mmap"],
        warnings=tuple(told),
    )


def _checked(name: str, value: Json, default: int | bool) -> int:
    if value is None:
        return default
    if isinstance(value, bool) != isinstance(default, bool) or not isinstance(value, int):
        kind = "true or false" if isinstance(default, bool) else "a whole number"
        raise InputError(f"{RUNTIME_SETTINGS}: {name}: {short_text(value)} is not {kind}", "correct it")
    return value


def _common(name: str, own: str, value: int, models: Sequence[RegisteredModel]) -> tuple[int, list[str]]:
    """The models' own value where all of them have the same: a run has one for all of its models."""
    found = {model.overrides.get(own, value) for model in models}
    if len(found) == 1:
        return found.pop(), []
    apart = ", ".join(f"{model.id} {model.overrides[own]}" for model in models if own in model.overrides)
    return value, [f"{name}: {apart} of their own, measured with {value} as the others"] if apart else []
