"""How does a document look as Markdown? Tables as tables, timelines as text that keeps its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from synapse_perf.report.characters import clean, to_ascii
from synapse_perf.report.document import (
    Block,
    Cell,
    Document,
    Fields,
    Lane,
    Paragraph,
    Scatter,
    Strip,
    Table,
    Tone,
    Waterfall,
    map_texts,
)
from synapse_perf.report.scatter_plot import draw_scatter
from synapse_perf.report.waterfall import draw_bar

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&$])")
_LINE_START = re.compile(r"^(\d*)([-+.)])(?=\s)")  # would begin a list
_BAR_WIDTH = 50
_STRONG: frozenset[Tone] = frozenset({"strong", "good", "bad", "warn"})


def to_markdown(document: Document, *, ascii_only: bool = False) -> str:
    """The same content as on the console, for a file that people read rendered or as it is."""
    shown = map_texts(document, clean)
    if ascii_only:
        shown = map_texts(shown, to_ascii)
    parts: list[str] = []
    for section in shown:
        if section.title:
            parts.append(f"## {escape(section.title)}")
        for position, block in enumerate(section.blocks):
            if not section.title and position == 0 and isinstance(block, Paragraph):
                parts.append(f"# {escape(block.text)}")
            else:
                parts.append(_block(block, ascii_only))
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """The text with Markdown's own characters taken literally."""
    return _LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", text.replace("\n", " ")))


def _block(block: Block, ascii_only: bool) -> str:
    if isinstance(block, Paragraph):
        return _paragraph(block)
    if isinstance(block, Fields):
        return _fields(block)
    if isinstance(block, Strip):
        return _fields(block.as_fields)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Scatter):
        return _fenced("\n".join(draw_scatter(block)))
    return _waterfall(block, ascii_only)


def _paragraph(block: Paragraph) -> str:
    text = escape(block.text)
    if text.strip() and (block.tone == "strong" or (block.marker and block.tone in _STRONG)):
        text = f"**{text}**"
    return f"{block.marker} {text}" if block.marker else text


def _fields(block: Fields) -> str:
    indent = " " * block.indent
    lines = []
    for name, text in block.rows:
        if "\n" in text:
            lines.append(f"{indent}- {escape(name)}:\n\n{_fenced(text, indent + '  ')}\n")
        else:
            lines.append(f"{indent}- {escape(name)}: {escape(text)}")
    return "\n".join(lines).rstrip()


def _fenced(text: str, indent: str = "") -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(f"{indent}{line}".rstrip() for line in (f"{fence}text", *text.splitlines(), fence))


def _table(table: Table) -> str:
    has_notes = any(row.note for row in table.rows)
    titles = [column.title for column in table.columns] + ["note"] * has_notes
    lines = [_line(titles), _line("--:" if column.align == "right" else "---" for column in table.columns)]
    if has_notes:
        lines[1] += " --- |"
    for row in table.rows:
        cells = [_cell(cell) for cell in row.cells] + [escape(row.note)] * has_notes
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(cell: Cell) -> str:
    text = escape(cell.text.replace("\n", " "))
    return f"**{text}**" if text and cell.tone in _STRONG else text


def _waterfall(block: Waterfall, ascii_only: bool) -> str:
    return "\n\n".join(_lane(lane, ascii_only) for lane in block.lanes)


def _lane(lane: Lane, ascii_only: bool) -> str:
    label, value, share = (max(len(getattr(bar, name)) for bar in lane.bars) for name in ("label", "value", "share"))
    lines = [
        f"{bar.label:<{label}}  {bar.value:>{value}}  {bar.share:>{share}}  "
        + draw_bar(bar, _BAR_WIDTH, ascii_only=ascii_only)
        for bar in lane.bars
    ]
    notes = [f"- {escape(name)}: {escape(text)}" for name, text in lane.notes]
    head = f"**{escape(lane.title)}**: {escape(lane.total)}"
    return "\n\n".join([head, _fenced("\n".join(lines)), *(["\n".join(notes)] if notes else [])])
