"""Does every option of a leak hunt have a part in it? One that would say nothing is refused before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from synapse_perf.commands.leak_options import CacheOptions, CallOptions, SwitchOptions
from synapse_perf.commands.options import CommonOptions, LoadOptions
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.commands.leak_hunts import Asked

MODEL_SWITCH, SERVERS = "model-switch", "servers"
# Of the options that measuring commands share, those that a hunt cannot heed, with the reason and what to do.
NO_PART = {
    "flamegraph": (
        "a hunt looks at what is kept, not at where the time goes",
        "leave it out; who holds what grows is told without it",
    ),
    "trials": ("how many processes a hunt needs follows from what grows", "leave it out; --max-time bounds a hunt"),
    "seed": ("nothing in a hunt is drawn", "leave it out"),
    "confidence": ("the error rates of the verdict were measured with its own", "leave it out"),
    "target": ("no target is judged on growth: a leak fails by itself", "leave it out"),
}


def check_used(what: Sequence[str], asked: Asked) -> None:
    """InputError for the first option that would be ignored; `what` is what is hunted, empty for the default."""
    for name, (reason, remedy) in NO_PART.items():
        if _is_given(asked.common, CommonOptions(), name):
            raise InputError(f"--{name}: {reason}", remedy)
    is_default = not what and not asked.caching.cache and not asked.outside.is_asked
    if is_default or {MODEL_SWITCH, SERVERS} & {*what}:
        loaded: Sequence[str] = ()
    else:
        loaded = tuple(_given(asked.loading, LoadOptions()))
    _refuse(loaded, "no model is loaded", f"add {MODEL_SWITCH} to what is hunted, or leave it out")
    if not is_default and MODEL_SWITCH not in what:
        given = tuple(_given(asked.switching, SwitchOptions()))
        _refuse(given, "no models are switched", f"add {MODEL_SWITCH} to what is hunted, or leave it out")
    if not asked.caching.cache:
        given = tuple(_given(asked.caching, CacheOptions()))
        _refuse(given, "no cache is hunted", "name the function with --cache, or leave it out")
    if not asked.caching.cache and not {*what} - {MODEL_SWITCH, SERVERS}:
        given = tuple(_given(asked.calling, CallOptions()))
        _refuse(given, "no function is called", "name one as pkg.module:function, or leave it out")


def _refuse(given: Sequence[str], reason: str, remedy: str) -> None:
    if given:
        raise InputError(f"--{given[0].replace('_', '-')}: {reason}", remedy)


def _given(options: object, otherwise: object) -> Iterator[str]:
    """The names of the options that differ from their defaults."""
    return (one.name for one in fields(options) if _is_given(options, otherwise, one.name))  # type: ignore[arg-type]


def _is_given(options: object, otherwise: object, name: str) -> bool:
    return bool(getattr(options, name) != getattr(otherwise, name))
