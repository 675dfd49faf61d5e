"""Which lines of a log belong to which load, where a router, a restart or a memory fit put several into one log?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from synapse_perf.llama.log_lines import LogLine
from synapse_perf.llama.log_patterns import Event, find_events

# What is said before the file is opened, and so belongs to the load that follows.
BEFORE_LOAD = frozenset(
    (
        *("build", "server_load", "gpus_found", "gpu_listed", "backend_loaded", "device", "fit", "fit_took"),
        *("shaders_begin", "shaders_part"),
    )
)
# What is said once the vocabulary is there: a line of BEFORE_LOAD after one of these speaks of the next load.
_AFTER_VOCABULARY = frozenset(
    (
        *("buffer", "kv_total", "state_total", "offloaded", "offloading", "context_begin", "context", "kv_begin"),
        *("reserve_begin", "reserve_done", "graph", "graph_nodes", "graph_splits", "warm_up", "system_info"),
        *("ready", "idle", "printed_time", "error", "cancelled"),
    )
)
_STEP_BACK_NS = 10_000_000  # threads may log a little out of order; a clock that goes back further is a new process


def load_events(lines: Sequence[LogLine]) -> list[Event]:
    """The events of a log; those of a simulated load that another load follows, llama-server's fit, are of kind fit."""
    events = find_events(lines)
    begins = [number for number, event in enumerate(events) if event.kind == "metadata_loaded"]
    for begin, end in pairwise(begins):
        block = range(begin, end)
        if any(is_simulation(events[number]) for number in block):
            last = max(number for number in block if _is_load_event(events[number]))
            for number in range(begin, last + 1):
                events[number] = replace(events[number], kind="fit")
    return events


def split_loads(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """The lines of each load of a model; a log without the line that begins a load is taken as one load."""
    starts: list[int] = []
    candidate: int | None = None
    past_vocabulary = False
    events = {event.index: event for event in load_events(lines)}
    latest_ns: int | None = None
    for index, line in enumerate(lines):
        if line.time_ns is not None:
            if latest_ns is not None and line.time_ns < latest_ns - _STEP_BACK_NS and candidate is None:
                candidate = index
            latest_ns = line.time_ns
        event = events.get(index)
        if event is None:
            continue
        if event.kind == "metadata_loaded":
            starts.append(index if candidate is None else candidate)
            candidate, past_vocabulary = None, False
        elif event.kind in BEFORE_LOAD:
            if candidate is None and past_vocabulary:
                candidate = index
        elif event.kind in _AFTER_VOCABULARY:
            candidate, past_vocabulary = None, True
    starts[:1] = [0]
    return [list(lines[begin:end]) for begin, end in pairwise([*starts, len(lines)])]


def is_simulation(event: Event) -> bool:
    """Whether this is the line of a load that allocates nothing; its model and KV buffers then read 0.00 MiB."""
    return event.kind == "info" and event.group(0) == "no_alloc" and event.group(1).strip() == "1"


def _is_load_event(event: Event) -> bool:
    return event.kind not in BEFORE_LOAD
