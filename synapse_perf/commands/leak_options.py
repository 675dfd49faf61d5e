"""The options of leak-hunt: what is called, with what, and how models are let go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from synapse_perf.commands.options import option

CALLS = "How a function is called"
SWITCHES = "How models are switched"
CACHES = "Which keys a cache is asked for"


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What goes with pkg.module:function."""

    setup: Annotated[
        str | None,
        option("Called before the first call; what it gives is the first argument.", "--setup", CALLS, metavar="REF"),
    ] = None
    teardown: Annotated[
        str | None, option("Called after the last call, as with --setup.", "--teardown", CALLS, metavar="REF")
    ] = None
    arg: Annotated[
        list[str],
        option("An argument: JSON, or else text; NAME=VALUE by name. Repeatable.", "--arg", CALLS, metavar="VALUE"),
    ] = field(default_factory=list)
    calls: Annotated[
        int | None, option("Calls between two readings (one, more for short calls).", "--calls", CALLS, min=1)
    ] = None


@dataclass(frozen=True, slots=True)
class SwitchOptions:
    """What goes with model-switch."""

    release: Annotated[
        str | None,
        option(
            "How a model is let go: close, del, cycle (inside a reference cycle). A list.",
            "--release",
            SWITCHES,
            metavar="HOW",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """What is asked for new keys and for known ones, to tell a cache without a bound."""

    cache: Annotated[
        list[str],
        option("A function of a key: does it keep each one for ever? Repeatable.", "--cache", CACHES, metavar="REF"),
    ] = field(default_factory=list)
    keys: Annotated[
        str | None,
        option("A log of keys, one a line, or TIME<TAB>KEY. Default: made keys.", "--keys", CACHES, metavar="FILE"),
    ] = None
    key_type: Annotated[Literal["str", "int"], option("What a key is.", "--key-type", CACHES)] = "str"
    rate: Annotated[
        float | None,
        option("Keys asked for per second, for the growth of a day.", "--rate", CACHES, min=0.000001, metavar="NUMBER"),
    ] = None
