"""Is it this that holds what grows? Clears what was named after each call, to see whether the growth ends.

A suspect is named as the report names owners: ``app.cache.STORE``, ``app.Store.items``, ``app.lookup`` for a function
with a cache, ``app.add.seen`` for what a function keeps from where it was made or as a parameter's default.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from synapse_perf.benchmarks.context import BenchmarkFailed
from synapse_perf.benchmarks.leak_loop import Step
from synapse_perf.benchmarks.leak_paths import default_names
from synapse_perf.samples import Fact, Json

_EXAMPLE = "write it as the report names an owner, such as app.cache.STORE or app.Store.items"


def with_suspect(workload: Mapping[str, Json], step: Step) -> Step:
    """The same step, that finds the suspect after the first call and clears it after each one if `clear` is set."""
    path: str = workload["suspect"]

    def stepped(number: int) -> dict[str, Fact] | None:
        facts = step(number)
        if number == 1 or workload.get("clear"):
            clear = clearing(path)
            if workload.get("clear"):
                clear()
        return facts

    return stepped


def clearing(path: str) -> Callable[[], object]:
    """How the suspect is emptied now; BenchmarkFailed where there is no such thing, or nothing that can be emptied."""
    parts = path.replace(":", ".").split(".")
    holder, rest = _imported(parts, path)
    if not rest:
        raise BenchmarkFailed("error", f"--prove {path}: a module cannot be cleared", _EXAMPLE)
    for name in rest[:-1]:
        holder = _attribute(holder, name, path)
    return _way_to_clear(holder, rest[-1], _attribute(holder, rest[-1], path), path)


def _imported(parts: list[str], path: str) -> tuple[Any, list[str]]:
    """The innermost module that the path names, and the attributes that follow."""
    found: ModuleType | None = None
    for count in range(1, len(parts) + 1):
        if found is not None and hasattr(found, parts[count - 1]):
            return found, parts[count - 1 :]
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ImportError as error:
            if found is None:
                told = f"--prove {path}: finds no module {parts[0]}"
                raise BenchmarkFailed("error", told, _EXAMPLE) from error
            return found, parts[count - 1 :]
    return found, []


def _attribute(holder: Any, name: str, path: str) -> Any:
    if isinstance(holder, FunctionType) and not hasattr(holder, name):
        cells = dict(zip(holder.__code__.co_freevars, holder.__closure__ or (), strict=True))
        if name in cells:
            return cells[name].cell_contents
        defaults = dict(zip(default_names(holder), holder.__defaults__ or (), strict=True))
        if name in (defaults := {**defaults, **(holder.__kwdefaults__ or {})}):
            return defaults[name]
    try:
        return getattr(holder, name)
    except AttributeError as error:
        where = getattr(holder, "__name__", type(holder).__name__)
        raise BenchmarkFailed("error", f"--prove {path}: {where} has no {name}", _EXAMPLE) from error


def _way_to_clear(holder: Any, name: str, thing: Any, path: str) -> Callable[[], object]:
    for method in ("cache_clear", "clear"):
        found = getattr(thing, method, None)
        if callable(found):
            way: Callable[[], object] = found
            return way
    if isinstance(thing, bytes | str | tuple | frozenset) and not isinstance(holder, FunctionType):
        return lambda: setattr(holder, name, type(thing)())
    if hasattr(thing, "nbytes") and hasattr(thing, "copy"):  # an array
        return lambda: setattr(holder, name, thing[:0].copy())
    told = f"--prove {path}: an object of type {type(thing).__name__} cannot be cleared"
    raise BenchmarkFailed("error", told, "name a container, a function with a cache, or bytes, text or an array")
