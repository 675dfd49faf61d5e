"""Which containers know a bound, and what does emptying one give back?

A `functools.lru_cache` with its `maxsize`, a deque with its `maxlen`, and what a cache like those of cachetools, which
tells `maxsize` and `currsize`, keeps its entries in. To empty one is the last that a process does: the user's own
methods are passed over, since they may end more than a cache.
"""

from __future__ import annotations

import functools
import gc
import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from synapse_perf.benchmarks.leak_paths import namespace_of
from synapse_perf.host.leak_probes import own_probes, settle

_KINDS = (OrderedDict, dict, list, set, deque)  # whose own way to be emptied is called, a subclass's is not
_TOLD = ("maxsize", "currsize")  # by its class or its attributes, so that nothing is made up on the way
_LRU_CACHE = type(functools.cache(len))


class Bound(NamedTuple):
    """How much a container may hold, and how much of it there is: entries, or whatever its sizes are counted in."""

    most: float
    held: float


def keeper_of(container: Any, parents: Mapping[int, Any]) -> Any:
    """The object whose part a container is: through the dictionary of its attributes, or at once."""
    holder = parents.get(id(container))
    above = parents.get(id(holder))
    return above if isinstance(holder, dict) and above is not None and holder is namespace_of(above) else holder


def bound_of(container: Any, keeper: Any) -> Bound | None:
    """None for what knows none."""
    if not isinstance(container, _KINDS):
        return None
    try:
        if isinstance(container, deque):
            most: Any = container.maxlen
            held: Any = len(container)
        elif hasattr(type(keeper), "cache_info"):
            info = keeper.cache_info()
            most, held = info.maxsize, info.currsize
        elif all(hasattr(type(keeper), name) or name in (namespace_of(keeper) or {}) for name in _TOLD):
            most, held = keeper.maxsize, keeper.currsize
        else:
            return None
    except Exception:  # whatever a foreign class may raise
        return None
    numbers = [isinstance(one, int | float) and math.isfinite(one) for one in (most, held)]
    return Bound(most, held) if all(numbers) and most > 0 else None


def given_back(container: Any, keeper: Any) -> dict[str, float]:
    """By probe by how much it falls once the container is emptied."""
    probes = own_probes()
    settle()
    before = probes.read()
    if isinstance(keeper, _LRU_CACHE):
        keeper.cache_clear()
    else:
        next(kind for kind in _KINDS if isinstance(container, kind)).clear(container)
    settle()
    now = probes.read()
    return {name: level - now[name] for name, level in before.items() if now.get(name, level) < level}


def kept_by_lru_cache(container: Any) -> list[Any]:
    """What a bounded lru_cache keeps, the newest first: its dictionary leads to links that show nothing of it."""
    keeper = next((one for one in gc.get_referrers(container) if isinstance(one, _LRU_CACHE)), None)
    held = gc.get_referents(keeper) if keeper is not None else []
    place = next((place for place, one in enumerate(held) if one is container), 0)
    keys_and_entries = [one for one in held[:place] if not isinstance(one, type)]
    return keys_and_entries[::-2]
