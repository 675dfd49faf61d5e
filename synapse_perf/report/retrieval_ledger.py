"""What does a first retrieval wait for? Two totals, each with its stages, and what it would be without each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from synapse_perf.model import Metric
from synapse_perf.report.document import (
    Bar,
    BarKind,
    Block,
    Cell,
    Column,
    Lane,
    Paragraph,
    Row,
    Section,
    Table,
    Waterfall,
)
from synapse_perf.report.figures import (
    fact_median,
    format_count,
    format_interval,
    format_middle,
    interval_title,
    middle,
)
from synapse_perf.report.retrieval_preloading import preloading_blocks
from synapse_perf.report.retrieval_runs import (
    ANSWER_STAGES,
    UNCERTIFIED,
    Measured,
    Retrievals,
    difference,
    stage_label,
    sum_of,
)
from synapse_perf.units import format_bytes, format_percent

COLD_STATES = {
    "cold": ("index-cold", "all is resident but the index"),
    "process-cold": ("process-cold", "everything since the process began"),
}
ANSWER = "retrieve"  # the counters of all its stages together
_SMALL = 0.01  # of the total: shorter stages of the answer share a row, and the picture leaves such stages out
_BRIEF_SMALL = 0.05
_TWO_TOTALS = "Two totals: cgrag-cold judges index-cold."
_WITHOUT = "Without: the total had the stage taken no time."
_COUNTED = "Major: page faults that read a file."


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row: a stage, the stages of the answer together, or several short ones of them."""

    label: str
    metric: Metric
    counted: str = ""  # the name of its counters in the facts
    is_part: bool = False
    is_residual: bool = False


def cold_section(measured: Measured, *, is_brief: bool = False) -> Section | None:
    """A ledger for each state that was measured, the price of opening late, and, unless it is brief, a picture."""
    found = [group for state in COLD_STATES for group in _of_state(measured, state)]
    blocks: list[Block] = []
    for group in found:
        name, meaning = COLD_STATES[group.state]
        if group.state == "cold" and "first_retrieve" in group.stages:
            meaning = "the module is imported, nothing is built"
        blocks.append(Paragraph(f"{name}: {meaning} ({_certainty(group)})", "strong"))
        blocks.append(_table(group, has_parts=group is found[0], small=_BRIEF_SMALL if is_brief else _SMALL))
    if blocks:
        blocks.append(Paragraph(_legend(found), "quiet"))
    blocks += preloading_blocks(measured)
    lanes = () if is_brief else tuple(lane for lane in map(_lane, found) if lane)
    if lanes:
        blocks.append(Waterfall(lanes))
    return Section("Cold: the first retrieval", tuple(blocks)) if blocks else None


def _legend(groups: list[Retrievals]) -> str:
    """What the columns mean, of those that are there."""
    totals = [group.total for group in groups if group.total]
    apart = [format_middle(group.apart) for group in groups if group.apart]
    is_counted = any("_faults" in name for total in totals for trial in total.trials for name in trial.facts)
    parts = (
        _TWO_TOTALS if len({group.state for group in groups}) > 1 else "",
        _WITHOUT,
        _COUNTED if is_counted else "",
        f"This tool's own {apart[0]} are in no total." if apart else "",
    )
    return " ".join(part for part in parts if part)


def _of_state(measured: Measured, state: str) -> list[Retrievals]:
    found = (measured.find(state=state), measured.find(state=state, cache=UNCERTIFIED))
    return [measured.show(group) for group in found if group is not None and group.total is not None]


def _certainty(group: Retrievals) -> str:
    """How many processes, and whether their page cache was proven cold."""
    total = group.total
    assert total is not None
    count = f"n={format_count(total)}"
    if group.labels.get("cache") == UNCERTIFIED:
        return f"{count}, not certified cold"
    told = [value for trial in total.trials for value in trial.facts.get("cold_proven", ())]
    proven = sum(value is True for value in told)
    if not told:
        return count
    return f"{count}, {'all' if proven == len(told) else f'{proven} of {len(told)}'} proven cold"


# --- the table -------------------------------------------------------------------------------------------------------


def _table(group: Retrievals, *, has_parts: bool, small: float) -> Table:
    """The stages of the answer one by one where no table before has them."""
    total = group.total
    assert total is not None
    columns = (
        Column("stage", shrink="wrap"),
        Column("median", "right"),
        Column(interval_title([total]), "right"),
        Column("share", "right"),
        Column("without", "right"),
        Column("major", "right"),
        Column("read", "right"),
    )
    rows = [_row(entry, total) for entry in _entries(group, small) if has_parts or not entry.is_part]
    cells = ("total", format_middle(total), format_interval(total), "", "", *_counts(total, ""))
    return Table(columns, (*rows, Row(tuple(Cell(text, "strong") for text in cells))))


def _entries(group: Retrievals, small: float = _SMALL) -> Iterator[_Entry]:
    """The stages in their order; those of the answer under their sum, where there are several."""
    answer = [name for name in ANSWER_STAGES if name in group.stages]
    whole = sum_of([group.stages[name] for name in answer]) if len(answer) > 1 else None
    for name, metric in group.stages.items():
        if name not in answer or whole is None:
            yield _Entry(stage_label(name), metric, name, is_residual=name == "residual")
        elif name == answer[0]:
            yield _Entry("answer", whole, ANSWER)
            yield from _parts(group, answer, small)


def _parts(group: Retrievals, answer: list[str], small: float) -> Iterator[_Entry]:
    limit = small * (middle(group.total) or 0.0)
    for is_small, names in groupby(answer, lambda name: (middle(group.stages[name]) or 0.0) < limit):
        several = list(names)
        joined = sum_of([group.stages[name] for name in several]) if is_small and len(several) > 1 else None
        if joined is not None:
            yield _Entry(f"{stage_label(several[0])} to {stage_label(several[-1])}", joined, is_part=True)
        else:
            yield from (_Entry(stage_label(name), group.stages[name], is_part=True) for name in several)


def _row(entry: _Entry, total: Metric) -> Row:
    length, whole = middle(entry.metric), middle(total)
    rest = None if entry.is_residual else difference(total, entry.metric)
    texts = (
        "  " * entry.is_part + entry.label,
        format_middle(entry.metric),
        format_interval(entry.metric),
        format_percent(length / whole) if length is not None and whole else "",
        format_middle(rest) if rest else "",
        *(_counts(total, entry.counted) if entry.counted else ("", "")),
    )
    return Row(tuple(map(Cell, texts)))


def _counts(total: Metric, stage: str) -> tuple[str, str]:
    """Major page faults and bytes read of a stage, or of the whole; empty where they were not counted."""
    prefix = f"{stage}." if stage else ""
    faults, read = (fact_median(total, f"{prefix}{name}") for name in ("major_faults", "read_bytes"))
    return ("" if faults is None else f"{faults:.0f}", "" if read is None else format_bytes(read))


# --- the picture -----------------------------------------------------------------------------------------------------


def _lane(group: Retrievals) -> Lane | None:
    """The stages end to end, those of the answer one by one."""
    entries = [entry for entry in _entries(group) if entry.counted != ANSWER]
    total = middle(group.total)
    if not entries or not total:
        return None
    lengths = [max(middle(entry.metric) or 0.0, 0.0) for entry in entries]
    scale = max(total, sum(lengths))
    bars: list[Bar] = []
    start = 0.0
    for entry, length in zip(entries, lengths, strict=True):
        kind: BarKind = "residual" if entry.is_residual else "phase"
        if length >= _SMALL * total:
            share = format_percent(length / total)
            bars.append(Bar(entry.label, format_middle(entry.metric), share, start / scale, length / scale, kind))
        start += length
    name, _ = COLD_STATES[group.state]
    left_out = len(entries) - len(bars)
    shorter = f"; {left_out} shorter {'stage is' if left_out == 1 else 'stages are'} not drawn" if left_out else ""
    return Lane(name, f"{format_middle(group.total)} to the context{shorter}", tuple(bars))
