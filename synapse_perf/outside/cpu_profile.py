"""Which function held the main thread while a page stood still? Joins a CPU profile with the frames by their time.

The profile is that of the browser's `Profiler` domain: a tree of calls, and which of them ran at each sample. Its times
are microseconds of the clock that the trace has as well.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

INTERVAL_US = 1000
IDLE = "(idle)"
BROWSER_WORK = {"(program)": "style, layout or painting", "(garbage collector)": "garbage collection"}


class Place(NamedTuple):
    """A function of the page, or with no file what the browser did by itself."""

    function: str
    file: str = ""
    line: int = 0


class Held(NamedTuple):
    """How long the main thread worked within a time, who had most of it, and what had called that; in ms."""

    busy_ms: float
    by: Place | None = None
    by_ms: float = 0.0
    called_by: Place | None = None


class CpuProfile:
    """The samples of one recording."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._frames = {node["id"]: node["callFrame"] for node in told["nodes"]}
        self._parents = {child: node["id"] for node in told["nodes"] for child in node.get("children", ())}
        self._nodes: list[int] = told.get("samples", [])
        moments = itertools.accumulate(told.get("timeDeltas", []), initial=told["startTime"])
        self._times: list[float] = [*itertools.islice(moments, 1, None), told["endTime"]]

    def held(self, begin_us: float, end_us: float) -> Held:
        """Who had the main thread between two moments."""
        spent_ms: dict[tuple[Place, Place], float] = {}
        first = max(0, bisect.bisect_right(self._times, begin_us) - 1)
        for place in range(first, len(self._nodes)):
            if self._times[place] >= end_us:
                break
            part_us = min(self._times[place + 1], end_us) - max(self._times[place], begin_us)
            pair = self._places(self._nodes[place])
            if part_us > 0 and pair is not None:
                spent_ms[pair] = spent_ms.get(pair, 0.0) + part_us / 1000
        if not spent_ms:
            return Held(0.0)
        by_function: dict[Place, float] = {}
        for (own, _), spent in spent_ms.items():
            by_function[own] = by_function.get(own, 0.0) + spent
        most = max(by_function, key=lambda one: by_function[one])
        caller = max((pair for pair in spent_ms if pair[0] == most), key=lambda pair: spent_ms[pair])[1]
        return Held(sum(spent_ms.values()), most, by_function[most], caller if caller != most else None)

    def _places(self, node: int) -> tuple[Place, Place] | None:
        """The innermost and the outermost function of the page's own scripts; None where nothing ran.

        What the language brings (sorting, JSON) counts for the function that called it.
        """
        name = self._frames[node]["functionName"]
        if name == IDLE:
            return None
        scripts = [frame for frame in self._stack(node) if frame["url"]]
        if scripts:
            return _place(scripts[0]), _place(scripts[-1])
        browser = Place(BROWSER_WORK.get(name, "code without a file (eval, or this recording)"))
        return browser, browser

    def _stack(self, node: int | None) -> list[Mapping[str, Any]]:
        """The calls, the innermost first."""
        frames = []
        while node is not None:
            frames.append(self._frames[node])
            node = self._parents.get(node)
        return frames


def _place(frame: Mapping[str, Any]) -> Place:
    file = str(frame["url"]).partition("?")[0].partition("#")[0].rstrip("/").rsplit("/", 1)[-1]
    return Place(frame["functionName"] or "(anonymous)", file, frame["lineNumber"] + 1)
