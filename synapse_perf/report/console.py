"""How does a document look in a terminal? Lays it out for a width, with or without colour, with or without Unicode."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from synapse_perf.report.characters import clean, shorten_middle, to_ascii
from synapse_perf.report.columns import column_widths
from synapse_perf.report.document import (
    BarKind,
    Block,
    Cell,
    Document,
    Fields,
    Lane,
    Paragraph,
    Row,
    Scatter,
    Section,
    Strip,
    Table,
    Tone,
    Waterfall,
    map_texts,
)
from synapse_perf.report.scatter_plot import WIDTH as PLOT_WIDTH
from synapse_perf.report.scatter_plot import draw_scatter
from synapse_perf.report.waterfall import draw_bar

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH_LIMITS = (60, 140)
_SIDE_BY_SIDE_FROM = 110
_INDENT = 2
_GLUE = "\ue000"  # for private use, so no text can hold it: `clean` has taken it out
_UNIT = re.compile(r"(\d) (?=(?:s|ms|µs|us|min|h|%|B|[KMG]iB)\b|%|UTC)")
_GAP = 2
_STYLES: dict[Tone, str] = {
    "plain": "",
    "strong": "bold",
    "good": "bold green",
    "bad": "bold red",
    "warn": "bold yellow",
    "quiet": "dim",
}
_BAR_STYLES: dict[BarKind, str] = {
    "phase": "cyan",
    "part": "blue",
    "residual": "yellow",
    "floor": "magenta",
    "count": "cyan",
    "over": "red",
}


def to_console(document: Document, *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """The document as text for a terminal of that many columns, each line ended, none with trailing blanks."""
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=min(max(width, WIDTH_LIMITS[0]), WIDTH_LIMITS[1]),
        force_terminal=color,
        force_jupyter=False,
        color_system="standard" if color else None,
        no_color=not color,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    shown = map_texts(document, clean)
    if ascii_only:
        shown = map_texts(shown, to_ascii)
    shown = map_texts(shown, _keep_units)
    for section in shown:
        _print_section(console, section, ascii_only)
    return "\n".join(line.rstrip() for line in buffer.getvalue().replace(_GLUE, " ").split("\n")[:-1]) + "\n"


def _keep_units(text: str) -> str:
    """The text with its numbers bound to their units, so that no line ends between them."""
    return _UNIT.sub(rf"\1{_GLUE}", text)


def _print_section(console: Console, section: Section, ascii_only: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    if section.title:
        console.print()
        console.print(Text(section.title, "bold underline" if console.color_system else ""))
        if not console.color_system:
            console.print("-" * len(section.title))
    inset = _INDENT if section.title else 0
    for position, block in enumerate(section.blocks):
        if isinstance(block, Waterfall):
            rendered = _waterfall(block, console.width - inset, ascii_only)
        elif isinstance(block, Table):
            rendered = _table(block, console.width - inset, ascii_only)
        elif isinstance(block, Fields):
            rendered = _fields(block)
        elif isinstance(block, Strip):
            rendered = _fields(block.as_fields)
        elif isinstance(block, Scatter):
            rendered = _scatter(block, console.width - inset)
        else:
            rendered = _paragraph(block)
        is_heading = isinstance(block, Paragraph) and (block.tone == "strong" or _is_numbered(block))
        is_heading &= not (_is_numbered(block) and _is_numbered(section.blocks[position - 1]))
        is_second_table = isinstance(block, Table) and isinstance(section.blocks[position - 1], Table)
        is_first_quiet = not section.title and block == _first_quiet(section)
        if position and (is_heading or is_second_table or is_first_quiet or isinstance(block, Waterfall | Scatter)):
            console.print()
        console.print(Padding(rendered, (0, 0, 0, inset)))


def _is_numbered(block: Block) -> bool:
    return isinstance(block, Paragraph) and block.marker.endswith(".")


def _first_quiet(section: Section) -> Paragraph | None:
    return next((block for block in section.blocks if isinstance(block, Paragraph) and block.tone == "quiet"), None)


def _paragraph(block: Paragraph) -> RenderableType:
    from rich.table import Table as Grid
    from rich.text import Text

    text = Text(block.text, _STYLES[block.tone], overflow="fold")
    if not block.marker:
        return text
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=len(block.marker), no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(block.marker, text)
    return grid


def _fields(block: Fields) -> RenderableType:
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, text in block.rows:
        grid.add_row(Text(name), Text(text, overflow="fold"))
    return Padding(grid, (0, 0, 0, block.indent))


def _table(table: Table, width: int, ascii_only: bool) -> RenderableType:
    """Rows under their headings; a row's note gets the whole width below it."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    table = _without_empty_columns(table)
    gap = _GAP
    widths = column_widths(table, width, gap)
    if widths is None:
        gap = 1
        widths = column_widths(table, width, gap)
    if widths is None:
        return _as_list(table)
    table = _shortened(table, widths, "~" if ascii_only else "…")
    parts: list[RenderableType] = []
    pending: list[Row] = []
    titles = Row(tuple(Cell(column.title, "quiet") for column in table.columns))
    for row in (titles, *table.rows):
        pending.append(row)
        if row.note:
            parts.append(_grid(table, pending, widths, gap))
            parts.append(Padding(Text(row.note, overflow="fold"), (0, 0, 0, 2 * _INDENT)))
            pending = []
    if pending:
        parts.append(_grid(table, pending, widths, gap))
    return Group(*parts)


def _as_list(table: Table) -> RenderableType:
    """For a terminal too narrow for the table: each row's first text, and below it the others with their titles."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[RenderableType] = []
    for row in table.rows:
        first, *others = zip(table.columns, row.cells, strict=True)
        parts.append(Text(first[1].text or "(the same)", _STYLES[first[1].tone], overflow="fold"))
        told = ", ".join(f"{column.title} {cell.text}" for column, cell in others if cell.text)
        parts += [Padding(Text(text, overflow="fold"), (0, 0, 0, 2 * _INDENT)) for text in (told, row.note) if text]
    return Group(*parts)


def _grid(table: Table, rows: list[Row], widths: list[int], gap: int) -> RenderableType:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, gap, 0, 0))
    for column, width in zip(table.columns, widths, strict=True):
        grid.add_column(width=width, justify=column.align, overflow="fold", no_wrap=column.shrink == "no")
    for row in rows:
        grid.add_row(*(Text(cell.text, _STYLES[cell.tone]) for cell in row.cells))
    return grid


def _shortened(table: Table, widths: list[int], mark: str) -> Table:
    """The table with those texts cut in the middle that may be, and that are wider than their column."""
    rows = (
        tuple(
            replace(cell, text=_fitted(cell.text, width, mark)) if column.shrink == "middle" else cell
            for cell, column, width in zip(row.cells, table.columns, widths, strict=True)
        )
        for row in table.rows
    )
    return Table(table.columns, tuple(Row(cells, row.note) for cells, row in zip(rows, table.rows, strict=True)))


def _fitted(text: str, width: int, mark: str) -> str:
    """At most `width` cells wide, where wide characters take two."""
    from rich.cells import cell_len

    shown, limit = text, width
    while cell_len(shown) > width:
        shown, limit = shorten_middle(text, limit, mark), limit - 1
    return shown


def _without_empty_columns(table: Table) -> Table:
    kept = [i for i in range(len(table.columns)) if any(row.cells[i].text for row in table.rows)]
    return Table(
        tuple(table.columns[i] for i in kept),
        tuple(Row(tuple(row.cells[i] for i in kept), row.note) for row in table.rows),
    )


def _scatter(block: Scatter, width: int) -> RenderableType:
    from rich.text import Text

    beside = max((len(text) for _, text in block.y.ticks), default=0) + 2
    return Text("\n".join(draw_scatter(block, min(PLOT_WIDTH, width - beside))), no_wrap=True)


def _waterfall(block: Waterfall, width: int, ascii_only: bool) -> RenderableType:
    from rich.console import Group
    from rich.table import Table as Grid
    from rich.text import Text

    if len(block.lanes) == 2 and width >= _SIDE_BY_SIDE_FROM - _INDENT:
        half = (width - 2 * _GAP) // 2
        grid = Grid.grid(padding=(0, 2 * _GAP, 0, 0))
        for _ in block.lanes:
            grid.add_column(width=half, overflow="fold")
        grid.add_row(*(Group(*_lane(lane, half, ascii_only)) for lane in block.lanes))
        return grid
    parts: list[RenderableType] = []
    for position, lane in enumerate(block.lanes):
        parts += [Text("")] * (position > 0) + list(_lane(lane, width, ascii_only))
    return Group(*parts)


def _lane(lane: Lane, width: int, ascii_only: bool) -> list[RenderableType]:
    from rich.text import Text

    lines = [Text(lane.title, "bold", overflow="fold"), *([Text(lane.total, overflow="fold")] if lane.total else [])]
    label, value, share = (max(len(getattr(bar, name)) for bar in lane.bars) for name in ("label", "value", "share"))
    room = max(width - label - value - share - 3 * _GAP, 8)
    for bar in lane.bars:
        text = Text(f"{bar.label:<{label}}  {bar.value:>{value}}  {bar.share:>{share}}  ", no_wrap=True)
        text.append(draw_bar(bar, room, ascii_only=ascii_only), _BAR_STYLES[bar.kind])
        lines.append(text)
    notes = Fields(lane.notes)
    return [*lines, Text(""), _fields(notes)] if lane.notes else [*lines]
