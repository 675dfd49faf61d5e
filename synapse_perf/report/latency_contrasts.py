"""What do a warm prefix, the high-level API, a first query and an overlap change? Each beside what it departs from.

Cold and warm prefixes are never mixed, nor first answers and steady ones: each row has its own samples.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

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
from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import format_middle
from synapse_perf.report.latency_runs import Asked
from synapse_perf.report.retrieval_preloading import ratio_bounds, ratio_text

_LEGEND = "Ratio: of the medians; an interval that holds 1 shows no difference, ~ has too few processes for one."


def contrasts_section(asked: Asked) -> Section | None:
    """A table for each kind of contrast; None without any."""
    tables = [make(asked) for make in (_prefixes, _apis, _starts, _overlaps)]
    blocks: list[Block] = [table for table in tables if table]
    return Section("Apart from these", (*blocks, Paragraph(_LEGEND, "quiet"))) if blocks else None


def _table(columns: tuple[str, ...], rows: list[Row]) -> Table | None:
    heads = (Column(columns[0], shrink="wrap"), *(Column(title, "right") for title in columns[1:]))
    return Table(heads, tuple(rows)) if rows else None


def _row(name: str, *texts: str) -> Row:
    return Row((Cell(name), *map(Cell, texts)))


def _ratio(above: Metric, below: Metric) -> str:
    """With its interval; one that has none is marked."""
    text = ratio_text(above, below)
    return text if not text or ratio_bounds(above, below) else f"~{text}"


def _each(asked: Asked, start: str, row: Callable[[Queries, Queries], Row | None]) -> list[Row]:
    """A row for each reference with a variant of this kind, which is shown by that."""
    rows = []
    for reference in asked.references:
        for variant in variants_beginning(asked.groups, reference, start):
            found = row(reference, variant)
            if found:
                asked.mark_group(variant)
                rows.append(found)
    return rows


def _prefixes(asked: Asked) -> Table | None:
    """The first token, which is all that a prefix in the KV cache changes, and the whole."""

    def row(reference: Queries, other: Queries) -> Row | None:
        first, second = reference.metrics.get(TTFT), other.metrics.get(TTFT)
        if not (first and second and reference.latency and other.latency):
            return None
        pair = f"{format_middle(first)} / {format_middle(second)}"
        whole = f"{format_middle(reference.latency)} / {format_middle(other.latency)}"
        return _row(asked.name(reference), pair, _ratio(first, second), whole, _reused(other.latency))

    rows = _each(asked, PREFIX, row)
    for one in asked.groups:  # their starts, and the time that loading took, are those of the tier
        if one.labels.get("variant", "").startswith(PREFIX) and one.phases and not one.latency:
            asked.mark_group(one)
    return _table(("prefix: cold / warm", "first token", "ratio", "query", "reused"), rows)


def _reused(latency: Metric) -> str:
    reused, prompt = facts_of(latency, "reused_tokens"), facts_of(latency, "prompt_tokens")
    if not reused or not prompt:
        return ""
    return f"{statistics.median(reused):.0f} of {statistics.median(prompt):.0f}"


def _apis(asked: Asked) -> Table | None:
    rows = []
    for reference in asked.references:
        own, high = (beside(asked.groups, reference, name) for name in (OWN_LOOP, HIGH_LEVEL))
        if own and high and own.latency and high.latency:
            asked.mark_group(own)
            asked.mark_group(high)
            ratio = _ratio(high.latency, own.latency)
            rows.append(
                _row(asked.name(reference), format_middle(high.latency), format_middle(own.latency), ratio),
            )
    return _table(("high-level API", "Llama()", "own loop", "ratio"), rows)


def _starts(asked: Asked) -> Table | None:
    """The first query of a process; where its model had to be swapped in for it, the load is on its path too."""
    rows = []
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
        rows.append(_row(asked.name(reference), *texts, _ratio(first.latency, reference.latency), swapped))
    _mark_other_starts(asked)
    return _table(("first query of a process", "first", "steady", "ratio", "with its load"), rows)


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
    """First answers with another prefix tell nothing new."""
    shown = {(one.tier, one.complexity) for one in asked.references}
    for group in asked.groups:
        if group.variant in (FIRST, AFTER_SWAP) and (group.tier, group.complexity) in shown:
            asked.mark_group(group)


def _overlaps(asked: Asked) -> Table | None:
    def row(reference: Queries, other: Queries) -> Row | None:
        if not (reference.latency and other.latency):
            return None
        what = other.variant.removeprefix(OVERLAP).replace("+", " and ")
        texts = (format_middle(other.latency), format_middle(reference.latency))
        return _row(f"{what} during the draft", *texts, _ratio(other.latency, reference.latency))

    return _table(("two-stage query", "overlapped", "in turn", "ratio"), _each(asked, OVERLAP, row))
