"""Who owns what grows? Ranks what an attribution saw: containers, lines, values, threads, by growth for one call.

What is owned in Python and what by compiled code is told by two growths for a call: of the live heap in the look that
was judged, where nothing slowed it, and of what tracemalloc saw here. Its own tables make any other way wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from synapse_perf.analyze.leak_attribution import Growing
from synapse_perf.analyze.leak_trend import rising_p, slope_of
from synapse_perf.host.leak_probes import BYTE_PROBES, HEAP
from synapse_perf.model import Json

PYTHON_SHARE = 0.6  # of the growth from which on it is Python's
NATIVE_SHARE = 0.2  # up to which it is compiled code's: what lies between is both
RISING_P = 0.05  # of a site's series: it has nine points
WORTH_SHARE = 0.1  # of Python's growth that an owner has to explain
NEARLY_ALL = 0.8  # of the growth of a place, which one inside of it has too
SAME_PACE = 0.25  # relative: a container and a count that grow together
LEAST_READINGS = 6
NAMES = 3  # of what is counted
NOT_TOLD = ("site", "is_users", "values")  # of a container, as they are told of the owner
Made: TypeAlias = Literal["python", "native", "mixed"]
# By probe the types of what it counts, as their names end.
HOLDERS_OF = {
    "python_threads": ("Thread", "Timer"),
    "threads": ("Thread", "Timer", "ThreadPoolExecutor"),
    "tasks": ("Task",),
    "sockets": ("socket", "StreamWriter", "Connection", "Client"),
    "descriptors": (
        "FileIO",
        "TextIOWrapper",
        "BufferedReader",
        "BufferedWriter",
        "socket",
        "Popen",
        "StreamWriter",
        "EventLoop",
        "Selector",
    ),
    "children": ("Popen", "Process"),
    "zombies": ("Popen", "Process"),
    "mapped_files": ("mmap", "memmap", "Llama"),
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds what one probe sees grow; texts are empty where nothing is known."""

    probe: str
    name: str  # the container's path, else the line, else what is held
    container: Mapping[str, Json] | None
    site: str
    what: str  # of what is counted: descriptors of which kind, threads of which name
    share: Mapping[str, float]  # of memory: python and native
    others: tuple[str, ...] = ()
    entries_per_call: float = 0.0
    values: tuple[str, ...] = field(default=())

    @property
    def made(self) -> Made:
        python = self.share.get("python", 1.0)
        return "python" if python >= PYTHON_SHARE else "native" if python <= NATIVE_SHARE else "mixed"


def owner_of(growing: Growing, probe: str, seen: Mapping[str, Any]) -> Owner:
    """The likeliest owner by what the attribution `seen` tells."""
    if growing.judged[probe].status == "leak":
        seen = _without_bounded(seen)
    if probe in BYTE_PROBES:
        return _owner_of_memory(growing, probe, seen)
    return _owner_of_count(growing, probe, seen)


def _without_bounded(seen: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is left without the containers that know a bound: their growth ends, so a leak is none of theirs."""
    bounded = [one for one in seen["containers"] if one.get("bound")]
    paths, sites = ({one[name] for one in bounded} for name in ("path", "site"))
    return {
        **seen,
        "containers": [one for one in seen["containers"] if one not in bounded],
        "places": [one for one in seen["places"] if one["path"] not in paths],
        "sites": [one for one in seen["sites"] if one["site"] not in sites] or seen["sites"],
    }


def _owner_of_memory(growing: Growing, probe: str, seen: Mapping[str, Any]) -> Owner:
    growth, python = growing.growth(probe), per_call(seen["traced_bytes"], seen)
    share = {}
    if growth > 0:
        counted = per_call(seen["traced_heap_bytes"], seen) if probe == HEAP else python
        of_python = round(min(1.0, max(0.0, counted / growth)), 3)
        share = {"python": of_python, "native": round(1.0 - of_python, 3)}
    site = _site_of(seen, python)
    is_native = share.get("python", 1.0) <= NATIVE_SHARE
    containers = [one for one in seen["containers"] if _explains(one, python, seen, is_native=is_native)]
    if containers:
        chosen = containers[0]
        others = tuple(one["path"] for one in containers[1:4] if one["path"])
        made_at = chosen["site"] or site
        return _held(probe, chosen, made_at, share, seen, others)
    place = _place_of(seen, python)
    if place is not None and not is_native:
        container = {"path": place["path"], "type": "value", "unit": "B", "series": [0, place["growth_bytes"]]}
        return Owner(probe, place["path"], container, site, "", share)
    if is_native:
        asked = seen["asked_at"].get("mapped_files") if probe != HEAP and growing.growth(HEAP) == 0 else None
        called_at = next(iter(asked or {}), "") or _line_of(seen, growth)
        return Owner(probe, called_at or "compiled code", None, called_at, "memory of compiled code", share)
    return Owner(probe, site or "not found", None, site, ", ".join(grown_types(seen)), share)


def _explains(container: Mapping[str, Any], python: float, seen: Mapping[str, Any], *, is_native: bool) -> bool:
    """Whether its entries are a part of the growth; of what compiled code holds they show only the handle."""
    if is_native:
        return "." in container["entry_type"]
    return per_call(container["series"], seen) * float(container["entry_bytes"]) >= WORTH_SHARE * python


def _place_of(seen: Mapping[str, Any], python: float) -> Mapping[str, Any] | None:
    """The innermost of the places that hold nearly all of what the one that holds most does; a module is none."""
    worth = [one for one in seen["places"] if one["growth_bytes"] / _all_calls(seen) >= WORTH_SHARE * max(python, 1)]
    most = max((one["growth_bytes"] for one in worth), default=0)
    nearly = [one for one in worth if one["growth_bytes"] >= NEARLY_ALL * most and "." in one["path"]]
    return max(nearly, key=lambda one: str(one["path"]).count("."), default=None)


def _owner_of_count(growing: Growing, probe: str, seen: Mapping[str, Any]) -> Owner:
    held = seen["held"].get(probe, {})
    rising = sorted(held, key=lambda name: held[name][0] - held[name][-1])
    what = ", ".join(rising[:NAMES])
    made_at = seen["made_at"].get(probe) or seen["made_at"].get(_kin(probe)) or {}
    asked_at = seen["asked_at"].get(probe) or seen["asked_at"].get(_kin(probe)) or {}
    growth = growing.growth(probe)
    enough = [site for site, count in made_at.items() if count >= (1 - SAME_PACE) * growth * _all_calls(seen)]
    site = next(iter([*enough, *asked_at]), "")
    candidates = [one for one in seen["containers"] if _fits(one, probe, growth, seen)]
    if candidates:
        chosen = min(candidates, key=lambda one: not _is_holder(one, probe))
        return _held(probe, chosen, site or chosen["site"], {}, seen, (), what)
    return Owner(probe, site or what or "not found", None, site, what, {})


def _fits(container: Mapping[str, Any], probe: str, growth: float, seen: Mapping[str, Any]) -> bool:
    """Whether it grows in step; what is known to hold such things may hold several, as an event loop descriptors."""
    pace = per_call(container["series"], seen)
    each = max(1, round(growth / pace)) if pace > 0 and _is_holder(container, probe) else 1
    is_in_step = abs(each * pace - growth) <= SAME_PACE * growth
    return bool(container["path"]) and is_in_step and container["is_users"]


def _is_holder(container: Mapping[str, Any], probe: str) -> bool:
    return str(container["entry_type"]).endswith(HOLDERS_OF.get(probe, ()))


def _kin(probe: str) -> str:
    """The probe whose sites tell of the same thing."""
    return {
        "sockets": "descriptors",
        "descriptors": "sockets",
        "threads": "python_threads",
        "zombies": "children",
        "orphaned_children": "children",
        "children": "zombies",
    }.get(probe, probe)


def _held(
    probe: str,
    container: Mapping[str, Any],
    site: str,
    share: Mapping[str, float],
    seen: Mapping[str, Any],
    others: tuple[str, ...],
    what: str = "",
) -> Owner:
    told = {name: value for name, value in container.items() if name not in NOT_TOLD}
    pace = per_call(container["series"], seen)
    values = tuple(container.get("values", ()))
    return Owner(probe, container["path"] or site or "not found", told, site, what, share, others, pace, values)


def _site_of(seen: Mapping[str, Any], python: float) -> str:
    """The line of which most stays, if it keeps on growing."""
    rising = [one for one in seen["sites"] if rising_p(one["series"]) < RISING_P]
    steady = [one for one in rising if per_call(one["series"], seen) >= WORTH_SHARE * python]
    return max(steady, key=lambda one: per_call(one["series"], seen))["site"] if steady else ""


def _line_of(seen: Mapping[str, Any], growth: float) -> str:
    """The line after which the C heap holds as much more as leaks; else the one after which it holds most more."""
    lines: Mapping[str, float] = seen["native"]
    as_much = [line for line, grown in lines.items() if abs(grown - growth) <= SAME_PACE * growth]
    return next(iter(as_much or [line for line, grown in lines.items() if grown >= WORTH_SHARE * growth]), "")


def grown_types(seen: Mapping[str, Any]) -> list[str]:
    """Of which there is about one more with each call, or more than that: ``bytes +24``."""
    least = _all_calls(seen) / 2
    return [f"{one['type']} +{one['count']}" for one in seen["types"] if one["count"] >= least][:NAMES]


def per_call(series: Sequence[float], seen: Mapping[str, Any]) -> float:
    """Growth for one call, out of a series of readings."""
    return slope_of(series, 0.95).middle / seen["calls"] if len(series) > 1 else 0.0


def _all_calls(seen: Mapping[str, Any]) -> float:
    return float(seen["calls"] * max(1, len(seen["traced_bytes"]) - 1))
