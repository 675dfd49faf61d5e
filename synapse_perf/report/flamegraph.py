"""Where does the CPU time go, by call stack? Turns collapsed stacks (``a;b;c 12`` a line) into files to look at."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from xml.sax.saxutils import escape

from synapse_perf import __version__
from synapse_perf.errors import InputError, MeasurementError
from synapse_perf.report.characters import clean
from synapse_perf.units import format_percent

SUFFIXES = (".svg", ".json", ".txt")
_Stacks: TypeAlias = list[tuple[tuple[str, ...], int]]

_WIDTH = 1200
_MARGIN = 10
_ROW = 18
_HEAD = 58
_CHAR_WIDTH = 7.0  # of the 12 px monospace font; a little generous, so that no text leaves its frame
_LEAST_WIDTH = 0.4  # of a frame that is drawn, in pixels


@dataclass(frozen=True, slots=True)
class Span:
    """A frame of the graph: its depth from the root, and the samples from `start` to `end` that were in it."""

    name: str
    depth: int
    start: int
    end: int


def parse_stacks(stacks: str) -> _Stacks:
    """Each stack from the root on with its sample count; raises MeasurementError for a line that is none."""
    parsed: _Stacks = []
    for number, line in enumerate(stacks.splitlines(), start=1):
        frames, _, count = line.strip().rpartition(" ")
        if not line.strip() or count == "0":
            continue
        if not frames or not count.isdecimal():
            raise MeasurementError(f"line {number} of the recorded stacks is damaged", "record the flame graph again")
        parsed.append((tuple(frames.split(";")), int(count)))
    return parsed


def spans_of(stacks: _Stacks) -> Iterator[Span]:
    """Every frame once: neighbours with the same callers are one. Alphabetical, so equal recordings look equal."""
    opened: list[tuple[str, int]] = []
    position = 0
    for frames, count in [*sorted(stacks), ((), 0)]:
        shared = 0
        while shared < min(len(opened), len(frames)) and opened[shared][0] == frames[shared]:
            shared += 1
        while len(opened) > shared:
            name, start = opened.pop()
            yield Span(name, len(opened), start, position)
        opened += [(name, position) for name in frames[shared:]]
        position += count


def precision_note(samples: int) -> str:
    """How far a share can be trusted: the half width of its 95 % interval, 0.98 / sqrt(n) at a share of one half."""
    if samples == 0:
        return "no samples were recorded: the trial was too short, or was not allowed to be looked at"
    points = math.ceil(98 / math.sqrt(samples))
    few = "fewer than 100 samples, so " if samples < 100 else ""
    return f"{samples} samples; {few}a share is good to ±{points} points at best (95 %)"


def to_svg(stacks: str, title: str) -> str:
    """A static flame graph, root at the bottom; each frame says its name, samples and share when pointed at."""
    parsed = parse_stacks(stacks)
    total = sum(count for _, count in parsed)
    deepest = max((len(frames) for frames, _ in parsed), default=0)
    height = _HEAD + deepest * _ROW + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="Menlo, Consolas, monospace" font-size="12">',
        f"<title>{_xml(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_MARGIN}" y="22" font-size="16">{_xml(title)}</text>',
        f'<text x="{_MARGIN}" y="42" fill="#555555">{_xml(precision_note(total))}</text>',
    ]
    parts += [_frame(span, total, height) for span in spans_of(parsed) if _width(span, total) >= _LEAST_WIDTH]
    return "\n".join([*parts, "</svg>"]) + "\n"


def to_speedscope(stacks: str, name: str) -> str:
    """The file format of https://www.speedscope.app: one profile of weighted samples."""
    parsed = parse_stacks(stacks)
    total = sum(count for _, count in parsed)
    frames: dict[str, int] = {}
    samples = [[frames.setdefault(frame, len(frames)) for frame in stack] for stack, _ in parsed]
    document = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": f"{name} ({precision_note(total)})",
        "exporter": f"synapse-perf@{__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": frame} for frame in frames]},
        "profiles": [
            {
                "type": "sampled",
                "name": name,
                "unit": "none",
                "startValue": 0,
                "endValue": total,
                "samples": samples,
                "weights": [count for _, count in parsed],
            }
        ],
    }
    return json.dumps(document) + "\n"


def flamegraph_text(stacks: str, suffix: str, title: str) -> str:
    """The content of a file with that suffix: .svg, .json for speedscope, and collapsed stacks for any other."""
    forms = {".svg": to_svg, ".json": to_speedscope}
    form = forms.get(suffix.lower())
    return form(stacks, title) if form else "".join(f"{line}\n" for line in stacks.splitlines())


def sample_count(stacks: Iterable[str]) -> int:
    """How many samples lines of collapsed stacks stand for."""
    return sum(count for line in stacks for _, count in parse_stacks(line))


def check_flamegraph_path(path: Path) -> None:
    """Raise InputError for a path that the graph could not be written to: asked before anything is measured."""
    from synapse_perf.atomic_files import check_writable

    check_suffix(path)
    check_writable(path)


def check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        told = f"no flame graph has the format '{path.suffix}'" if path.suffix else "its name has no suffix"
        raise InputError(f"{path}: {told}", "name a file that ends in .svg, .json (speedscope) or .txt (raw stacks)")


def _width(span: Span, total: int) -> float:
    return (span.end - span.start) / total * (_WIDTH - 2 * _MARGIN)


def _frame(span: Span, total: int, height: int) -> str:
    x = _MARGIN + span.start / total * (_WIDTH - 2 * _MARGIN)
    y = height - _MARGIN - (span.depth + 1) * _ROW
    width = _width(span, total)
    count = span.end - span.start
    plural = "" if count == 1 else "s"
    tooltip = f"{span.name}: {count} sample{plural}, {format_percent(count / total)} of {total}"
    rect = f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 1}" rx="1" fill="{frame_color(span.name)}"/>'
    return f"<g><title>{_xml(tooltip)}</title>{rect}{_label(span.name, x, y, width)}</g>"


def _label(name: str, x: float, y: int, width: float) -> str:
    """As much of the name as fits, its beginning: there the function is named."""
    room = int((width - 6) / _CHAR_WIDTH)
    if room < 3:
        return ""
    shown = name if len(name) <= room else name[: room - 1] + "…"
    return f'<text x="{x + 3:.1f}" y="{y + 13}">{_xml(shown)}</text>'


def frame_color(name: str) -> str:
    """A warm colour that depends on the name alone, light enough for black text."""
    mixed = zlib.crc32(name.encode("utf-8", "replace"))
    return f"hsl({mixed % 56} {72 + (mixed >> 8) % 20}% {62 + (mixed >> 16) % 14}%)"


def _xml(text: str) -> str:
    return escape(clean(text), {'"': "&quot;"})
