"""What do the profile and the options together ask of a load? Options replace single values of the profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from synapse_perf.analyze.load_plan import LoadRequest
from synapse_perf.errors import InputError
from synapse_perf.llama.native_log import SHOWN_VARIABLE
from synapse_perf.llama.settings import KV_TYPES, LOAD_MODES

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_perf.commands.options import CommonOptions, LoadOptions
    from synapse_perf.commands.profile_load import StartOptions
    from synapse_perf.model import CacheState
    from synapse_perf.profiles import Profile

Value = TypeVar("Value")
LARGEST = 2**31 - 1  # of llama.cpp's integers; a larger one would silently become another


def load_request(
    profile: Profile,
    common: CommonOptions,
    loading: LoadOptions,
    starts: StartOptions,
) -> LoadRequest:
    """The request in full; raises InputError for a value that makes no sense."""
    settings = profile.profile_load
    flash_attn = FLASH_ATTENTION[loading.flash_attn or settings.flash_attn]
    caches: tuple[CacheState, ...] = settings.caches
    if starts.cache is not None:
        caches = CACHES[starts.cache]
    device = loading.device or settings.device
    return LoadRequest(
        load_modes=_modes(starts.load_mode) if starts.load_mode else settings.load_modes,
        caches=caches,
        gpu_layers=_numbers(loading.gpu_layers, "-ngl", -1) or settings.gpu_layers or _default_layers(device),
        contexts=_numbers(loading.context, "-c", 0) or settings.context,
        threads=_numbers(loading.threads, "-t", 1) or settings.threads or (0,),
        types_k=_kv_types(loading.cache_type_k, "-ctk") or settings.cache_type_k or ("f16",),
        types_v=_kv_types(loading.cache_type_v, "-ctv") or settings.cache_type_v or ("f16",),
        repacks=_repacks(starts.repack),
        batch=_in_c(loading.batch or settings.batch or 512, "-b"),
        ubatch=_in_c(loading.ubatch or settings.ubatch or 512, "-ub"),
        flash_attn=flash_attn,
        device=device,
        in_parallel=settings.parallel if starts.parallel is None else starts.parallel,
        python=interpreter(common.python),
        rpc_servers=tuple(starts.rpc or ()),
        env={SHOWN_VARIABLE: "1"} if common.debug else {},
    )


def interpreter(python: Path | None) -> str | None:
    """What --python names, once it is known to be there."""
    if python is None:
        return None
    import shutil

    if shutil.which(python) is None:
        raise InputError(f"--python {python}: no program that can be run", "give the path of a Python interpreter")
    return str(python)


FLASH_ATTENTION: dict[str, bool | None] = {"on": True, "off": False, "auto": None}
CACHES: dict[str, tuple[CacheState, ...]] = {"cold": ("cold",), "warm": ("warm",), "both": ("cold", "warm")}


def _default_layers(device: str) -> tuple[int, ...]:
    """All layers for a GPU that was asked for, and on a Mac; elsewhere llama-cpp-python's own default, none, stands."""
    import platform

    if device == "auto":
        return (-1,) if platform.system() == "Darwin" else (0,)
    return (0,) if device == "cpu" else (-1,)


def _split(text: str, flag: str, parse: Callable[[str], Value], expected: str) -> tuple[Value, ...]:
    try:
        values = tuple(parse(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{flag} {text}: {error or 'not understood'}", f"give {expected}") from error
    return tuple(dict.fromkeys(values))


def _in_c(number: int, flag: str) -> int:
    if number > LARGEST:
        raise InputError(f"{flag} {number}: {number} is above {LARGEST}", "give what llama.cpp can count")
    return number


def _numbers(text: str | None, flag: str, least: int) -> tuple[int, ...]:
    def parse(part: str) -> int:
        number = int(part)
        if number < least:
            raise ValueError(f"{number} is below {least}")
        if number > LARGEST:
            raise ValueError(f"{number} is above {LARGEST}")
        return number

    return _split(text, flag, parse, f"whole numbers from {least} to {LARGEST}, separated by commas") if text else ()


def _kv_types(text: str | None, flag: str) -> tuple[str, ...]:
    return _split(text, flag, _one_of(tuple(KV_TYPES)), f"some of {', '.join(KV_TYPES)}") if text else ()


def _repacks(text: str | None) -> tuple[bool, ...]:
    words = _split(text, "--repack", _one_of(("on", "off")), "on, off, or both as a list") if text else ("on",)
    return tuple(word == "on" for word in words)


def _modes(text: str) -> tuple[str, ...]:
    if text.strip() == "all":
        return LOAD_MODES
    return _split(text, "--load-mode", _one_of(LOAD_MODES), f"'all' or some of {', '.join(LOAD_MODES)}")


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def parse(part: str) -> str:
        if part not in known:
            raise ValueError(f"'{part}' is not known")
        return part

    return parse
