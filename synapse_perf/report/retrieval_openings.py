"""Which way to open the index gives the first result soonest, and which one only looks as if it did?"""

from __future__ import annotations

from collections.abc import Iterable

from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import (
    fact_median,
    format_interval,
    format_middle,
    interval_of,
    interval_title,
    middle,
    samples_of,
)
from synapse_perf.report.retrieval_runs import UNCERTIFIED, Measured, Retrievals
from synapse_perf.units import format_bytes

MODES = ("read", "mmap", "ifc", "readahead")
BOTH = "open+search"
_CACHED = "file-cached"
_STATES = ("cold", _CACHED)
_COLUMNS = ("open", "first_search", BOTH, "next_search")
_LEGEND = "Both: open and first search; next: a later search; memory: the process's own."
_BRIEF_LEGEND = (
    "Both: open and first search of a file that is not in the page cache; cached: of one that is; memory: the "
    "process's own."
)


def openings_section(measured: Measured, *, is_brief: bool = False) -> Section | None:
    """A row for each way and each state of the page cache; None where none was measured.

    A brief one has a row for each way, with the file not in the page cache if that was measured, and one figure of it
    where it is.
    """
    groups = [*measured.take_with("open"), *measured.take_with("open", "cache")]
    if not groups:
        return None
    groups.sort(key=lambda group: (_mode_rank(group), _state_rank(group)))
    cached = {group.labels["open"]: group for group in groups if group.state == _CACHED}
    not_cached = [group for group in groups if group.state != _CACHED]
    is_brief = is_brief and 0 < len(not_cached) < len(groups)
    columns = (
        Column("mode"),
        Column("file is"),
        Column("open", "right"),
        Column("first", "right"),
        Column("both", "right"),
        Column(interval_title(group.stages.get(BOTH) for group in groups), "right"),
        Column("cached" if is_brief else "next", "right"),
        Column("memory", "right"),
    )
    best = {state: _fastest(_of_state(groups, state)) for state in dict.fromkeys(group.state for group in groups)}
    rows, last = [], ""
    for group in not_cached if is_brief else groups:
        mode = group.labels["open"]
        beside = cached.get(mode)
        note = _trap_note(group, best[group.state])
        rows.append(_row(group, "" if mode == last else mode, note, _brief_cells(group, beside) if is_brief else None))
        last = mode
    blocks: list[Block] = [Table(columns, tuple(rows))]
    told = [text for state in best if (text := _told(_of_state(groups, state), state))]
    blocks += [Paragraph(f"First result soonest {'; '.join(told)}.")] if told else []
    return Section("Opening the index", (*blocks, Paragraph(_BRIEF_LEGEND if is_brief else _LEGEND, "quiet")))


def _row(group: Retrievals, mode: str, note: str, brief: tuple[str, str] | None) -> Row:
    """`brief` are the state and the last time of a brief table."""
    found = [group.stages.get(stage) for stage in _COLUMNS]
    both = group.stages.get(BOTH)
    memory = _fact(group, "anonymous_bytes")
    first, search, together, following = map(format_middle, found)
    state = _state(group)
    if brief is not None:
        state, following = brief
    texts = (format_interval(both), following, "" if memory is None else format_bytes(memory))
    return Row((*map(Cell, (mode, state, first, search)), Cell(together, "strong"), *map(Cell, texts)), note)


def _state(group: Retrievals) -> str:
    return "not certified cold" if group.labels.get("cache") == UNCERTIFIED else group.state.removeprefix("file-")


def _brief_cells(group: Retrievals, cached: Retrievals | None) -> tuple[str, str]:
    """The state only where it is not that of the others, and the time with the file in the page cache."""
    state = _state(group)
    return "" if state == group.state else state, format_middle(cached.stages.get(BOTH)) if cached else ""


def _fact(group: Retrievals, name: str) -> float | None:
    """The facts are with the first metric of the trial, whichever that is."""
    values = (fact_median(metric, name) for metric in group.metrics)
    return next((value for value in values if value is not None), None)


def _of_state(groups: Iterable[Retrievals], state: str) -> list[Retrievals]:
    return [group for group in groups if group.state == state and BOTH in group.stages]


def _fastest(groups: list[Retrievals]) -> Retrievals | None:
    return min(groups, key=lambda group: middle(group.stages[BOTH]) or 0.0, default=None)


def _trap_note(group: Retrievals, best: Retrievals | None) -> str:
    """For a way that opens sooner than the best one, and for sure has its first result later."""
    if best is None or group is best or BOTH not in group.stages:
        return ""
    own, other = middle(group.stages.get("open")), middle(best.stages.get("open"))
    is_late = not overlap(group.stages[BOTH], best.stages[BOTH])
    if own is None or other is None or own >= other or not is_late:
        return ""
    faults = _fact(group, "first_search.major_faults")
    return "a trap: opens soon, its first search pays" + (f": {faults:.0f} major page faults" if faults else "")


def overlap(first: Metric, second: Metric) -> bool:
    """Whether the intervals of two metrics, or what was seen where there are none, have a value in common."""
    (low, high), (other_low, other_high) = (_bounds(metric) for metric in (first, second))
    return low <= other_high and other_low <= high


def _bounds(metric: Metric) -> tuple[float, float]:
    interval = interval_of(metric)
    if interval is not None:
        return interval.low, interval.high
    samples = samples_of(metric)
    return min(samples), max(samples)


def _told(groups: list[Retrievals], state: str) -> str:
    """Which way is the fastest in this state, with those that cannot be told from it."""
    best = _fastest(groups)
    if best is None or len(groups) < 2:
        return ""
    names = [group.labels["open"] for group in groups if overlap(group.stages[BOTH], best.stages[BOTH])]
    where = {"cold": "from a cold page cache", "file-cached": "from the page cache"}.get(state, state)
    return f"{where}: {', '.join(names)}{' (intervals overlap)' if len(names) > 1 else ''}"


def _mode_rank(group: Retrievals) -> tuple[int, str]:
    mode = group.labels["open"]
    return (MODES.index(mode) if mode in MODES else len(MODES), mode)


def _state_rank(group: Retrievals) -> tuple[int, str]:
    return (_STATES.index(group.state) if group.state in _STATES else len(_STATES), group.labels.get("cache", ""))
