"""Which caches can a function of the user's reach, and how many entries has each?

Looks from the function through its closure, its module, the modules of its package, their classes and their objects:
whatever is mutable and has a length, or tells `cache_info()`. Names are told, keys and values never. Nothing of the
user's runs, apart from `__len__` of a container and `cache_info`. Standard library only.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence, MutableSet
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, TypeAlias

DEEPEST = 5
LOOKED_AT_MOST = 20_000
SMALL = 32  # entries of a dictionary that is a place for caches rather than one
_CONTAINERS = (MutableMapping, MutableSet, MutableSequence, deque)
_Named: TypeAlias = "tuple[str, Any]"


class Entries(NamedTuple):
    """Of one cache: how many there are now, and how many there may be; None where no bound can be seen."""

    held: int
    bound: int | None


def caches_of(function: Callable[..., Any], *more: _Named) -> dict[str, Any]:
    """Every cache by its name; `more` are other places to begin at."""
    module = str(getattr(function, "__module__", None) or type(function).__module__)
    search = _Search(module.partition(".")[0])
    roots = [(_name_of(function, module), function), *more, *search.modules(module)]
    owner = getattr(function, "__self__", None)
    search.look_from(roots)
    search.look_from([(f"its {type(owner).__qualname__}", owner)])  # unless a module has it under a name
    return search.found


def entries_of(thing: Any) -> Entries | None:
    """None for what is no cache, or does not tell."""
    own = thing.__dict__ if isinstance(thing, FunctionType) else {}
    has_info = not isinstance(thing, type) and ("cache_info" in own or hasattr(type(thing), "cache_info"))
    try:
        if has_info:
            info = thing.cache_info()
            return Entries(int(info.currsize), None if info.maxsize is None else int(info.maxsize))
        if isinstance(thing, _CONTAINERS) and not isinstance(thing, bytearray):
            bound = getattr(thing, "maxlen", None) or getattr(thing, "maxsize", None)
            return Entries(len(thing), bound if isinstance(bound, int) else None)
    except Exception:  # whatever a foreign __len__ may raise
        return None
    return None


class _Search:
    """Breadth first, so that each cache has its shortest name."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.found: dict[str, Any] = {}
        self._seen: set[int] = set()

    def modules(self, first: str) -> list[_Named]:
        """The loaded modules of the package, the function's own before the others."""
        loaded = [(name, module) for name, module in list(sys.modules.items()) if module and self._is_own(name)]
        return sorted(loaded, key=lambda named: (named[0] != first, named[0]))

    def look_from(self, roots: list[_Named]) -> None:
        waiting = deque((name, thing, 0) for name, thing in roots)
        while waiting and len(self._seen) < LOOKED_AT_MOST:
            name, thing, depth = waiting.popleft()
            if id(thing) in self._seen:
                continue
            self._seen.add(id(thing))
            if entries_of(thing) is not None:
                self.found.setdefault(name, thing)
            if depth < DEEPEST:
                waiting += ((inner, part, depth + 1) for inner, part in self._parts(name, thing))

    def _is_own(self, module: object) -> bool:
        return isinstance(module, str) and module.partition(".")[0] == self.package

    def _parts(self, name: str, thing: Any) -> Iterator[_Named]:
        if isinstance(thing, ModuleType):
            if self._is_own(thing.__name__):
                yield from _attributes(thing.__name__, vars(thing))
        elif isinstance(thing, type):
            if self._is_own(thing.__module__):
                yield from _attributes(f"{thing.__module__}.{thing.__qualname__}", vars(thing))
        elif isinstance(thing, dict):
            if len(thing) <= SMALL:
                yield from ((f"{name}[...]", value) for value in list(thing.values()))
        else:
            yield from _of_function(name, thing)
            if self._is_own(type(thing).__module__):
                yield from _attributes(name, getattr(thing, "__dict__", {}))
                yield from _slots(name, thing)


def _attributes(name: str, held: Any) -> Iterator[_Named]:
    for key, value in list(held.items()):
        if isinstance(key, str) and not key.startswith("__") and not isinstance(value, ModuleType):
            yield f"{name}.{key}", value


def _slots(name: str, thing: Any) -> Iterator[_Named]:
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if type(kind.__dict__.get(slot)).__name__ == "member_descriptor":
                yield f"{name}.{slot}", getattr(thing, slot, None)


def _of_function(name: str, thing: Any) -> Iterator[_Named]:
    """What a function holds: what it wraps, the variables around it, its defaults and its attributes."""
    if isinstance(thing, MethodType):
        yield name, thing.__func__
    if isinstance(thing, staticmethod | classmethod) or hasattr(type(thing), "cache_info"):
        yield name, getattr(thing, "__wrapped__", None)
    if not isinstance(thing, FunctionType):
        return
    for variable, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=False):
        try:
            yield f"variable {variable} of {name}", cell.cell_contents
        except ValueError:  # not bound yet
            continue
    defaults = (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values())
    yield from ((f"a default argument of {name}", value) for value in defaults)
    yield from ((name if key == "__wrapped__" else f"{name}.{key}", value) for key, value in vars(thing).items())


def _name_of(function: Any, module: str) -> str:
    return f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"
