"""What does the hunt for a cache without a bound find, how fast is memory full, and which bound would do?"""

from __future__ import annotations

from synapse_perf.analyze.cache_bounds import KEEPS
from synapse_perf.analyze.leak_cache import CacheSeen, KeyUse, Kind
from synapse_perf.analyze.leak_remedies import MEMORY_ALERT
from synapse_perf.analyze.leak_thresholds import CONFIDENCE
from synapse_perf.analyze.leak_trend import Slope
from synapse_perf.model import Finding, Gain, Json, Severity
from synapse_perf.units import format_bytes, format_duration

DAY_S = 86_400.0
SOME_BOUND = 1024  # where no log tells a better one
UNKNOWN_USE = KeyUse()
IDS: dict[Kind, tuple[str, Severity]] = {
    "unbounded": ("unbounded-cache", "high"),
    "behind": ("leak-behind-cache", "high"),
    "any-key": ("leak-for-any-key", "high"),
    "filling": ("cache-still-filling", "info"),
    "undecided": ("cache-undecided", "info"),
    "bounded": ("bounded-cache", "info"),
    "nothing": ("keeps-nothing", "info"),
}
CACHE_FINDINGS = frozenset(name for name, _ in IDS.values())


def cache_finding(seen: CacheSeen, use: KeyUse) -> Finding:
    """One for each function that was asked, also where nothing has to change."""
    name, severity = IDS[seen.kind]
    bound = suggested_bound(use)
    change, check, alert = _remedy(seen, bound)
    return Finding(name, severity, in_words(seen, use), _evidence(seen, use), _gain(seen, use), change, check, alert)


def a_day(slope: Slope | None, use: KeyUse) -> Slope | None:
    """Bytes that a day adds at the rate of new keys."""
    rate = use.new_keys_per_s
    if slope is None or rate is None:
        return None
    return Slope(*(each * rate * DAY_S for each in (slope.middle, slope.low, slope.high)))


def suggested_bound(use: KeyUse) -> int | None:
    """The next power of two above the smallest that keeps the hit rate; None without a log."""
    if use.hit_rates is None:
        return None
    return 1 << max(0, use.hit_rates.smallest_bound() - 1).bit_length()


def in_words(seen: CacheSeen, use: KeyUse = UNKNOWN_USE) -> str:
    where = f" in {seen.name}" if seen.name else ""
    if seen.kind == "unbounded":
        each = f"{_bytes(seen.entry)} an entry{where}" if seen.entry else f"{_bytes(seen.fresh_key)} a key"
        day = a_day(seen.fresh_key, use)
        pace = f", {_bytes(day)} a day" if day else ""
        return (
            f"{seen.reference} keeps something for each new key, {each}{pace}, and nothing for one that comes again: "
            f"no bound up to {seen.fresh_keys} keys"
        )
    if seen.kind == "behind":
        return (
            f"{seen.reference} leaves {_bytes(seen.fresh_key)} behind for each new key while its cache{where} stays at "
            f"{seen.entries} entries: what makes an entry leaks, not the cache"
        )
    if seen.kind == "any-key":
        return (
            f"{seen.reference} leaves {_bytes(seen.repeated_key)} behind for a key that comes again, "
            f"{_bytes(seen.fresh_key)} for a new one{where}: a leak that no bound of a cache would stop"
        )
    if seen.kind == "filling" and seen.bound:
        wait = f"; filling it takes {format_duration(seen.fill_s)}" if seen.fill_s else ""
        return (
            f"{seen.reference} has a cache{where} of {seen.bound} entries at most{_held(seen)} that was not full{wait}"
        )
    if seen.kind == "filling":
        return f"{seen.reference} keeps less and less for each new key, as a bounded cache does while it fills"
    if seen.kind == "bounded":
        entries = seen.bound or seen.entries
        size = f", {entries} entries{_held(seen)}" if entries else ""
        return f"{seen.reference} has a cache{where} with a bound{size}: once full, it grows no more for new keys"
    if seen.kind == "nothing":
        return f"{seen.reference} keeps nothing for a key, new or known"
    return f"{seen.reference}: not decided, as the readings were too few or too unsteady"


def _remedy(seen: CacheSeen, bound: int | None) -> tuple[str, str, str]:
    """The change, how to see that it worked, and what to watch."""
    again = f"synapse-perf leak-hunt --cache {seen.reference}"
    if seen.kind == "unbounded":
        size = bound or SOME_BOUND
        length = (
            f"{seen.name}.cache_info().currsize" if "cache" in seen.container else f"len({seen.name or 'the cache'})"
        )
        return _bounded(seen, size), f"{again} ends with 0", f"{length} > {size}"
    if seen.kind in ("behind", "any-key"):
        change = f"look for what is kept beside the cache: synapse-perf leak-hunt {seen.reference} --arg KEY names it"
        return change, f"{again} ends with 0", MEMORY_ALERT
    return "", "", ""


def _bounded(seen: CacheSeen, size: int) -> str:
    if seen.container == "_lru_cache_wrapper":
        return f"@functools.lru_cache(maxsize={size})"
    name = seen.name.rpartition(".")[2] if seen.container == "dict" and seen.name.isascii() else ""
    cache = name if name.isidentifier() else "cache"
    return (
        f"{cache} = collections.OrderedDict()\n"
        f"{cache}[key] = value\n"
        f"{cache}.move_to_end(key)  # also where a key is found\n"
        f"if len({cache}) > {size}:\n"
        f"    {cache}.popitem(last=False)"
    )


def _gain(seen: CacheSeen, use: KeyUse) -> Gain | None:
    """Memory that no longer goes, at the rate that is told."""
    rate = use.new_keys_per_s
    if seen.kind != "unbounded" or seen.fresh_key is None or rate is None:
        return None
    middle, low, high = (each * rate for each in (seen.fresh_key.middle, seen.fresh_key.low, seen.fresh_key.high))
    return Gain(middle, low, high, "B/s", measured=False)


def _evidence(seen: CacheSeen, use: KeyUse) -> dict[str, Json]:
    rates = use.hit_rates
    smallest = rates.smallest_bound() if rates else None
    evidence: dict[str, Json] = {
        "function": seen.reference,
        "kind": seen.kind,
        "fresh_key_bytes": _interval(seen.fresh_key),
        "repeated_key_bytes": _interval(seen.repeated_key),
        "fresh_seen_from_bytes": seen.fresh_seen_from,
        "repeated_seen_from_bytes": seen.repeated_seen_from,
        "fresh_keys": seen.fresh_keys,
        "cache": seen.name or None,
        "entries": seen.entries,
        "entries_per_fresh_key": seen.entries_per_key,
        "entry_bytes": _interval(seen.entry),
        "bound": seen.bound,
        "fresh_call_s": seen.fresh_call_s,
        "repeated_call_s": seen.repeated_call_s,
        "new_keys_per_s": use.new_keys_per_s,
        "rate_from": use.rate_from or None,
        "growth_a_day_bytes": _interval(a_day(seen.fresh_key, use)) if seen.kind == "unbounded" else None,
        "smallest_bound": smallest,
        "hit_rate_unbounded": rates.unbounded if rates else None,
        "hit_rate_bounded": rates.within(smallest) if rates and smallest is not None else None,
        "keeps_hit_rate_within": KEEPS if rates else None,
        "log_requests": use.requests or None,
        "log_keys": use.distinct or None,
        "made_keys": seen.made_keys or None,
    }
    return {key: value for key, value in evidence.items() if value is not None}


def _interval(slope: Slope | None) -> Json:
    if slope is None:
        return None
    return {"middle": slope.middle, "low": slope.low, "high": slope.high, "confidence": CONFIDENCE}


def _held(seen: CacheSeen) -> str:
    """What the cache holds when it is full."""
    entries = seen.bound or seen.entries
    return f" ({format_bytes(entries * seen.entry.middle)})" if entries and seen.entry else ""


def _bytes(slope: Slope | None) -> str:
    return "an unknown amount" if slope is None else format_bytes(slope.middle)
