"""What does a cache keep for each key, how fast does that grow, and how small may it be?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from synapse_perf.analyze.leak_cache_findings import CACHE_FINDINGS
from synapse_perf.model import Finding, Json, Result
from synapse_perf.report.document import Fields, Section
from synapse_perf.report.figures import format_range
from synapse_perf.units import format_bytes, format_duration, format_percent, three_digits

THOUSAND = 1000
SHOWN = ("fresh_keys", "entries", "smallest_bound")  # of the evidence, where all of it has a section of its own
NO_RATE = "not known without a rate: give --rate, or a log with times"
NO_LOG = "not known without a log of the keys that are asked for: give it with --keys FILE"


def cache_findings_of(result: Result) -> list[Finding]:
    return [finding for finding in result.findings if finding.id in CACHE_FINDINGS and "kind" in finding.evidence]


def cache_sections(result: Result) -> list[Section]:
    """One for each function that was asked for new keys and for known ones."""
    return [_section(finding.evidence) for finding in cache_findings_of(result)]


def without_cache_notes(result: Result) -> Result:
    """For the list of findings, as the verdict and the sections tell the rest: those that ask for something, brief."""
    told = {finding.id for finding in cache_findings_of(result)}
    kept = [
        replace(finding, evidence={name: finding.evidence[name] for name in SHOWN if name in finding.evidence})
        if finding.id in told
        else finding
        for finding in result.findings
        if finding.id not in told or finding.severity != "info"
    ]
    return replace(result, findings=tuple(kept))


def _section(told: Mapping[str, Json]) -> Section:
    rows = {
        "new key": _kept(told, "fresh"),
        "known key": _kept(told, "repeated"),
        "entries": _entries(told),
        "an entry": _bytes_of(told.get("entry_bytes"), ""),
        "keys": _keys(told),
        "a call": _calls(told),
        "a day": _a_day(told) if told["kind"] == "unbounded" else "",
        "bound": _bound(told),
    }
    return Section(
        f"Cache of {told['function']}", (Fields(tuple((name, text) for name, text in rows.items() if text)),)
    )


def _kept(told: Mapping[str, Json], keys: str) -> str:
    """What a key leaves behind; where that is nothing, from which size on it would have been seen."""
    least = told.get(f"{keys}_seen_from_bytes")
    if least is not None:
        return f"keeps nothing; {format_bytes(least)} would have been seen"
    return f"keeps {_bytes_of(told.get(f'{keys}_key_bytes'), 'an amount that is not known')}"


def _bytes_of(slope: Json, otherwise: str) -> str:
    if not isinstance(slope, Mapping):
        return otherwise
    if slope["low"] == slope["high"]:
        return format_bytes(slope["middle"])
    bounds = format_range(slope["low"], slope["high"], "B")
    return f"{format_bytes(slope['middle'])} ({slope['confidence'] * 100:g} % {bounds})"


def _entries(told: Mapping[str, Json]) -> str:
    """How many there are, where, and what bounds them."""
    if told.get("entries") is None:
        return f"no cache can be seen from outside; {told['fresh_keys']} new keys were asked for"
    each = told.get("entries_per_fresh_key")
    pace = f", {three_digits(each)} for each new key" if each else ", no more for new keys"
    bound = f", {told['bound']} at most" if told.get("bound") else ""
    return f"{told['entries']} in {told['cache']} after {told['fresh_keys']} new keys{pace}{bound}"


def _keys(told: Mapping[str, Json]) -> str:
    made = told.get("made_keys") or 0
    if not made or not told.get("log_keys"):
        return ""
    return f"{made} new keys were made up, as your log has {told['log_keys']} different ones"


def _calls(told: Mapping[str, Json]) -> str:
    fresh, repeated = told.get("fresh_call_s"), told.get("repeated_call_s")
    if fresh is None or repeated is None:
        return ""
    return f"{format_duration(fresh)} for a new key, {format_duration(repeated)} for a known one"


def _a_day(told: Mapping[str, Json]) -> str:
    growth, key = told.get("growth_a_day_bytes"), told.get("fresh_key_bytes")
    if isinstance(growth, Mapping):
        rate = three_digits(told["new_keys_per_s"])
        return f"{_bytes_of(growth, '')} at {rate} new keys per second, from {told['rate_from']}"
    each = f"; {format_bytes(THOUSAND * key['middle'])} for 1,000 new keys" if isinstance(key, Mapping) else ""
    return NO_RATE + each


def _bound(told: Mapping[str, Json]) -> str:
    """The smallest that keeps the hit rate, with what it holds."""
    smallest, entry = told.get("smallest_bound"), told.get("entry_bytes")
    if told["kind"] in ("nothing", "any-key"):
        return ""
    if smallest is None:
        return NO_LOG
    held = f" ({format_bytes(smallest * entry['middle'])})" if isinstance(entry, Mapping) else ""
    rates = f"{format_percent(told['hit_rate_bounded'])} of {format_percent(told['hit_rate_unbounded'])}"
    return (
        f"{smallest} entries{held} keep the hit rate of your log within {100 * told['keeps_hit_rate_within']:g} point: "
        f"{rates} hits ({told['log_requests']} requests, {told['log_keys']} keys)"
    )
