"""What can a report consist of? The few kinds of content that every output format knows how to show.

Texts are plain: no markup, no colour, no layout. A renderer decides on those; it decides on no word and no number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Tone = Literal["plain", "strong", "good", "bad", "warn", "quiet"]
BarKind = Literal["phase", "part", "residual", "floor", "count", "over"]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text with an optional marker (``-``, ``1.``) that its further lines are indented behind."""

    text: str
    tone: Tone = "plain"
    marker: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """Names with their texts, one under the other; a text may have several lines."""

    rows: tuple[tuple[str, str], ...]
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """`shrink` says what happens to its texts where the width does not suffice."""

    title: str
    align: Literal["left", "right"] = "left"
    shrink: Literal["no", "middle", "wrap"] = "no"


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, and a note that belongs to it and may be long."""

    cells: tuple[Cell, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of a timeline: start and length are shares (0 to 1) of the lane's whole."""

    label: str
    value: str
    share: str
    start: float
    length: float
    kind: BarKind = "phase"


@dataclass(frozen=True, slots=True)
class Lane:
    """One timeline with its title, the total that it adds up to, and what else is known about it."""

    title: str
    total: str
    bars: tuple[Bar, ...]
    notes: tuple[tuple[str, str], ...] = ()  # name and text


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Lanes that may stand side by side where there is room."""

    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """Its title with the unit, and the texts at some places of it, which are shares (0 to 1) of its length."""

    title: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """A place as shares of both axes, and the one character that stands there."""

    x: float
    y: float
    mark: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points over two axes; a guide is a line across, such as a limit, at a share of the axis."""

    x: Axis
    y: Axis
    points: tuple[PlotPoint, ...]
    x_guide: float | None = None
    y_guide: float | None = None


@dataclass(frozen=True, slots=True)
class Strip:
    """Lines of marks, each with its name: one character for each moment, and what it means as a tone."""

    rows: tuple[tuple[str, str], ...]
    tones: tuple[tuple[str, Tone], ...]

    @property
    def as_fields(self) -> Fields:
        return Fields(self.rows)


Block: TypeAlias = Paragraph | Fields | Table | Waterfall | Scatter | Strip


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report; the first one, the verdict, has no title."""

    title: str
    blocks: tuple[Block, ...]


Document: TypeAlias = tuple[Section, ...]


def map_texts(document: Document, change: Callable[[str], str]) -> Document:
    """The same document with each of its texts changed."""
    return tuple(
        Section(change(section.title), tuple(_map_block(block, change) for block in section.blocks))
        for section in document
    )


def _map_block(block: Block, change: Callable[[str], str]) -> Block:
    match block:
        case Paragraph():
            return replace(block, text=change(block.text))
        case Fields():
            return replace(block, rows=tuple((change(name), change(text)) for name, text in block.rows))
        case Table():
            return Table(
                tuple(replace(column, title=change(column.title)) for column in block.columns),
                tuple(
                    Row(tuple(replace(cell, text=change(cell.text)) for cell in row.cells), change(row.note))
                    for row in block.rows
                ),
            )
        case Waterfall():
            return Waterfall(tuple(_map_lane(lane, change) for lane in block.lanes))
        case Strip():
            return replace(block, rows=tuple((change(name), change(text)) for name, text in block.rows))
        case Scatter():
            return replace(block, x=_map_axis(block.x, change), y=_map_axis(block.y, change))


def _map_axis(axis: Axis, change: Callable[[str], str]) -> Axis:
    return Axis(change(axis.title), tuple((share, change(text)) for share, text in axis.ticks))


def _map_lane(lane: Lane, change: Callable[[str], str]) -> Lane:
    return Lane(
        change(lane.title),
        change(lane.total),
        tuple(
            replace(bar, label=change(bar.label), value=change(bar.value), share=change(bar.share)) for bar in lane.bars
        ),
        tuple((change(name), change(text)) for name, text in lane.notes),
    )
