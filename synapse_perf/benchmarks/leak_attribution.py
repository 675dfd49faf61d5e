"""Who holds what a hunt found to grow? The same iterations again, watched by tracemalloc and by walks over all objects.

Run in a process of its own after the verdict: what is looked at here costs time and memory, so nothing is judged by
it. The answer is in the fact `attribution`, as series over the readings: which of them grow, the parent decides.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from synapse_perf.benchmarks import leak_sites
from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.leak_holders import Holders, newest
from synapse_perf.benchmarks.leak_loop import MemoryGuard, Step, end_if_forked
from synapse_perf.benchmarks.leak_native import native_lines
from synapse_perf.host.leak_holdings import Holdings, own_holdings
from synapse_perf.host.leak_probes import unfinished_tasks
from synapse_perf.samples import Json, Sample

WARM_UP = 3  # calls
MOSTLY_PYTHON = 0.6  # of the growth: is less of it traced, compiled code is looked at line by line
NATIVE_S = 5.0  # that this may take
LOOKED_AT = 50  # entries of a container, for where one of them was made: a set tells none that are new
SITES = 30  # that are told, by what they grew
NAMES = 8  # of one probe; more are told by their folder


def attribute(context: Context, step: Step) -> Sample:
    """Carry out the rounds that `attribute` of the workload asks for; the sample has no values."""
    asked: Mapping[str, Any] = context.workload["attribute"]
    rounds = _Rounds(context, step, int(asked["calls"]))
    rounds.warm_up()
    own_holdings()  # what the first call imports and keeps is none of the hunt's
    leak_sites.sites_by_probe()
    announced = leak_sites.Announced()
    ignored = (context, context.facts, rounds, rounds.__dict__, announced)
    holders = Holders(_module_of(context), _named(step), ignored)
    leak_sites.start()
    ledger = _Ledger()
    ledger.read()
    for number in range(1, int(asked["rounds"]) + 1):
        context.stage(f"asking who holds it: round {number} of {asked['rounds']}")
        with announced.counting():
            rounds.carry_out()
        ledger.read()
        holders.look()
        if rounds.is_late:
            break
    growing = holders.growing()
    sites = [next(filter(None, map(leak_sites.site_of, newest(one, LOOKED_AT))), "") for one, _ in growing]
    made_at = leak_sites.sites_by_probe()
    leak_sites.stop()
    python_bytes = ledger.traced_growth() / (rounds.calls * (len(ledger) - 1))
    is_native = python_bytes < MOSTLY_PYTHON * asked["growth_bytes"]
    native = native_lines(rounds.call, max(WARM_UP, rounds.calls), NATIVE_S) if is_native else {}
    facts = {
        **ledger.told(),
        "made_at": made_at,
        "asked_at": announced.sites(),
        "native": native,
        "calls": rounds.calls,
    }
    if asked.get("graph"):
        facts["graph"] = _graph(growing, holders, shows_values=asked["shows_values"])
    facts |= holders.named(growing, sites, shows_values=asked["shows_values"])
    context.facts["attribution"] = {**facts, "notes": holders.notes}
    del growing
    holders.empty_bounded()
    return Sample((), {})


class _Rounds:
    """The calls between two readings."""

    def __init__(self, context: Context, step: Step, calls: int) -> None:
        self.calls = calls
        self._step = step
        self._guard, self._pid, self._done = MemoryGuard(), os.getpid(), 0
        self._deadline_ns = time.perf_counter_ns() + int(context.workload["budget_s"] * 1e9)

    @property
    def is_late(self) -> bool:
        return time.perf_counter_ns() > self._deadline_ns

    def warm_up(self) -> None:
        for _ in range(max(WARM_UP, self.calls)):
            self.call()
            if self.is_late:
                return

    def carry_out(self) -> None:
        self._guard.check(self._done)
        for _ in range(self.calls):
            self.call()

    def call(self) -> None:
        self._done += 1
        self._step(self._done)
        end_if_forked(self._pid)


class _Ledger:
    """What is allocated by site and what is held by name, at each reading."""

    def __init__(self) -> None:
        self._allocated: list[dict[leak_sites.Line, list[int]]] = []
        self._totals: list[int] = []
        self._as_heap: list[int] = []
        self._held: list[Holdings] = []

    def read(self) -> None:
        gc.collect()
        gc.collect()
        found = leak_sites.allocated()
        self._allocated.append(found.sites)
        self._totals.append(found.total_bytes)
        self._as_heap.append(found.heap_bytes)
        self._held.append(own_holdings())

    def __len__(self) -> int:
        return len(self._totals)

    def traced_growth(self) -> int:
        return self._as_heap[-1] - self._as_heap[0]

    def told(self) -> dict[str, Json]:
        last = self._allocated[-1]
        grown = {line: size - self._allocated[0].get(line, [0, 0])[0] for line, (size, _) in last.items()}
        lines = sorted((line for line in grown if grown[line] > 0), key=lambda line: -grown[line])[:SITES]
        sites = [
            {
                "site": leak_sites.told(line),
                "series": [one.get(line, [0, 0])[0] for one in self._allocated],
                "blocks": last[line][1] - self._allocated[0].get(line, [0, 0])[1],
            }
            for line in lines
        ]
        return {
            "sites": sites,
            "traced_bytes": self._totals,
            "traced_heap_bytes": self._as_heap,
            "held": self._held_series(),
        }

    def _held_series(self) -> dict[str, dict[str, list[int]]]:
        """Only names of which there are more in the end."""
        found: dict[str, dict[str, list[int]]] = {}
        for probe in self._held[-1]:
            readings = [_by_folder(one.get(probe, {})) for one in self._held]
            names = [name for name, count in readings[-1].items() if count > readings[0].get(name, 0)]
            if names:
                found[probe] = {name: [one.get(name, 0) for one in readings] for name in names}
        return found


def _by_folder(names: Mapping[str, int]) -> dict[str, int]:
    """A file a call would be a name a call: where there are many of one folder, that is the name."""
    folders: dict[str, list[str]] = {}
    for name in names:
        folder, slash, _ = name.rpartition("/")
        folders.setdefault(folder if slash else name, []).append(name)
    found: dict[str, int] = {}
    for folder, inside in folders.items():
        if len(inside) > NAMES:
            found[f"{folder}/..."] = sum(names[name] for name in inside)
        else:
            found.update({name: names[name] for name in inside})
    return found


def _module_of(context: Context) -> str:
    return str(context.workload.get("function", "")).partition(":")[0]


def _named(step: Step) -> dict[str, object]:
    """Where to look besides the modules: what the hunt itself was given, and what tasks have in their variables."""
    named = dict(getattr(getattr(step, "__self__", None), "held_by_name", dict)())
    for task in unfinished_tasks():
        named[f"task {task.get_name()}"] = task.get_coro()
    return named


def _graph(growing: list[tuple[Any, list[int]]], holders: Holders, *, shows_values: bool) -> str:
    """Who refers to the newest entry of what grows most, in the language of graphviz; else why there is none."""
    from synapse_perf.benchmarks.leak_graph import GraphRefused, referrer_graph

    frame = sys._getframe()
    ours = [growing, *growing, holders.__dict__, *holders.__dict__.values(), frame, frame.f_back]
    drawn = (newest(growing[0][0]) or [growing[0][0]]) if growing else []
    try:
        return referrer_graph(drawn, [*ours, ours, drawn], shows_values=shows_values)
    except ImportError:
        return f"no graph: install objgraph for {sys.executable} ({sys.executable} -m pip install objgraph)"
    except GraphRefused as error:
        return f"no graph: {error}"
