"""The options of leak-hunt about who holds what grows, and the line table of a function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from synapse_perf.commands.options import option

OWNERS = "Who holds what grows"


@dataclass(frozen=True, slots=True)
class OwnerOptions:
    """What is asked once something was found to grow."""

    prove: Annotated[
        str | None,
        option(
            "Clear this between the iterations, such as app.cache.STORE, and see whether the growth ends.",
            "--prove",
            OWNERS,
            metavar="SUSPECT",
        ),
    ] = None
    show_values: Annotated[
        bool, option("Tell keys and entries of owners; else only types and sizes.", "--show-values", OWNERS)
    ] = False
    svg: Annotated[
        Path | None,
        option("Draw who refers to what is kept, by objgraph: .svg (needs graphviz) or .dot.", "--svg", OWNERS),
    ] = None
    lines: Annotated[
        str | None,
        option(
            "What each line of this function adds, by memory-profiler; no async one.",
            "--lines",
            OWNERS,
            metavar="REF",
        ),
    ] = None
