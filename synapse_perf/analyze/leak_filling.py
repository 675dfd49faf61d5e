"""Is what grows a cache that tells its bound and has not reached it yet?

No series shows that: until it is full such a cache keeps its pace, as a leak does. So the last act of the process that
is asked for the owner is to empty each one, with all probes read before and after. What an entry gives back, times the
entries of a call, is the cache's part of the growth. Where that is nearly all, nothing proves a leak; where more is
left, it stays one, and is somebody else's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from synapse_perf.analyze.leak_attribution import Growing
from synapse_perf.analyze.leak_owners import per_call
from synapse_perf.analyze.leak_thresholds import END_SHARE, FILLING_SHARE, PAGES_OVER_HEAP
from synapse_perf.analyze.leak_verdict import samples_of_look
from synapse_perf.benchmarks.leak_loop import GROWTH
from synapse_perf.host.leak_probes import ANONYMOUS, HEAP
from synapse_perf.model import Leak, metric_key

CALLED = "leak_function"  # the benchmark whose hunts heed --calls
FULL_AFTER = 20  # samples of the hunt that goes on past the bound: half of its second look then shows an end
MINUTE_S = 60.0
USUAL_S = 100.0  # that looks may take by default, with some to spare


@dataclass(frozen=True, slots=True)
class Filling:
    """A cache that was not full in the look that was judged."""

    name: str
    bound: float
    reached: float  # in that look, about
    unit: str  # of the bound: entries, or whatever sizes are counted in
    calls: int  # between two readings, for a hunt that goes on past the bound; 0 where nobody can ask for it
    takes_s: float  # about, that hunt
    gives_back: Mapping[str, float]  # by probe, for what it gets with one call

    @property
    def told(self) -> str:
        return f"a bounded cache that is still filling: some {self.reached:.0f} of {self.bound:.0f}{self.unit}"

    @property
    def way_on(self) -> str:
        """The options with which a hunt goes on past the bound."""
        if not self.calls:
            return "--max-time with more time"
        longer = f" --max-time {math.ceil(1.25 * self.takes_s / MINUTE_S)}m" if self.takes_s > USUAL_S else ""
        return f"--calls {self.calls}{longer}"


def filling_caches(growing: Growing, seen: Mapping[str, Any]) -> list[Filling]:
    """Those that the attribution saw, the one that holds most first."""
    found = [filling for one in seen["containers"] if (filling := filling_of(growing, one, seen)) is not None]
    return sorted(found, key=lambda one: one.gives_back.get(HEAP, 0.0), reverse=True)


def filling_of(growing: Growing, container: Mapping[str, Any], seen: Mapping[str, Any]) -> Filling | None:
    """None where it has no bound, or had reached it before the end that the verdict looks at."""
    bound, length = container.get("bound"), container.get("length")
    if not bound or not length or "gives_back" not in container:
        return None
    units = container["held"] / length  # of the bound, for each entry
    pace = per_call(container["series"], seen)
    facts = [sample.facts for sample in growing.look.samples]
    reached = units * (container["series"][0] + pace * sum(float(one.get("calls") or 1) for one in facts))
    if pace <= 0 or reached * (1 - END_SHARE) >= bound:
        return None
    calls = math.ceil(bound / units / pace / FULL_AFTER)
    call_s = median(float(one.get("call_s") or 0) for one in facts)
    return Filling(
        name=str(container["path"] or "what no name leads to"),
        bound=bound,
        reached=min(bound, reached),
        unit=" entries" if units == 1 else "",
        calls=calls if growing.hunt.spec.benchmark == CALLED else 0,
        takes_s=calls * call_s * (samples_of_look(0) + samples_of_look(1)),
        gives_back={probe: pace * back / length for probe, back in container["gives_back"].items()},
    )


def doubted(growing: Growing, seen: Mapping[str, Any]) -> Growing:
    """The same, inconclusive in each probe that such caches make grow."""
    caches = filling_caches(growing, seen)
    if not caches:
        return growing
    told = f"{caches[0].name} is {caches[0].told}; {caches[0].way_on} goes on past its bound"
    return replace(
        growing,
        judged={
            probe: replace(judged, status="inconclusive", reason=told) if _is_theirs(growing, probe, caches) else judged
            for probe, judged in growing.judged.items()
        },
    )


def _is_theirs(growing: Growing, probe: str, caches: Sequence[Filling]) -> bool:
    """Whether emptying the caches gives back nearly all that this probe sees grow."""
    growth = growing.growth(probe)
    if sum(cache.gives_back.get(probe, 0.0) for cache in caches) >= FILLING_SHARE * growth:
        return True
    return (
        probe == ANONYMOUS
        and HEAP in growing.judged
        and growth <= PAGES_OVER_HEAP * growing.growth(HEAP)
        and _is_theirs(growing, HEAP, caches)
    )


def told_rows(rows: Iterable[Leak], told: Iterable[Growing]) -> tuple[Leak, ...]:
    """The rows with what the owners of their growth tell."""
    doubts = {
        metric_key(GROWTH, {**growing.look.spec.labels, "probe": probe}): judged
        for growing in told
        for probe, judged in growing.judged.items()
        if judged.status == "inconclusive"
    }
    return tuple(
        replace(row, status=doubts[row.metric].status, reason=doubts[row.metric].reason, full_after=None)
        if row.metric in doubts
        else row
        for row in rows
    )
