"""What is to be told of a process that was watched from outside: what it held more of, and what could not be seen?"""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.analyze.leak_rows import unit_of
from synapse_perf.host.leak_probes import ANONYMOUS
from synapse_perf.model import Metric, Result
from synapse_perf.report.figures import fact_values
from synapse_perf.report.leak_figures import PER_HOUR
from synapse_perf.units import format_bytes, format_duration, format_percent

IDLE = 0.01  # of one processor
MOST_TOLD = 3
NOT_SEEN = (
    "Seen from outside: neither the collector nor the allocator could be asked to give anything back, and what is "
    "kept in memory that the process had freed before is not seen until that is full."
)
_WORDS = {
    "anonymous": "memory by process",
    "descriptors": "descriptors by kind",
    "sockets": "sockets by state",
    "mapped_files": "mapped files",
    "threads": "where its threads are",
}


def grown_of(hunt: str, result: Result) -> Mapping[str, Mapping[str, int]] | None:
    """What the process of a hunt held more of in the end; None of one that was not watched from outside."""
    every = result.plan.get("grown")
    found = every.get(hunt) if isinstance(every, Mapping) else None
    return found if isinstance(found, Mapping) else None


def iteration_is_time(hunt: str, result: Result) -> bool:
    named = result.plan.get("iterations")
    return isinstance(named, Mapping) and named.get(hunt) == PER_HOUR


def outside_notes(hunt: str, metric: Metric, result: Result) -> list[str]:
    """Paragraphs under the table of a hunt."""
    grown = grown_of(hunt, result)
    if grown is None:
        return []
    texts = [f"More of {_WORDS[kind]}: {_most(kind, counts)}." for kind, counts in grown.items() if kind in _WORDS]
    idle = _idle(metric) if iteration_is_time(hunt, result) else []
    is_first = hunt == next(iter(result.plan["grown"])) and metric.labels.get("probe") == ANONYMOUS
    return [*texts, *idle, *_silence(metric), *([NOT_SEEN] if is_first else [])]


def reading_note(pace_s: float, calls: float) -> str:
    """Of a process that was only watched."""
    return f"Read every {format_duration(pace_s * calls)}; over a longer --max-time slower growth would be seen."


def _most(kind: str, counts: Mapping[str, int]) -> str:
    is_bytes, sign = unit_of(kind) == "B", "" if kind == "threads" else "+"
    shown = [f"{name} {sign}{format_bytes(n) if is_bytes else n}" for name, n in list(counts.items())[:MOST_TOLD]]
    left = len(counts) - MOST_TOLD
    return ", ".join(shown) + (f" and {left} more" if left > 0 else "")


def _silence(metric: Metric) -> list[str]:
    """Of clients that fell silent."""
    every = [after for trial in metric.trials for after in trial.facts.get("let_go_s", ())]
    after_s = fact_values(metric, "let_go_s")
    if not every:
        return []
    last = f", of the last after {format_duration(max(after_s))}" if after_s else ""
    return [f"The server let go of {len(after_s)} of {len(every)} clients that fell silent{last}."]


def _idle(metric: Metric) -> list[str]:
    """A process that does nothing leaks nothing."""
    used_s = fact_values(metric, "processor_s")
    wall = zip(fact_values(metric, "call_s"), fact_values(metric, "calls"), strict=True)
    wall_s = sum(pace * calls for pace, calls in wall)
    if not used_s or wall_s <= 0 or sum(used_s) / wall_s >= IDLE:
        return []
    share = format_percent(sum(used_s) / wall_s)
    return [f"It was idle, with {share} of a processor: what it does when it is used is not seen; drive it with --url."]
