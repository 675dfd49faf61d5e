"""What do a warm prefix, the high-level API, a first query and an overlap change? Each beside what it departs from.

Cold and warm prefixes are never mixed, nor first answers and steady ones: each row has its own samples.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import NamedTuple

from synapse_perf.analyze.latency_rows import (
    AFTER_SWAP,
    FIRST,
    HIGH_LEVEL,
    OVERLAP,
    OWN_LOOP,
    PREFIX,
    TTFT,
    Queries,
    beside,
    facts_of,
    variants_beginning,
)
from synapse_perf.analyze.served_plan import IN_PROCESS
from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import format_middle
from synapse_perf.report.latency_runs import Asked
from synapse_perf.report.retrieval_preloading import ratio_bounds, ratio_text

_RATIO = "ratio"  # stands for it
_LEGEND = "Ratios of medians; with 1 inside: no difference; ~: too few processes."


class _Line(NamedTuple):
    """One row, whether the two that it compares differ beyond doubt, and whether it says more than that."""

    row: Row
    differs: bool
    says_more: bool = False


class _Contrast(NamedTuple):
    """All rows of a kind under their headings; `name` is for where they are not shown."""

    name: str
    columns: tuple[str, ...]
    lines: list[_Line]
    is_always_shown: bool = False


def contrasts_section(asked: Asked, *, is_brief: bool = False) -> Section | None:
    """A table for each kind of contrast; None without any. A brief one only names what shows no difference."""
    contrasts = [make(asked) for make in (_prefixes, _servers, _apis, _starts, _overlaps)]
    left_out: list[str] = []
    blocks: list[Block] = []
    for contrast in contrasts:
        always = contrast.is_always_shown or not is_brief
        shown = [line.row for line in contrast.lines if line.differs or line.says_more or always]
        hidden = [line.row.cells[0].text for line in contrast.lines if line.row not in shown]
        left_out += [f"{contrast.name} ({', '.join(hidden)})"] if hidden else []
        if shown:
            blocks.append(_table(contrast.columns, shown))
    if left_out:
        blocks.append(Paragraph(f"No difference shown, or too few processes for one: {'; '.join(left_out)}."))
    legend = [Paragraph(_LEGEND, "quiet")] if any(isinstance(block, Table) for block in blocks) else []
    return Section("Apart from these", (*blocks, *legend)) if blocks else None


def _table(columns: tuple[str, ...], rows: list[Row]) -> Table:
    heads = (Column(columns[0], shrink="wrap"), *(Column(title, "right") for title in columns[1:]))
    return Table(heads, tuple(rows))


def _line(name: str, above: Metric, below: Metric, *texts: str) -> _Line:
    """`texts` may hold the place of the ratio of the two metrics."""
    bounds = ratio_bounds(above, below)
    ratio = ratio_text(above, below)
    told = ratio if not ratio or bounds else f"~{ratio}"
    row = Row((Cell(name), *(Cell(told if text == _RATIO else text) for text in texts)))
    return _Line(row, bounds is not None and not bounds[0] <= 1 <= bounds[1])


def _each(asked: Asked, start: str, line: Callable[[Queries, Queries], _Line | None]) -> list[_Line]:
    """One for each reference with a variant of this kind, which is shown by that."""
    lines = []
    for reference in asked.references:
        for variant in variants_beginning(asked.groups, reference, start):
            found = line(reference, variant)
            if found:
                asked.mark_group(variant)
                lines.append(found)
    return lines


def _prefixes(asked: Asked) -> _Contrast:
    """The first token, which is all that a prefix in the KV cache changes, and the whole."""

    def line(reference: Queries, other: Queries) -> _Line | None:
        cold, warm = (other, reference) if reference.prefix == "warm" else (reference, other)
        first, second = cold.metrics.get(TTFT), warm.metrics.get(TTFT)
        if not (first and second and cold.latency and warm.latency):
            return None
        pair = f"{format_middle(first)} / {format_middle(second)}"
        whole = f"{format_middle(cold.latency)} / {format_middle(warm.latency)}"
        return _line(asked.name(reference), first, second, pair, _RATIO, whole, _reused(warm.latency))

    lines = _each(asked, PREFIX, line)
    for one in asked.groups:  # their starts, and the time that loading took, are those of the tier
        if one.labels.get("variant", "").startswith(PREFIX) and one.phases and not one.latency:
            asked.mark_group(one)
    columns = ("cold / warm", "first token", "ratio", "query", "reused")
    return _Contrast("the prefix", columns, lines, is_always_shown=True)


def _servers(asked: Asked) -> _Contrast:
    """The same queries of the same tier over HTTP and in a process of our own: what the server adds, or saves."""

    def line(reference: Queries, own: Queries) -> _Line | None:
        if not (reference.latency and own.latency):
            return None
        texts = (format_middle(reference.latency), format_middle(own.latency), _RATIO)
        firsts = [format_middle(one) for group in (reference, own) if (one := group.metrics.get(TTFT))]
        return _line(asked.name(reference), reference.latency, own.latency, *texts, " / ".join(firsts))

    columns = ("server / in-process", "server", "in-process", "ratio", "first token")
    lines = _each(asked, IN_PROCESS, line)
    for one in asked.groups:  # the loads of these processes
        if one.variant == IN_PROCESS and one.phases and not one.latency:
            asked.mark_group(one)
    return _Contrast("the server", columns, lines, is_always_shown=True)


def _reused(latency: Metric) -> str:
    reused, prompt = facts_of(latency, "reused_tokens"), facts_of(latency, "prompt_tokens")
    if not reused or not prompt:
        return ""
    return f"{statistics.median(reused):.0f} of {statistics.median(prompt):.0f}"


def _apis(asked: Asked) -> _Contrast:
    lines = []
    for reference in asked.references:
        own, high = (beside(asked.groups, reference, name) for name in (OWN_LOOP, HIGH_LEVEL))
        if own and high and own.latency and high.latency:
            asked.mark_group(own)
            asked.mark_group(high)
            texts = (format_middle(high.latency), format_middle(own.latency), _RATIO)
            lines.append(_line(asked.name(reference), high.latency, own.latency, *texts))
    return _Contrast("the high-level API", ("high-level API", "Llama()", "own loop", "ratio"), lines)


def _starts(asked: Asked) -> _Contrast:
    """The first query of a process; where its model had to be swapped in for it, the load is on its path too."""
    lines = []
    for reference in asked.references:
        first, after = (beside(asked.groups, reference, name) for name in (FIRST, AFTER_SWAP))
        if first is None or first.latency is None or reference.latency is None:
            continue
        asked.mark_group(first)
        if after:
            asked.mark_group(after)
        asked.mark([load for load in [_load(asked, reference)] if load])
        texts = (format_middle(first.latency), format_middle(reference.latency))
        swapped = format_middle(after.latency) if after else ""
        line = _line(asked.name(reference), first.latency, reference.latency, *texts, _RATIO, swapped)
        lines.append(line._replace(says_more=after is not None))
    _mark_other_starts(asked)
    columns = ("first query of a process", "first", "steady", "ratio", "with its load")
    return _Contrast("the first query", columns, lines)


def _load(asked: Asked, reference: Queries) -> Metric | None:
    """How long the model of these queries took to load: it is in the figure with its load."""
    return next(
        (
            group.phases["load"]
            for group in asked.groups
            if "load" in group.phases and (group.tier, group.prefix) == (reference.tier, reference.prefix)
        ),
        None,
    )


def _mark_other_starts(asked: Asked) -> None:
    """First answers with another prefix or overlap tell nothing new."""
    shown = {(one.tier, one.complexity) for one in asked.references}
    for group in asked.groups:
        if group.variant.split(" ")[0] in (FIRST, AFTER_SWAP) and (group.tier, group.complexity) in shown:
            asked.mark_group(group)


def _overlaps(asked: Asked) -> _Contrast:
    def line(reference: Queries, other: Queries) -> _Line | None:
        if not (reference.latency and other.latency):
            return None
        what = other.variant.removeprefix(OVERLAP).replace("none", "nothing")
        texts = (format_middle(other.latency), format_middle(reference.latency), _RATIO)
        return _line(what, other.latency, reference.latency, *texts)

    columns = ("two-stage query, during its draft", "so", "as judged", "ratio")
    return _Contrast("during the draft of a two-stage query", columns, _each(asked, OVERLAP, line))
