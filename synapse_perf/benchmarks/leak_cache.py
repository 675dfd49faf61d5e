"""Does a function of the user's keep something for each key, and does that ever end?

Asked either for keys that are all new or for a few that come again and again: the workload says which, and each has a
process of its own. Whatever can be seen of the cache that grows is counted with every reading, as `entries`. A cache
with a bound that can be seen is filled before the series begins. Standard library and psutil only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from synapse_perf.benchmarks.cache_entries import caches_of, entries_of
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.key_log import Key, read_key_log
from synapse_perf.benchmarks.leak_loop import ENTRIES, Limits, MemoryGuard, watch
from synapse_perf.benchmarks.leak_loop import METRICS as METRICS
from synapse_perf.benchmarks.leak_users_code import UsersCode
from synapse_perf.host.leak_probes import ANONYMOUS, COUNT, HEAP, Probe, Probes, own_probes, settle
from synapse_perf.samples import Fact, Json, Sample

FIRST_IMPORT = None
FRESH, REPEATED = "fresh", "repeated"
REPEATED_KEYS = 8
FIRST_KEYS = 10  # asked for before anything is counted: imports and lazy parts; they show which cache grows
TURNS_BEFORE = 3  # of all the repeated keys, for a function that keeps an answer only when it is asked for again
GROWN_SHARE = 0.5  # of those keys that a cache must have grown by to be the one
# As many keys as the time allows, since a bound shows only when it is reached.
SAMPLE_SHARE = 1 / 400  # of the budget that a sample takes: a look and the two that follow it fit in
SAMPLE_LONGEST_S = 0.2
SAMPLE_BYTES = 2 * 1024**2
KEYS_AT_MOST = 10_000  # in a sample
FILL_SHARE = 0.25  # of the budget, and of the free memory, that filling a bounded cache may take
TRIED_KEYS = 100  # of them, that tell how long the others take


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each batch of keys."""
    code = UsersCode(context)
    code.prepare()
    asked = _Asked(code, context.workload)
    probes = own_probes()
    try:
        cache = asked.begin()
        if cache is not None:
            asked.fill(cache, probes, context)
            probes = Probes((*probes.probes, Probe(ENTRIES, COUNT, cache.entries)), probes.untold)
        before, asked_before = cache.entries() if cache else None, asked.count
        try:
            yield from watch(context, probes, asked.ask, _limits(context))
        finally:
            context.facts["cache"] = cache and cache.told(before, asked.count - asked_before)
            context.facts["made_keys"] = asked.made
    finally:
        code.tear_down()


def _limits(context: Context) -> Limits:
    sample_s = min(SAMPLE_LONGEST_S, context.workload["budget_s"] * SAMPLE_SHARE)
    return Limits(sample_s / 2, sample_s, SAMPLE_BYTES, KEYS_AT_MOST)


class _Cache(NamedTuple):
    """The one that grows with the keys."""

    name: str
    thing: Any
    bound: int | None

    def entries(self) -> float | None:
        entries = entries_of(self.thing)
        return None if entries is None else float(entries.held)

    def told(self, before: float | None, keys: int) -> dict[str, Json]:
        """By how much it grew over so many keys."""
        now = self.entries()
        grown = None if now is None or before is None else now - before
        kind = type(self.thing).__name__
        return {
            "name": self.name,
            "container": kind,
            "bound": self.bound,
            "entries": now,
            "grown": grown,
            "keys": keys,
        }


class _Asked:
    """The keys in their order, and the function that is asked for them."""

    def __init__(self, code: UsersCode, workload: Any) -> None:
        self.count = 0
        self.made = 0  # of them, those that are in no log
        self._code = code
        self._kind: str = workload["key_type"]
        path = workload.get("keys_file")
        self._known: list[Key] = list(dict.fromkeys(_log(path, self._kind))) if path else []
        self._place = 0  # of the next new key in the log
        self._repeated: list[Key] = []
        if workload["keys"] == REPEATED:
            self._repeated = [self._new() for _ in range(REPEATED_KEYS)]

    def begin(self) -> _Cache | None:
        """Ask for the first keys; the cache that grew by them, if one can be seen."""
        self._code.watch.stage(f"asking {self._code.workload['function']} for {self._code.workload['keys']} keys")
        before = self._counts()
        count = len(self._repeated) * TURNS_BEFORE or FIRST_KEYS
        for _ in range(count):
            self.ask(0)
        new = len(self._repeated) or FIRST_KEYS
        caches, now = self._caches(), self._counts()
        grown = {name: found - before.get(name, 0) for name, found in now.items()}
        likely = [name for name, by in grown.items() if by >= GROWN_SHARE * new]
        if not likely:
            return None
        name = min(likely, key=lambda one: abs(grown[one] - new))  # the first found of those that fit equally well
        entries = entries_of(caches[name])
        return _Cache(name, caches[name], entries.bound if entries else None)

    def fill(self, cache: _Cache, probes: Probes, context: Context) -> None:
        """Up to its bound if it has one, and if that does not take too long."""
        if cache.bound is None or self._repeated:
            return
        budget_s: float = context.workload["budget_s"]
        started_s, before, guard = time.perf_counter(), cache.entries() or 0.0, MemoryGuard()
        self._code.watch.stage(f"filling {cache.name} up to its {cache.bound} entries")
        memory = _memory(probes)
        held = self._ask_until(cache, min(cache.bound, before + TRIED_KEYS), guard)
        grown, grown_bytes, took_s = held - before, _memory(probes) - memory, time.perf_counter() - started_s
        times = (cache.bound - before) / grown if grown else math.inf
        if took_s * times <= FILL_SHARE * budget_s and grown_bytes * times <= FILL_SHARE * guard.free_bytes:
            held = self._ask_until(cache, cache.bound, guard)
            grown, grown_bytes = held - before, _memory(probes) - memory
        context.facts["fill"] = {"entries": grown, "bytes": grown_bytes, "is_full": held >= cache.bound}
        context.workload = {**context.workload, "budget_s": budget_s - (time.perf_counter() - started_s)}

    def _ask_until(self, cache: _Cache, entries: float, guard: MemoryGuard) -> float:
        """New keys until there are so many entries; how many there are then."""
        held = cache.entries() or 0.0
        while held < entries and guard.has_room():
            before = held
            for _ in range(int(min(entries - held, TRIED_KEYS))):
                self.ask(0)
            held = cache.entries() or 0.0
            if held <= before:
                break  # it has another bound than it tells, or does not keep these
        return held

    def ask(self, _: int) -> dict[str, Fact] | None:
        self.count += 1
        key = self._repeated[self.count % len(self._repeated)] if self._repeated else self._new()
        try:
            self._code.call(self.count, key)
        except BenchmarkFailed as error:
            if self.made and error.failure["kind"] == "error":
                error.failure["remedy"] = "this key was made up; give keys that it knows with --keys FILE"
            raise
        return None

    def _new(self) -> Key:
        if self._place < len(self._known):
            self._place += 1
            return self._known[self._place - 1]
        self.made += 1
        return self.made if self._kind == "int" else f"key {self.made:012d} that leak-hunt made"

    def _caches(self) -> dict[str, Any]:
        assert self._code.function is not None
        return caches_of(self._code.function, *self._code.held_by_name().items())

    def _counts(self) -> dict[str, int]:
        found = {name: entries_of(thing) for name, thing in self._caches().items()}
        return {name: entries.held for name, entries in found.items() if entries is not None}


def _memory(probes: Probes) -> float:
    settle()
    levels = probes.read()
    return levels.get(HEAP, levels.get(ANONYMOUS, 0.0))


def _log(path: str, kind: str) -> list[Key]:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs time in a worker
        return read_key_log(file.read(), kind).keys
