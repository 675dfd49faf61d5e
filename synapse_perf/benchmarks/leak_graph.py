"""Who refers to an object, drawn by objgraph as a graph in graphviz's language?

objgraph writes the values of objects beside their types, and the keys of dictionaries on the edges. Those are the
user's: unless they are asked for, both of its functions that write them are replaced, in this process alone.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any

from synapse_perf.benchmarks.leak_paths import attribute_of, namespace_of

DEEPEST = 6
WIDEST = 6


class GraphRefused(Exception):  # noqa: N818
    """There is no graph, for the reason that it tells."""


def referrer_graph(things: Sequence[Any], ours: Sequence[Any], *, shows_values: bool) -> str:
    """Without what is `ours`; raises ImportError without objgraph."""
    import objgraph

    if not things:
        raise GraphRefused("no container grew, so there is nothing to draw who refers to it")
    if not shows_values:
        _hide_values(objgraph)
    text = io.StringIO()
    ignored = [*map(id, ours), id(ours), id(things), id(sys._getframe())]
    objgraph.show_backrefs(things, max_depth=DEEPEST, too_many=WIDEST, extra_ignore=ignored, output=text)
    return text.getvalue()


def _hide_values(objgraph: Any) -> None:
    if not hasattr(objgraph, "_safe_repr") or not hasattr(objgraph, "_edge_label"):
        raise GraphRefused(f"objgraph {objgraph.__version__} would write values of yours into it; --show-values allows")
    objgraph._safe_repr = _told
    objgraph._edge_label = _edge


def _told(thing: Any) -> str:
    """What says which it is without saying what it holds: the name of code, the length of anything else."""
    name = getattr(thing, "__qualname__", None) or (getattr(thing, "__name__", None) if _is_module(thing) else None)
    if isinstance(name, str):
        return name
    try:
        return f"{len(thing)} entries"
    except Exception:  # whatever a foreign __len__ may raise
        return ""


def _is_module(thing: Any) -> bool:
    return type(thing).__name__ == "module"


def _edge(source: Any, target: Any, shortnames: bool = True) -> str:
    """The attribute; of other dictionaries only that it is one of their entries."""
    del shortnames
    if target is namespace_of(source):
        return ' [label="__dict__",weight=10]'
    name = attribute_of(source, target) or (_name_in_module(source, target) if isinstance(source, dict) else "")
    return f' [label="{name}",weight=2]' if name else ""


def _name_in_module(source: dict[Any, Any], target: Any) -> str:
    """The names of a module are none of the user's values."""
    if not {"__name__", "__spec__"} <= source.keys():
        return ""
    return next((str(name) for name, value in source.items() if value is target), "")
