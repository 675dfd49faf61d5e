"""How does a document look as one page of HTML, with no file and no network beside it?

Only the document's own words, each of them escaped; a strict content policy lets nothing run. Timelines are bars of
CSS, plots are SVG, and colours follow the reader's light or dark setting.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from html import escape

from synapse_perf.report.characters import clean
from synapse_perf.report.document import (
    Bar,
    Block,
    Cell,
    Document,
    Fields,
    Lane,
    Paragraph,
    PlotPoint,
    Row,
    Scatter,
    Section,
    Strip,
    Table,
    Tone,
    Waterfall,
    map_texts,
)
from synapse_perf.report.scatter_plot import PLAIN

_STYLE = """
:root { color-scheme: light dark; --text: #1c2430; --quiet: #5d6875; --line: #d9dee5; --page: #ffffff; --soft: #f3f5f8;
--good: #0b7a3e; --bad: #b3261e; --warn: #8a5a00; --phase: #2f6fb5; --part: #9dbfe3; --residual: #b9c0c9;
--floor: #d7a13a; --count: #2f6fb5; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --quiet: #9aa5b3; --line: #333c48; --page: #14181e;
--soft: #1d232b; --good: #5bd08d; --bad: #ff8a80; --warn: #e9b44c; --phase: #6ea8e6; --part: #39597c;
--residual: #59636f; --floor: #b98a35; --count: #6ea8e6; } }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1rem 4rem; background: var(--page); color: var(--text);
font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 1rem; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: .95rem; margin: 1rem 0 .2rem; } p { margin: .35rem 0; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
th, td { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 500; border-bottom: 1px solid var(--line); } .right { text-align: right; }
td { white-space: pre-wrap; } tr.note td { color: var(--quiet); padding: 0 0 .5rem 1.2rem; }
dl { display: grid; gap: .1rem 1rem; margin: .3rem 0; grid-template-columns: max-content minmax(0, 1fr); }
dt { color: var(--quiet); } dd { margin: 0; white-space: pre-wrap; } .strong { font-weight: 600; }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.warn { color: var(--warn); font-weight: 600; } .quiet { color: var(--quiet); } .item { display: flex; gap: .6rem; }
.item > span:first-child { flex: none; } .item > span:last-child, dd { min-width: 0; }
.lane { overflow-x: auto; display: grid; grid-template-columns: repeat(3, max-content) minmax(8rem, 1fr);
gap: .1rem .9rem; align-items: center; font-variant-numeric: tabular-nums; }
.track { background: var(--soft); height: .8rem; }
.bar { height: 100%; min-width: 1px; } .phase { background: var(--phase); } .part { background: var(--part); }
.residual { background: var(--residual); } .floor { background: var(--floor); } .count { background: var(--count); }
.over { background: var(--bad); }
.plot { min-width: 34rem; max-width: 100%; height: auto; } .marks { display: block; width: 100%; height: 1.1rem; }
dd:has(.marks) { align-self: center; } .marks .good { fill: var(--good); } .marks .warn { fill: var(--warn); }
.marks .bad { fill: var(--bad); } circle.phase { fill: var(--phase); } circle.quiet { fill: var(--quiet); }
.tight, .short { white-space: nowrap; } svg text { fill: var(--text); font: 12px system-ui, sans-serif; }
svg line { stroke: var(--line); } svg .guide { stroke: var(--bad); stroke-dasharray: 4 3; }
details { margin-top: 1rem; } summary { cursor: pointer; font-weight: 600; }
@media (max-width: 34rem) { body { padding: 1rem .7rem 3rem; } table { font-size: .74rem; }
.short { white-space: normal; } th, td { padding-right: .35rem; } tr.note td { padding-left: .5rem; } }
"""
_TIGHT, _SHORT = 11, 24  # characters of a cell that stays on one line: on any screen, where there is room
_HEIGHTS: Mapping[Tone, int] = {"good": 2, "warn": 6, "bad": 10}  # of 10: what is worse stands out without colours
_PLOT_WIDTH, _PLOT_HEIGHT, _PLOT_LEFT, _PLOT_BOTTOM = 640, 320, 70, 40


def to_html(title: str, document: Document, parts: tuple[tuple[str, Document], ...] = ()) -> str:
    """One page; each part, with its title, is folded below it."""
    body = "\n".join(_section(section) for section in map_texts(document, clean))
    for name, part in parts:
        inside = "\n".join(_section(section) for section in map_texts(part, clean))
        body += f"\n<details><summary>{escape(clean(name))}</summary>\n{inside}\n</details>"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(clean(title))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"] if section.title else []
    for position, block in enumerate(section.blocks):
        if not section.title and position == 0 and isinstance(block, Paragraph):
            parts.append(f'<h1 class="{block.tone}">{escape(block.text)}</h1>')
        else:
            parts.append(_block(block))
    return "\n".join(parts)


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return _paragraph(block)
        case Fields():
            rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in block.rows)
            place = f' style="margin-left: {block.indent * 0.6:.1f}rem"' if block.indent else ""
            return f"<dl{place}>{rows}</dl>"
        case Table():
            return _table(block)
        case Waterfall():
            return "\n".join(_lane(lane) for lane in block.lanes)
        case Scatter():
            return _plot(block)
        case Strip():
            return _strip(block)


def _paragraph(block: Paragraph) -> str:
    text = f'<span class="{block.tone}">{escape(block.text)}</span>'
    return f'<p class="item"><span>{escape(block.marker)}</span>{text}</p>' if block.marker else f"<p>{text}</p>"


def _table(table: Table) -> str:
    sides = ["right" if column.align == "right" else "" for column in table.columns]
    head = "".join(
        f'<th class="{side}">{escape(column.title)}</th>' for column, side in zip(table.columns, sides, strict=True)
    )
    rows = "\n".join(_row(row, sides) for row in table.rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _row(row: Row, sides: list[str]) -> str:
    cells = "".join(_cell(cell, side) for cell, side in zip(row.cells, sides, strict=True))
    note = f'\n<tr class="note"><td colspan="{len(sides)}">{escape(row.note)}</td></tr>' if row.note else ""
    return f"<tr>{cells}</tr>{note}"


def _cell(cell: Cell, side: str) -> str:
    length = len(cell.text)
    room = "tight" if length <= _TIGHT else "short" if length <= _SHORT else ""
    return f'<td class="{" ".join(filter(None, (cell.tone, side, room)))}">{escape(cell.text)}</td>'


def _lane(lane: Lane) -> str:
    bars = "\n".join(_bar(bar) for bar in lane.bars)
    notes = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in lane.notes)
    told = f"<dl>{notes}</dl>" if notes else ""
    head = f"<h3>{escape(lane.title)}</h3>\n<p>{escape(lane.total)}</p>"
    return f'{head}\n<div class="lane">\n{bars}\n</div>\n{told}'


def _bar(bar: Bar) -> str:
    place = f"margin-left: {bar.start:.2%}; width: {bar.length:.2%}" if bar.length else "display: none"
    return (
        f'<span>{escape(bar.label)}</span><span class="right">{escape(bar.value)}</span>'
        f'<span class="right">{escape(bar.share)}</span>'
        f'<div class="track"><div class="bar {bar.kind}" style="{place}"></div></div>'
    )


def _plot(plot: Scatter) -> str:
    right, top = _PLOT_LEFT + _PLOT_WIDTH, 20
    bottom = top + _PLOT_HEIGHT
    parts = [
        f'<line x1="{_PLOT_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>',
        f'<line x1="{_PLOT_LEFT}" y1="{top}" x2="{_PLOT_LEFT}" y2="{bottom}"/>',
        f'<text x="{_PLOT_LEFT}" y="12">{escape(plot.y.title)}</text>',
        f'<text x="{right}" y="{bottom + 34}" text-anchor="end">{escape(plot.x.title)}</text>',
    ]
    for share, text in plot.x.ticks:
        parts.append(f'<text x="{_x(share):.1f}" y="{bottom + 16}" text-anchor="middle">{escape(text)}</text>')
    for share, text in plot.y.ticks:
        parts.append(f'<text x="{_PLOT_LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    if plot.x_guide is not None:
        x = f"{_x(plot.x_guide):.1f}"
        parts.append(f'<line class="guide" x1="{x}" y1="{top}" x2="{x}" y2="{bottom}"/>')
    if plot.y_guide is not None:
        y = f"{_y(plot.y_guide):.1f}"
        parts.append(f'<line class="guide" x1="{_PLOT_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
    parts += [_point(point) for point in plot.points]
    size = f"0 0 {right + 20} {bottom + _PLOT_BOTTOM}"
    drawn = f'<svg class="plot" viewBox="{size}" width="{right + 20}" role="img">{"".join(parts)}</svg>'
    return f'<div class="wide">{drawn}</div>'


def _point(point: PlotPoint) -> str:
    """A dot, and beside one that has a name of its own that name."""
    x, y = _x(point.x), _y(point.y)
    if point.mark == PLAIN:
        return f'<circle class="quiet" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
    name = f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" font-weight="600">{escape(point.mark)}</text>'
    return f'<circle class="phase" cx="{x:.1f}" cy="{y:.1f}" r="4"/>{name}'


def _strip(strip: Strip) -> str:
    """A line of marks as a row of colours, as wide as there is room; all lines on one scale."""
    width = max((len(text) for _, text in strip.rows), default=0)
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{_marks(text, dict(strip.tones), width)}</dd>" for name, text in strip.rows
    )
    return f"<dl>{rows}</dl>"


def _marks(text: str, tones: Mapping[str, Tone], width: int) -> str:
    drawn, place = [], 0
    for mark, run in itertools.groupby(text):
        count, tone = len(list(run)), tones.get(mark, "plain")
        height = _HEIGHTS.get(tone, 2)
        drawn.append(f'<rect class="{tone}" x="{place}" y="{10 - height}" width="{count}" height="{height}"/>')
        place += count
    return f'<svg class="marks" viewBox="0 0 {width} 10" preserveAspectRatio="none" role="img">{"".join(drawn)}</svg>'


def _x(share: float) -> float:
    return _PLOT_LEFT + share * _PLOT_WIDTH


def _y(share: float) -> float:
    return 20 + (1 - share) * _PLOT_HEIGHT
