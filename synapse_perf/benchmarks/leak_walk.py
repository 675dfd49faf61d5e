"""What can a program reach, from its modules on, and who holds it? A walk over all references, a step at a time.

It goes forward from the modules, so that each object comes with the shortest path by which the program knows it, and
so that it also meets what the garbage collector does not track: texts, bytes, arrays, dictionaries of such.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from synapse_perf.benchmarks.leak_paths import path_of

LOOK_EVERY = 4096  # objects between two looks at the clock
LARGE_BYTES = 16_384  # that a place holds: smaller ones are not told
DEEPEST = 8  # references to such a place
OWN_PACKAGE = "synapse_perf"
_CONTAINERS = (dict, list, set, deque, bytearray)
_ATOMS = (int, float, complex, bool, str, bytes, type(None), range, slice)
_OWN_CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib costs time
LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120


class Root(NamedTuple):
    """Where a walk begins."""

    name: str
    thing: object
    is_users: bool  # neither Python's own nor this tool's


class Walk(NamedTuple):
    """What was seen."""

    parents: dict[int, Any]  # who held it when it was first seen, by the object's id; None for a root
    sizes: dict[int, int]  # bytes of each object itself, by its id
    containers: list[Any]
    large: list[Any]  # values of many bytes
    types: dict[type, list[int]]  # how many there are, and their bytes
    is_whole: bool


def roots_of(first: str, named: Mapping[str, object]) -> list[Root]:
    """The modules, `first` before the others and Python's own last; then what was `named`, and the threads' frames."""
    modules = [(name, one) for name, one in sorted(sys.modules.items()) if _is_walked(name, one)]
    found = [Root(name, one, not is_library(one)) for name, one in modules]
    found.sort(key=lambda root: (root.name != first, not root.is_users))
    found += [Root(name, thing, is_users=True) for name, thing in named.items()]
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = {threading.get_ident(), *(one.ident for one in threading.enumerate() if _is_own(one))}
    frames = {ident: frame for ident, frame in sys._current_frames().items() if ident not in own}
    found += [Root(f"thread {names.get(ident, ident)}", frame, is_users=True) for ident, frame in frames.items()]
    return found


def _is_walked(name: str, module: object) -> bool:
    is_own = name.partition(".")[0] == OWN_PACKAGE or (getattr(module, "__file__", None) or "").startswith(_OWN_CODE)
    return isinstance(module, ModuleType) and not is_own and name not in ("tracemalloc", "_tracemalloc")


def _is_own(thread: threading.Thread) -> bool:
    """A thread of the worker's."""
    return getattr(getattr(thread, "_target", None), "__module__", "").partition(".")[0] == OWN_PACKAGE


def is_library(module: object) -> bool:
    """Whether it comes with Python."""
    file = getattr(module, "__file__", None)
    if not file:
        return True
    return file.startswith(LIBRARY + os.sep) and f"-packages{os.sep}" not in file


def walk(roots: Sequence[Root], ignored: Sequence[object], budget_s: float) -> Walk:
    """Everything from the roots on but what is `ignored`, as far as the time goes."""
    parents: dict[int, Any] = dict.fromkeys(map(id, (*ignored, *_own_things())))
    parents.update(dict.fromkeys(id(root.thing) for root in roots))
    seen = Walk(parents, {}, [], [], {}, is_whole=True)
    waiting: deque[Any] = deque(root.thing for root in roots)
    deadline_ns = time.perf_counter_ns() + int(budget_s * 1e9)
    with _without_collector():
        count = 0
        while waiting:
            count += 1
            if count % LOOK_EVERY == 0 and time.perf_counter_ns() > deadline_ns:
                return seen._replace(is_whole=False)
            _look_at(waiting.popleft(), seen, waiting)
    return seen


def _look_at(holder: Any, seen: Walk, waiting: deque[Any]) -> None:
    parents, sizes, types = seen.parents, seen.sizes, seen.types
    for held in gc.get_referents(holder):
        key = id(held)
        if key in parents:
            continue
        parents[key] = holder
        kind = type(held)
        sizes[key] = size = size_of(held)
        counted = types.get(kind)
        if counted is None:
            counted = types[kind] = [0, 0]
        counted[0] += 1
        counted[1] += size
        if issubclass(kind, _CONTAINERS):
            seen.containers.append(held)
        if size >= LARGE_BYTES:
            seen.large.append(held)
        if not issubclass(kind, _ATOMS):
            waiting.append(held)


def _own_things() -> Iterator[object]:
    """This tool's modules and their dictionaries."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and not _is_walked(name, module):
            yield module
            yield module.__dict__


def size_of(thing: object) -> int:
    try:
        return sys.getsizeof(thing)
    except Exception:  # whatever a foreign __sizeof__ may raise
        return 0


def unreached(seen: Walk) -> list[Any]:
    """Containers that no path leads to: held by compiled code, or by a frame that is running."""
    known = {*seen.parents, *map(id, (*seen, *seen.types.values()))}
    return [one for one in gc.get_objects() if issubclass(type(one), _CONTAINERS) and id(one) not in known]


def length_of(container: Any) -> int:
    """How many entries, by the type's own count and not by what a subclass makes of it."""
    for kind in _CONTAINERS:
        if issubclass(type(container), kind):
            return int(kind.__len__(container))
    return 0


def places(seen: Walk, roots: Sequence[Root]) -> dict[str, int]:
    """By path of the user's the bytes that are first reached through it: so growth is found that has no length."""
    inside, holders = dict(seen.sizes), {id(one): one for one in seen.large}
    for known in reversed(seen.sizes):  # those that were found last are the furthest
        holder = seen.parents[known]
        if id(holder) in inside:
            inside[id(holder)] += inside[known]
            holders[id(holder)] = holder
    found: dict[str, int] = {}
    for holder in holders.values():
        if inside[id(holder)] >= LARGE_BYTES and len(chain := chain_to(holder, seen)) <= DEEPEST:
            path, is_users = _named(chain, roots, shows_values=False)
            if is_users and "[" not in path:
                found[path] = max(inside[id(holder)], found.get(path, 0))
    return found


def chain_to(thing: object, seen: Walk) -> list[Any]:
    """From the root to it; only itself where no path leads to it."""
    chain = [thing]
    while (holder := seen.parents.get(id(chain[-1]))) is not None:
        chain.append(holder)
    return chain[::-1]


def name_of(thing: object, seen: Walk, roots: Sequence[Root], *, shows_values: bool = False) -> tuple[str, bool]:
    """Its path, empty where none leads to it, and whether that begins in code of the user's."""
    return _named(chain_to(thing, seen), roots, shows_values=shows_values)


def _named(chain: Sequence[Any], roots: Sequence[Root], *, shows_values: bool) -> tuple[str, bool]:
    root = next((one for one in roots if one.thing is chain[0]), None)
    if root is None:
        return "", False
    return path_of(chain, root.name, shows_values=shows_values), root.is_users


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """The walk makes many objects and no garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
