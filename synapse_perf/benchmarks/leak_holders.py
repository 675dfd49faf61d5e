"""Which containers and which types grow with the calls, who holds them, and what is in them?

Containers that were there before the first reading are kept in sight, so that their lengths are one series each, and
named once the last call is done. Of values that cannot grow in place, such as bytes, the place that holds them is.
"""

from __future__ import annotations

import gc
import reprlib
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from synapse_perf.benchmarks.leak_bounds import bound_of, given_back, keeper_of, kept_by_lru_cache
from synapse_perf.benchmarks.leak_walk import Root, Walk, length_of, name_of, places, roots_of, size_of, unreached, walk
from synapse_perf.samples import Json

WALK_S = 5.0  # that one walk may take
NAMED = 12  # containers, places and types that are told
NEWEST = 4  # entries whose size is looked at
_LINK = "_lru_list_elem"  # the type that a bounded lru_cache keeps its entries in
ENTRY_OBJECTS = 2000  # that belong to an entry at most
RISING_SHARE = 0.75  # of the rounds that a container has to grow in
_NO_PART = ("module", "type", "function", "builtin_function_or_method", "method", "frame", "ABCMeta")


class Holders:
    """Looks at them before, between and after the rounds."""

    def __init__(self, first: str, named: Mapping[str, object], ignored: Sequence[object]) -> None:
        self._first = first
        self._named = named
        self._ignored = [*ignored, self]
        self.notes: list[str] = []
        self._bounded: list[tuple[dict[str, Json], Any, Any]] = []
        before = self._walk()
        self._containers = [*before[0].containers, *unreached(before[0])]
        self._places = places(*before)
        self._types = before[0].types
        self._lengths: list[list[int]] = []
        del before
        self.look()

    def look(self) -> None:
        """One reading of every length."""
        self._lengths.append([length_of(one) for one in self._containers])

    def growing(self) -> list[tuple[Any, list[int]]]:
        """The containers that grew in nearly all of the rounds and never shrank, the most bytes first."""
        columns = zip(self._containers, zip(*self._lengths, strict=True), strict=True)
        found = [(one, list(series)) for one, series in columns if series[-1] > series[0] and _is_rising(series)]
        found.sort(key=lambda pair: (pair[1][-1] - pair[1][0]) * _entry_bytes(pair[0]), reverse=True)
        return found[: 4 * NAMED]

    def named(
        self, found: Sequence[tuple[Any, list[int]]], sites: Sequence[str], *, shows_values: bool
    ) -> dict[str, list[Json]]:
        """What `growing` found with its owners, the places of values that grew, and the types of which there are more.

        `sites`: where the newest entry of each was made.
        """
        seen, roots = self._walk()
        containers = []
        for (one, series), site in zip(found, sites, strict=True):
            path, is_users = name_of(one, seen, roots, shows_values=shows_values)
            told = {
                **_about(one, seen),
                "path": path,
                "is_users": is_users,
                "series": series,
                "entry_bytes": _deep_bytes(one),
                "site": site,
            }
            if shows_values:
                told["values"] = _values(one)
            containers.append(told)
            if told.get("bound"):
                self._bounded.append((told, one, keeper_of(one, seen.parents)))
        containers.sort(key=lambda told: not told["is_users"])
        return {
            "containers": containers[:NAMED],
            "places": self._grown_places(places(seen, roots)),
            "types": self._grown_types(seen),
        }

    def empty_bounded(self) -> None:
        """Empty the containers that know their bound, one by one, and note with each what that gave back."""
        self._containers, self._ignored = [], []  # those within an entry would hold it
        for told, container, keeper in self._bounded:
            told["gives_back"] = given_back(container, keeper)

    def _walk(self) -> tuple[Walk, list[Root]]:
        roots = roots_of(self._first, self._named)
        seen = walk(roots, self._ignored, WALK_S)
        if not seen.is_whole and not self.notes:
            self.notes.append(f"not every object was looked at within {WALK_S:g} s: an owner may have no name")
        return seen, roots

    def _grown_places(self, now: Mapping[str, int]) -> list[Json]:
        grown = [(size - self._places.get(path, 0), path) for path, size in now.items()]
        ranked = sorted((one for one in grown if one[0] > 0), reverse=True)[:NAMED]
        return [{"path": path, "growth_bytes": growth} for growth, path in ranked]

    def _grown_types(self, seen: Walk) -> list[Json]:
        found = []
        for kind, (count, size) in seen.types.items():
            count_before, size_before = self._types.get(kind, (0, 0))
            if count > count_before:
                found.append((size - size_before, count - count_before, type_name(kind)))
        found.sort(reverse=True)
        return [{"type": name, "count": count, "growth_bytes": size} for size, count, name in found[:NAMED]]


def newest(container: Any, most: int = 1) -> list[Any]:
    """The entries that were put in last, as far as its kind tells."""
    kind = type(container)
    if issubclass(kind, bytearray):
        return []
    if issubclass(kind, dict):
        taken = zip(range(most), reversed(dict.values(container)), strict=False)
    elif issubclass(kind, list | deque):
        taken = zip(range(most), reversed(container), strict=False)
    else:
        taken = zip(range(most), container, strict=False)
    try:
        found = [one for _, one in taken]
    except (RuntimeError, TypeError):  # another thread changes it, or a subclass does not iterate
        return []
    if found and type(found[0]).__name__ == _LINK:
        return kept_by_lru_cache(container)[:most]
    return found


def type_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _is_rising(series: Sequence[int]) -> bool:
    steps = [later - earlier for earlier, later in pairwise(series)]
    return bool(steps) and min(steps) >= 0 and sum(step > 0 for step in steps) >= RISING_SHARE * len(steps)


def _about(container: Any, seen: Walk) -> dict[str, Json]:
    """Its kind and its length; of a cache the bound that it has."""
    kind, entries = type(container), newest(container)
    told: dict[str, Json] = {
        "type": type_name(kind),
        "length": length_of(container),
        "unit": "B" if issubclass(kind, bytearray) else "1",
        "entry_type": type_name(type(entries[0])) if entries else "",
        "can_close": bool(entries) and callable(getattr(type(entries[0]), "close", None)),
    }
    keeper = keeper_of(container, seen.parents)
    if hasattr(type(keeper), "cache_info"):
        told |= {"type": "lru_cache", "bound": None}
    if bound := bound_of(container, keeper):
        told |= {"bound": bound.most, "held": bound.held}
    return told


def _entry_bytes(container: Any) -> float:
    """What one of the newest entries holds on average, with all that only belongs to it as far as that can be told."""
    if issubclass(type(container), bytearray):
        return 1.0
    sizes = [_whole_size(one) for one in newest(container, NEWEST)]
    return sum(sizes) / len(sizes) if sizes else 0.0


def _deep_bytes(container: Any) -> float:
    """The same by pympler where it is installed, which knows slots, named tuples and the insides of many C types.

    It follows every reference, so an entry that leads to much of the program is left to the bounded walk; so is what
    pympler cannot size, such as a view of an array.
    """
    entries = [] if issubclass(type(container), bytearray) else newest(container, NEWEST)
    try:
        from pympler import asizeof
    except ImportError:
        return _entry_bytes(container)
    if not entries or any(_parts(one)[0] >= ENTRY_OBJECTS for one in entries):
        return _entry_bytes(container)
    try:
        return float(sum(asizeof.asizeof(one) for one in entries)) / len(entries)
    except Exception:  # whatever it trips over in objects of others
        return _entry_bytes(container)


def _whole_size(entry: Any) -> int:
    return _parts(entry)[1]


def _parts(entry: Any) -> tuple[int, int]:
    """How many objects belong to it, counted up to a bound, and their bytes."""
    seen, waiting, total = {id(entry)}, [entry], 0
    while waiting and len(seen) < ENTRY_OBJECTS:
        one = waiting.pop()
        total += size_of(one)
        base = getattr(one, "base", None) if hasattr(one, "nbytes") else None  # a view keeps its whole array
        for held in [*gc.get_referents(one), *([] if base is None else [base])]:
            if id(held) not in seen and type(held).__name__ not in _NO_PART:
                seen.add(id(held))
                waiting.append(held)
    return len(seen), total


def _values(container: Any) -> list[str]:
    return [reprlib.repr(one) for one in newest(container, NEWEST)]
