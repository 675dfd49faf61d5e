"""Are two answers of foreign code the same? A digest of the texts, ids and numbers in an answer of any kind.

Fractions are left out: scores may differ in the last digit with the order of a sum, and times always do. Standard
library only, as it runs in the user's own environment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

DEEPEST = 20  # levels; an answer that holds itself ends there
MOST_PARTS = 100_000  # an answer that holds itself twice has no end to speak of
EXACT = (str, bytes, int)
ADDRESS = " at 0x"  # in the words of an object that says nothing about itself


class Incomparable(Exception):  # noqa: N818 - it says what the answer is
    """An answer holds an object that tells no more than its address."""


def digest_of(answer: object) -> bytes | None:
    """The same for answers with the same content; None for one that cannot be compared."""
    digest = hashlib.blake2b(digest_size=16)
    told_at_all = False
    try:
        for count, part in enumerate(_parts(answer, DEEPEST)):
            if count == MOST_PARTS:
                return None
            told_at_all |= isinstance(part, EXACT)
            digest.update(repr(part).encode("utf-8", "surrogatepass") + b"\0")
    except Exception:  # Incomparable, or whatever a foreign __repr__ or __iter__ may raise
        return None
    return digest.digest() if told_at_all or _is_empty(answer) else None


def _parts(value: Any, levels: int) -> Iterator[object]:
    """What an answer consists of, in order; a container tells its kind and length first."""
    kind = type(value).__name__
    if value is None or isinstance(value, EXACT):
        yield value
    elif isinstance(value, (float, complex)) or _is_array_of_fractions(value):
        yield (kind,)
    elif not levels:
        yield (kind, "deeper")
    elif hasattr(value, "tolist"):  # of NumPy and others
        yield from _parts(value.tolist(), levels - 1)
    else:
        yield from _parts_of_container(value, kind, levels - 1)


def _parts_of_container(value: Any, kind: str, levels: int) -> Iterator[object]:
    if isinstance(value, (list, tuple)):
        yield (kind, len(value))
        for one in value:
            yield from _parts(one, levels)
    elif isinstance(value, Mapping):
        yield (kind, len(value))
        for key, one in value.items():
            yield from _parts(key, levels)
            yield from _parts(one, levels)
    elif isinstance(value, (set, frozenset)):
        yield from (kind, *sorted(map(repr, value)))
    elif fields := _fields(value):
        yield (kind, len(fields))
        for name, one in fields.items():
            yield (name,)
            yield from _parts(one, levels)
    elif ADDRESS in (told := repr(value)):
        raise Incomparable
    else:
        yield told


def _fields(value: Any) -> dict[str, Any]:
    """The attributes of an object, of its slots as well."""
    slots = (name for kind in type(value).__mro__ for name in _names(getattr(kind, "__slots__", ())))
    found = {name: getattr(value, name) for name in slots if hasattr(value, name) and not name.startswith("__")}
    return {**found, **getattr(value, "__dict__", {})}


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _is_array_of_fractions(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") in ("f", "c")


def _is_empty(answer: Any) -> bool:
    try:
        return len(answer) == 0
    except Exception:  # whatever a foreign __len__ may raise, or its absence
        return False
