"""What leaves most behind, of all that was hunted in one run? One table, by bytes and then by counts."""

from __future__ import annotations

from synapse_perf.analyze.leak_ranking import Ranked, ranking
from synapse_perf.model import Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.leak_figures import STATUS_WORDS, format_bounds, format_growth, iteration_of, probe_name


def ranking_section(result: Result) -> Section | None:
    """None for a single hunt, whose own table is its ranking."""
    rows = ranking(result)
    if len({row.hunt for row in rows}) < 2:
        return None
    iterations = {iteration_of(row.hunt, result) for row in rows}
    each = iterations.pop() if len(iterations) == 1 else "iteration"
    levels = {f"{row.leak.confidence * 100:g} %" for row in rows}
    columns = (
        Column("what", shrink="wrap"),
        Column(f"per {each}", "right"),
        Column(f"{levels.pop()} interval" if len(levels) == 1 else "interval", "right"),
        Column("verdict"),
    )
    known = [row for row in rows if row.leak.growth is not None]
    shown = [row for row in known if not row.is_flat]
    blocks: list[Block] = [Table(columns, tuple(map(_row, shown)))] if shown else []
    flat, unknown = len(known) - len(shown), len(rows) - len(known)
    if flat:
        told = f"The other {flat} stay the same all the time." if shown else f"All {flat} stay the same all the time."
        blocks.append(Paragraph(told, "quiet"))
    if unknown:
        blocks.append(Paragraph(f"{unknown} more have too few iterations to be ranked.", "quiet"))
    return Section("Ranking", tuple(blocks))


def _row(row: Ranked) -> Row:
    word, tone = STATUS_WORDS[row.leak.status]
    return Row(
        (
            Cell(f"{row.hunt}: {probe_name(row.probe)}"),
            Cell(format_growth(row.leak), "strong"),
            Cell(format_bounds(row.leak)),
            Cell(word, tone),
        )
    )
