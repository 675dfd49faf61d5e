"""How do two quantities of many candidates lie to each other? Scales with round ticks, and a drawing in plain text.

The drawing needs neither colour nor Unicode: a mark for each point, dots for those that are not told apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from synapse_perf.report.document import Axis, PlotPoint, Scatter

WIDTH, HEIGHT = 60, 15
PLAIN = "."
_SEVERAL = "*"  # marks that there is no room for
_MARGIN = 0.04  # of the axis, so that no point lies on the frame
_ROUND = (1, 2, 5)
_TICKS_AT_MOST = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """The part of a quantity that an axis shows; logarithmic where only ratios mean something."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def around(cls, values: Sequence[float], *, is_log: bool = False) -> Scale:
        """All values with a margin; one value alone gets an axis around it."""
        low, high = min(values), max(values)
        if is_log:
            margin = max((high / low) ** _MARGIN, 1.05)
            return cls(low / margin, high * margin, True)
        margin = (high - low) * _MARGIN or abs(low) * _MARGIN or 1.0
        return cls(low - margin, high + margin)

    def share(self, value: float) -> float:
        """Where the value lies: 0 at the low end, 1 at the high one."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def axis(self, title: str, form: Callable[[float], str]) -> Axis:
        """With a few round values on it."""
        values = _log_ticks(self.low, self.high) if self.is_log else _linear_ticks(self.low, self.high)
        return Axis(title, tuple((self.share(value), form(value)) for value in values))


def _linear_ticks(low: float, high: float) -> list[float]:
    step = min(
        factor * 10.0**power
        for power in range(math.floor(math.log10(high - low)) - 2, math.ceil(math.log10(high - low)) + 1)
        for factor in _ROUND
        if (high - low) / (factor * 10.0**power) <= _TICKS_AT_MOST - 1
    )
    return [place * step for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in (_ROUND, (1,)):
        found = [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]
        if len(found) <= _TICKS_AT_MOST:
            break
    if len(found) > 1:
        return found
    return _linear_ticks(low, high)  # less than a step between round values


def draw_scatter(plot: Scatter, width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    """The plot in `width` times `height` cells, with its axes around them; no line ends in blanks."""
    cells = _cells(plot, width, height)
    labels = {_row(share, height): text for share, text in plot.y.ticks}
    room = max((len(text) for text in labels.values()), default=0)
    lines = [plot.y.title]
    for row in range(height):
        edge = "+" if row in labels else "|"
        lines.append(f"{labels.get(row, ''):>{room}} {edge}{''.join(cells[row])}")
    places = {_column(share, width) for share, _ in plot.x.ticks}
    lines.append(" " * room + " +" + "".join("+" if column in places else "-" for column in range(width)))
    lines.append(" " * (room + 2) + _tick_labels(plot.x.ticks, width))
    lines.append(" " * (room + 2) + plot.x.title.center(width))
    return [line.rstrip() for line in lines]


def _cells(plot: Scatter, width: int, height: int) -> list[list[str]]:
    """Guides first, then what is not told apart, then the marks, each in a free place beside its own if need be."""
    cells = [[" "] * width for _ in range(height)]
    if plot.y_guide is not None and 0 <= plot.y_guide <= 1:
        cells[_row(plot.y_guide, height)] = ["-"] * width
    if plot.x_guide is not None and 0 <= plot.x_guide <= 1:
        for line in cells:
            line[_column(plot.x_guide, width)] = "|"
    for point in _in_order(plot.points):
        line, column = cells[_row(point.y, height)], _column(point.x, width)
        if point.mark == PLAIN:
            line[column] = PLAIN
            continue
        beside = (place for place in (column, column + 1, column - 1) if 0 <= place < width)
        free = next((place for place in beside if line[place] in " .-|"), None)
        line[column if free is None else free] = _SEVERAL if free is None else point.mark
    return cells


def _in_order(points: Iterable[PlotPoint]) -> list[PlotPoint]:
    return sorted(points, key=lambda point: point.mark != PLAIN)


def _row(share: float, height: int) -> int:
    """Counted from the top."""
    return height - 1 - _column(share, height)


def _column(share: float, width: int) -> int:
    return min(max(round(share * (width - 1)), 0), width - 1)


def _tick_labels(ticks: Iterable[tuple[float, str]], width: int) -> str:
    """Each below its tick; one that would touch the label before it is left out."""
    line = ""
    for share, text in ticks:
        start = max(_column(share, width) - len(text) // 2, 0)
        if not line or start > len(line) + 1:
            line = line.ljust(start) + text
    return line
