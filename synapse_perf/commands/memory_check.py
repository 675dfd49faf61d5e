"""Which models cannot work here for lack of memory, and which will work badly? Told before anything is measured.

Only what is certain is refused, from the header and the size of the files: compute buffers come on top and are not
known before a load. Where a GPU may take a part of the model, main memory decides nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synapse_perf.analyze.load_plan import LoadRequest, ModelUnderTest, variants
from synapse_perf.commands.model_choice import none_left
from synapse_perf.errors import InputError
from synapse_perf.model import Failure
from synapse_perf.units import format_bytes

if TYPE_CHECKING:
    from synapse_perf.commands.model_choice import Choice
    from synapse_perf.gguf_files.header import GgufHeader
    from synapse_perf.host.free_memory import MainMemory
    from synapse_perf.llama.kv_shape import KvShape
    from synapse_perf.llama.settings import LoadSettings

NEEDS_COPY = ("read", "mlock", "direct")  # these hold the weights in memory that cannot be dropped


@dataclass(frozen=True, slots=True)
class MemoryCheck:
    """The models that are left with what is asked of them, and what will slow them down."""

    choice: Choice
    request: LoadRequest
    warnings: tuple[str, ...] = ()


def check_memory(choice: Choice, request: LoadRequest, memory: MainMemory | None = None) -> MemoryCheck:
    """Take out what cannot work; raises InputError when no model is left. `memory` is the machine's unless given."""
    if memory is None:
        from synapse_perf.host.free_memory import main_memory

        memory = main_memory()
    models, unusable, warnings = [], list(choice.unusable), []
    for model in choice.models:
        try:
            warnings += _check_model(model, choice.headers[model.label], request, memory)
        except InputError as error:
            unusable.append(Failure("error", error.message, error.remedy, labels={"model": model.label}))
            continue
        models.append(model)
    if not models:
        raise none_left(unusable)
    left = replace(choice, models=tuple(models), unusable=tuple(unusable))
    if request.in_parallel and not may_offload(request):
        request, told = _without_parallel(left, request, memory)
        warnings += told
    return MemoryCheck(left, request, tuple(warnings))


def may_offload(request: LoadRequest, has_gpu: Callable[[], bool] | None = None) -> bool:
    """Whether some start may put a part of the model into the memory of a GPU; Apple Silicon has one memory for all."""
    if request.rpc_servers:
        return True
    if platform.system() == "Darwin" or request.device == "cpu" or not any(request.gpu_layers):
        return False
    return (has_gpu or _has_gpu)()


def _has_gpu() -> bool:
    from synapse_perf.host.gpu import gpu_names

    return bool(gpu_names())


def _check_model(model: ModelUnderTest, header: GgufHeader, request: LoadRequest, memory: MainMemory) -> list[str]:
    """What will slow the model down; raises InputError for what cannot work, in the first variant that cannot."""
    from synapse_perf.llama.kv_shape import kv_shape

    shape = kv_shape(header)
    warnings: dict[str, None] = {}
    is_away = may_offload(request)
    for _, _, settings in variants(model, request):
        cache_bytes = _cache_bytes(model, shape, settings)
        if is_away:
            continue
        if settings.load_mode in NEEDS_COPY:
            _check_copied(model, settings, cache_bytes, memory)
        else:
            _check_mapped(model, memory)
        if cache_bytes > memory.available_bytes:
            raise _context_too_large(model, shape, settings, cache_bytes, memory)
        if model.size_bytes + cache_bytes > memory.available_bytes:
            parts = f"{format_bytes(model.size_bytes)} of weights and {format_bytes(cache_bytes)} of KV cache"
            told = f"{model.label}: {parts} are more than the {format_bytes(memory.available_bytes)} available"
            warnings[f"{told}: the file's pages will be dropped and read again, which is slow"] = None
    return list(warnings)


def _cache_bytes(model: ModelUnderTest, shape: KvShape | None, settings: LoadSettings) -> int:
    """The KV cache of one variant, 0 where the header does not tell; InputError for a type that llama.cpp refuses."""
    from synapse_perf.llama.memory_fit import BLOCKS, KvOptions, kv_cache_bytes

    if settings.flash_attn is False and BLOCKS[settings.type_v][0] > 1:
        raise InputError(
            f"{model.label}: a V cache of type {settings.type_v} needs flash attention, which is off",
            "add -fa on, or leave -ctv at f16",
        )
    if shape is None:
        return 0
    options = KvOptions(settings.type_k, settings.type_v, n_ubatch=settings.n_ubatch)
    try:
        return kv_cache_bytes(shape, settings.n_ctx or model.n_ctx_train or 0, options)
    except InputError as error:
        raise InputError(f"{model.label}: {error.message}", error.remedy) from error


def _check_copied(model: ModelUnderTest, settings: LoadSettings, cache_bytes: int, memory: MainMemory) -> None:
    need = model.size_bytes + cache_bytes
    if need > memory.available_bytes:
        raise InputError(
            f"{model.label}: loading with {settings.load_mode} needs {format_bytes(need)} of memory "
            f"(weights and KV cache), {format_bytes(memory.available_bytes)} are available",
            "take --load-mode mmap, a smaller model or context, or close other programs",
        )


def _check_mapped(model: ModelUnderTest, memory: MainMemory) -> None:
    if memory.total_bytes is not None and model.size_bytes > memory.total_bytes:
        raise InputError(
            f"{model.label}: its {format_bytes(model.size_bytes)} are more than the whole memory here, "
            f"{format_bytes(memory.total_bytes)}",
            "take a smaller model or quantisation",
        )


def _context_too_large(
    model: ModelUnderTest, shape: KvShape | None, settings: LoadSettings, cache_bytes: int, memory: MainMemory
) -> InputError:
    from synapse_perf.llama.memory_fit import KvOptions, largest_context

    n_ctx = settings.n_ctx or model.n_ctx_train
    options = KvOptions(settings.type_k, settings.type_v, n_ubatch=settings.n_ubatch)
    largest = None
    if shape is not None:
        nothing_measured = [(n_ctx or 1, 0)]
        largest = largest_context(
            shape, memory.available_bytes, model.size_bytes, nothing_measured, options, model.n_ctx_train
        )
    return InputError(
        f"{model.label}: the KV cache of a context of {n_ctx} takes {format_bytes(cache_bytes)} alone, "
        f"{format_bytes(memory.available_bytes)} of memory are available",
        f"choose a context of {largest.n_ctx} or less (-c)" if largest else "choose a smaller model",
    )


def _without_parallel(choice: Choice, request: LoadRequest, memory: MainMemory) -> tuple[LoadRequest, list[str]]:
    """All models at once only where they fit at once."""
    from synapse_perf.llama.kv_shape import kv_shape

    need = sum(
        model.size_bytes + _cache_bytes(model, kv_shape(choice.headers[model.label]), variants(model, request)[0][2])
        for model in choice.models
    )
    if need <= memory.available_bytes:
        return request, []
    told = (
        f"the models are not loaded at once: together they need {format_bytes(need)}, "
        f"{format_bytes(memory.available_bytes)} are available"
    )
    return replace(request, in_parallel=False), [told]
