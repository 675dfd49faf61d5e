"""By which name does a program know an object? Turns a chain of references into a dotted path: ``app.STORE.items``.

Keys of dictionaries are values of the user's, and stand there as ``[...]`` unless they are asked for.
"""

from __future__ import annotations

import reprlib
from collections import deque
from collections.abc import Iterable, Sequence
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_NO_STEP = (CellType, FunctionType, MethodType, ModuleType, type)  # what they hold has its name a step further
LONGEST_STEPS = 12  # of a path; what is deeper, as in a linked list, is cut


def path_of(chain: Sequence[object], root: str, *, shows_values: bool = False) -> str:
    """The path along a chain that begins with the object called `root`."""
    text, steps = root, 0
    for place in range(1, len(chain)):
        owner = chain[place - 2] if place > 1 else None
        step = _step(owner, chain[place - 1], chain[place], shows_values=shows_values)
        steps += bool(step)
        if steps > LONGEST_STEPS:
            return f"{text} ..."
        text += step
    return text


def _step(owner: object, holder: Any, held: object, *, shows_values: bool) -> str:
    if isinstance(holder, dict):
        return _key(owner, holder, held, shows_values=shows_values)
    if isinstance(holder, tuple) and isinstance(owner, FunctionType):
        return _in_function(owner, holder, held)
    if isinstance(holder, list | tuple | deque):
        place = next((place for place, one in enumerate(_copy(holder)) if one is held), None)
        return "[...]" if place is None else f"[{place}]"
    if isinstance(holder, _NO_STEP) or hasattr(type(holder), "cache_info"):
        return ""
    if (name := _local(holder, held)) or (name := attribute_of(holder, held)):
        return f".{name}"
    return "" if held is namespace_of(holder) else f".<{type(held).__name__}>"


def _key(owner: object, holder: dict[Any, Any], held: object, *, shows_values: bool) -> str:
    missing = object()
    key = next((key for key, value in _copy(dict.items(holder)) if value is held), missing)
    if _is_namespace(owner, holder):
        return "" if key is missing else f".{key}"
    if hasattr(type(owner), "cache_info"):
        return ""
    return f"[{reprlib.repr(key)}]" if shows_values and key is not missing else "[...]"


def _is_namespace(owner: object, holder: dict[Any, Any]) -> bool:
    """Whether the keys of the dictionary are names of attributes or parameters."""
    if isinstance(owner, FunctionType):
        return holder is owner.__dict__ or holder is owner.__kwdefaults__
    return isinstance(owner, type) or (owner is not None and holder is namespace_of(owner))


def namespace_of(thing: object) -> dict[str, Any] | None:
    try:
        found = object.__getattribute__(thing, "__dict__")
    except (AttributeError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def attribute_of(holder: object, held: object) -> str:
    """The attribute of an instance, in its dictionary or in a slot."""
    for name, value in _copy((namespace_of(holder) or {}).items()):
        if value is held:
            return str(name)
    for kind in type(holder).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            descriptor = kind.__dict__.get(name)
            try:
                if descriptor is not None and descriptor.__get__(holder) is held:
                    return str(name)
            except AttributeError:  # a slot that is empty
                continue
    return ""


def _in_function(function: FunctionType, holder: tuple[Any, ...], held: object) -> str:
    """What a function keeps from where it was made, or as the default of a parameter."""
    place = next((place for place, one in enumerate(holder) if one is held), 0)
    if holder is function.__closure__:
        return f".{function.__code__.co_freevars[place]}"
    if holder is function.__defaults__:
        return f".{default_names(function)[place]}"
    return ""


def default_names(function: FunctionType) -> Sequence[str]:
    """The parameters that have a default, in the order of ``__defaults__``."""
    code: CodeType = function.__code__
    return code.co_varnames[code.co_argcount - len(function.__defaults__ or ()) : code.co_argcount]


def _local(holder: object, held: object) -> str:
    """A variable of a frame, a coroutine or a generator."""
    frame: Any = holder
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        frame = getattr(holder, name, None) or frame if name in dir(type(holder)) else frame
    if not hasattr(type(frame), "f_locals"):
        return ""
    return next((str(name) for name, value in _copy(frame.f_locals.items()) if value is held), "")


def _copy(items: Iterable[Any]) -> list[Any]:
    """As it is now; another thread may be changing it."""
    try:
        return list(items)
    except RuntimeError:
        return []
