"""The options of leak-hunt: what is called, with what, and how models are let go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from synapse_perf.commands.options import option

CALLS = "How a function is called"
SWITCHES = "How models are switched"


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
