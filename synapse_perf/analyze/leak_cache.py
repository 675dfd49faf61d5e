"""Does a cache grow without end? Keys that are all new against keys that come again, each in processes of their own.

What grows for new keys and not for known ones is kept for each key; if it never slows down, nothing bounds it. What
grows for known keys as well is a leak that no bound would stop. What grows while the entries do not is a leak behind
the cache, in what makes an entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from synapse_perf.analyze.cache_bounds import HitRates
from synapse_perf.analyze.leak_rows import judge_trial, levels_of, probes_of
from synapse_perf.analyze.leak_thresholds import LOOKS
from synapse_perf.analyze.leak_trend import Slope
from synapse_perf.analyze.leak_verdict import Judged
from synapse_perf.benchmarks.leak_loop import ENTRIES
from synapse_perf.host.leak_probes import ANONYMOUS, HEAP
from synapse_perf.model import Json, Leak, Trial
from synapse_perf.units import format_duration

Kind = Literal["unbounded", "behind", "any-key", "bounded", "nothing", "filling", "undecided"]
ENDED = "no more"  # in the reason of growth that has ended
LEAST_ENTRIES = 0.05  # for each new key, from which on a cache counts as growing with them


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How the keys are asked for where the function does its work, as far as that is known."""

    rate: float | None = None  # requests per second; without a log all of them are taken as new
    rate_from: str = ""
    requests: int = 0  # of the log; 0 without one
    distinct: int = 0
    new_share: float = 1.0  # of the requests of the log's second half that ask for a key for the first time
    hit_rates: HitRates | None = None
    digest: str = ""  # of the keys in their order

    @property
    def new_keys_per_s(self) -> float | None:
        return None if self.rate is None else self.rate * self.new_share

    def told(self) -> dict[str, Json]:
        """What makes two runs ask for the same."""
        return {"requests": self.requests, "keys": self.distinct, "digest": self.digest} if self.requests else {}


@dataclass(frozen=True, slots=True)
class CacheSeen:
    """What the two hunts of one function tell together."""

    reference: str
    kind: Kind
    fresh_key: Slope | None = None  # bytes that each new key leaves behind
    repeated_key: Slope | None = None
    fresh_seen_from: float | None = None  # bytes for a key, of a leak that would have been seen; None where one was
    repeated_seen_from: float | None = None
    entry: Slope | None = None  # bytes of each entry
    entries_per_key: float | None = None
    fresh_keys: int = 0  # asked for in the look that is judged
    fresh_call_s: float | None = None
    repeated_call_s: float | None = None
    name: str = ""  # of the cache, where one can be seen
    container: str = ""  # its type
    entries: int | None = None
    bound: int | None = None
    fill_s: float | None = None  # what filling it would take
    made_keys: int = 0  # that are in no log


def read_hunts(reference: str, fresh: Trial | None, repeated: Trial | None) -> CacheSeen:
    """The looks that decide, of both hunts; None for one that gave nothing."""
    if fresh is None or repeated is None:
        return CacheSeen(reference, "undecided")
    grown, known = judge_trial(fresh), judge_trial(repeated)
    kind = _kind(grown, known, fresh)
    # What grows for any key is no cache, and both processes have it.
    cache, fill = fresh.facts.get("cache") or {}, fresh.facts.get("fill") or {}
    fresh_key, entries_per_key, call_s = _per_call(grown, fresh), _entries_per_key(grown, fresh), _call_s(fresh)
    bound, entries = cache.get("bound"), cache.get("entries")
    return CacheSeen(
        reference,
        kind,
        fresh_key=fresh_key,
        repeated_key=_per_call(known, repeated),
        fresh_seen_from=_seen_from(grown, fresh),
        repeated_seen_from=_seen_from(known, repeated),
        entry=None if kind == "any-key" else _entry(fresh, fresh_key, entries_per_key, fill),
        entries_per_key=entries_per_key,
        fresh_keys=round(sum(float(sample.facts.get("calls") or 1) for sample in fresh.samples)),
        fresh_call_s=call_s,
        repeated_call_s=_call_s(repeated),
        name=str(cache.get("name", "")),
        container=str(cache.get("container", "")),
        entries=None if entries is None else round(entries),
        bound=bound,
        fill_s=call_s * bound if bound and call_s else None,
        made_keys=round(fresh.facts.get("made_keys") or 0),
    )


def told_rows(rows: Sequence[Leak], seen: CacheSeen) -> list[Leak]:
    """The rows of new keys, where a bound can be seen that they have not reached: that is no leak, and not yet none."""
    if seen.kind != "filling" or seen.bound is None:
        return list(rows)
    wait = f", which would take {format_duration(seen.fill_s)}" if seen.fill_s else ""
    told = f"a cache that holds {seen.bound} entries at most and was not full{wait}"
    return [
        replace(row, status="inconclusive", full_after=None, reason=told) if row.status == "leak" else row
        for row in rows
    ]


def _kind(grown: Mapping[str, Judged], known: Mapping[str, Judged], fresh: Trial) -> Kind:
    if any(one.status == "leak" for one in known.values()):
        return "any-key"
    if any(one.slope is None for one in (*grown.values(), *known.values())):
        return "undecided"
    if any(one.status == "inconclusive" for one in known.values()):
        return "undecided"
    cache = fresh.facts.get("cache") or {}
    entries = grown.get(ENTRIES)
    if any(one.status == "leak" for one in grown.values()):
        if entries is not None and entries.status == "clean":
            return "behind"
        return "filling" if cache.get("bound") is not None else "unbounded"
    slowing = [one for one in grown.values() if one.status == "inconclusive"]
    if slowing:  # a first look alone cannot tell growth that slows down
        return "filling" if all(one.count >= LOOKS[1] for one in slowing) else "undecided"
    return "bounded" if cache or any(ENDED in one.reason for one in grown.values()) else "nothing"


def _memory(judged: Mapping[str, Judged]) -> Judged | None:
    """The live heap, or pages where that is not told."""
    return judged.get(HEAP) or judged.get(ANONYMOUS)


def _seen_from(judged: Mapping[str, Judged], trial: Trial) -> float | None:
    found = _memory(judged)
    if found is None or found.status != "clean" or found.smallest is None:
        return None
    return found.smallest / _calls(trial)


def _per_call(judged: Mapping[str, Judged], trial: Trial) -> Slope | None:
    """Bytes for one key."""
    found = _memory(judged)
    if found is None or found.slope is None:
        return None
    calls = _calls(trial)
    return Slope(found.slope.middle / calls, found.slope.low / calls, found.slope.high / calls)


def _entries_per_key(judged: Mapping[str, Judged], trial: Trial) -> float | None:
    found = judged.get(ENTRIES)
    return None if found is None or found.slope is None else found.slope.middle / _calls(trial)


def _entry(trial: Trial, key: Slope | None, entries_per_key: float | None, fill: Mapping[str, Json]) -> Slope | None:
    """Out of the steady series; for a cache that was full before or became so, out of its filling, without interval."""
    if key is not None and entries_per_key and entries_per_key >= LEAST_ENTRIES:
        return Slope(key.middle / entries_per_key, key.low / entries_per_key, key.high / entries_per_key)
    probe = HEAP if HEAP in probes_of(trial) else ANONYMOUS
    if fill.get("entries"):
        each = fill["bytes"] / fill["entries"]
    elif (grown := sum(levels_of(trial, ENTRIES)[-1:])) >= 1:
        each = levels_of(trial, probe)[-1] / grown
    else:
        return None
    return Slope(each, each, each)


def _calls(trial: Trial) -> float:
    return float(trial.samples[-1].facts.get("calls") or 1)


def _call_s(trial: Trial) -> float | None:
    times = [float(value) for sample in trial.samples if (value := sample.facts.get("call_s"))]
    return median(times) if times else None
